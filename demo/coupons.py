"""What a coupon truly does: each customer's chance to order within 14 days with and without it, and draws from that.

The law, per customer: without a coupon orders come at a constant hazard, so that the chance of a delivered order within
14 days is `p_order_14d`; for 14 days after they receive a coupon of kind k the hazard is that of `p_order_14d_<k>`.
Draws share their random numbers over treatments: who is treated never changes when anybody else orders.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
from scipy.special import gammainc

from demo.lottery import Floats, Ints
from demo.orders import COUPON_KINDS, GAP_SHAPE, Granted, Moments, gap_times, within_day
from demo.people import People
from engine.columns import DAY_S

COUPON_STREAM, NEXT_STREAM = 8, 9
EFFECT_DAYS = 14
# Share of those who would not have ordered that a coupon can move at most, by kind.
STRENGTH = {"percent": 0.34, "amount": 0.40, "free_delivery": 0.22}
ANNOYED = 0.06
MOST = 0.98


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Chances to order within 14 days: `without` (people,) and `with_coupon` (people, COUPON_KINDS)."""

    without: Floats
    with_coupon: Floats


def potential_outcomes(people: People, seed: int, block: int, *, last_day: Floats, end_day: float) -> Outcomes:
    """Return the outcomes as of `end_day`; `last_day` is the day of their last order, NaN for none.

    Without a coupon the chance follows from their own gaps given how long ago they ordered; who has churned has none. A
    coupon moves thrifty people most, wins some of the lost back (the longer gone, the fewer), and annoys a few.
    """
    rng = np.random.default_rng([seed, COUPON_STREAM, block])
    n = len(people)
    since = end_day - np.where(np.isnan(last_day), np.maximum(people.joined, 0.0), last_day)
    scale = people.cadence_days / GAP_SHAPE
    still = 1.0 - gammainc(GAP_SHAPE, since / scale)
    later = 1.0 - gammainc(GAP_SHAPE, (since + EFFECT_DAYS) / scale)
    # Where a customer is long overdue both tails vanish; the hazard then tends to 1 / scale.
    overdue = 1.0 - np.exp(-EFFECT_DAYS / scale)
    without = np.where(still > 1e-9, 1.0 - later / np.maximum(still, 1e-300), overdue)
    gone_days = end_day - people.churned
    churned = np.isfinite(people.churned)
    without = np.where(churned, 0.0, np.clip(without, 0.0, MOST))
    reachable = np.where(churned, 0.6 * np.exp(-np.maximum(gone_days, 0.0) / 150.0), 1.0)
    taste_for = rng.beta(2.0, 2.0, (n, len(COUPON_KINDS))) * 2
    strength = np.array([STRENGTH[kind] for kind in COUPON_KINDS])
    lift = strength * np.clip(people.price_sensitivity[:, None] * taste_for, 0.0, 1.0) * reachable[:, None]
    annoyed = (rng.random(n) < ANNOYED)[:, None]
    with_coupon = np.where(annoyed, without[:, None] * 0.8, without[:, None] + (1 - without[:, None]) * lift)
    return Outcomes(without, np.clip(with_coupon, 0.0, MOST))


@dataclass(frozen=True, slots=True)
class Received:
    """Who holds a coupon: kind's place in COUPON_KINDS (-1 for nobody's) and the day received, both (people,)."""

    kind: Ints
    day: Floats


def next_moments(
    people: People,
    outcomes: Outcomes,
    received: Received,
    *,
    seed: int,
    block: int,
    draw: int,
    at: datetime,
    days: int,
    offer_ids: tuple[str, ...],
) -> tuple[Moments, Granted]:
    """Return what happens in the `days` after `at`, sorted by person and time, and the coupons used on it.

    The first order follows the law above; further ones follow their cadence. A coupon is used on the first order placed
    within its 14 days.
    """
    rng = np.random.default_rng([seed, NEXT_STREAM, block, draw, int(at.timestamp())])
    n = len(people)
    chosen = np.take_along_axis(outcomes.with_coupon, np.maximum(received.kind, 0)[:, None], axis=1)[:, 0]
    first = first_order_day(outcomes.without, chosen, received, rng.exponential(size=n))
    # Everybody gets their draws, needed or not, so that one person's treatment shifts nobody else's.
    who, gaps = gap_times(people.cadence_days, np.zeros(n), np.full(n, float(days)), rng)
    t = first[who] + gaps
    day = np.floor(np.minimum(t, days)).astype(np.int64)
    # The whole day counts: a moment anywhere in it keeps the chance of an order by any whole number of days exact.
    moments = within_day(people, who, round(at.timestamp()) + day * DAY_S, rng).keep(t < days)
    who, t = moments.who, t[t < days]
    leading = np.diff(who, prepend=-1) != 0
    held = received.kind[who]
    in_time = (held >= 0) & (t >= received.day[who]) & (t < received.day[who] + EFFECT_DAYS)
    order = np.lexsort((moments.at_s, who))
    kind = np.where(leading & in_time, held, -1)[order]
    # Nobody's first order ever is known here, so that no newcomer's offer is used up.
    never = np.zeros(len(who), dtype=bool)
    sorted_moments = Moments(who[order], moments.daypart[order], moments.weekday[order], moments.at_s[order], never)
    return sorted_moments, Granted(kind, offer_ids, leading[order])


def first_order_day(without: Floats, with_coupon: Floats, received: Received, risk: Floats) -> Floats:
    """Return the day of the first order, infinite for never: where the cumulative hazard reaches `risk`.

    Hazard is constant before the coupon, over its 14 days, and after; `risk` is a standard exponential draw per person.
    """
    base, raised = (-np.log1p(-p) / EFFECT_DAYS for p in (without, with_coupon))
    raised = np.where(received.kind >= 0, raised, base)
    start = np.where(received.kind >= 0, received.day, 0.0)
    before, during = base * start, raised * EFFECT_DAYS
    # A hazard of 0 divides to infinity: no order ever.
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        early = risk / base
        middle = start + (risk - before) / raised
        late = start + EFFECT_DAYS + (risk - before - during) / base
    return _first_that_holds([(risk < before, early), (risk < before + during, middle)], late)


def _first_that_holds(cases: list[tuple[npt.NDArray[np.bool_], Floats]], otherwise: Floats) -> Floats:
    found: Floats = np.select([when for when, _ in cases], [value for _, value in cases], default=otherwise)
    return np.where(np.isnan(found), np.inf, found)
