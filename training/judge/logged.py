"""How the ranking learned now would do in the log of real lists: impressions, what was ordered after, and an estimate.

Only what the app told with a propensity counts. A propensity is a chance given the slots above, so each slot is judged
given the dishes shown above it: the learned ranking, without exploration, puts its best other dish there. The filters
of the moment (closed, sold out, in the cart) are not in the log: see `support` of the estimate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from engine.columns import DAY_S, UTC_INSTANT
from engine.events.event import Event
from engine.events.inbox import read_after
from engine.models.baskets import Baskets
from engine.models.query import Place, Query
from training.data.matrices import TrainingSet, queries_for
from training.data.split import Target
from training.judge.evaluate import lists_of
from training.judge.off_policy import Slots, estimate
from training.learn.stack import Learned

# Lists that answer another question than which dishes suit the customer.
OTHER_LISTS = frozenset({"similar", "addons", "again", "vendors", "for-segment", "for_segment", "segment"})
MOST_LISTS = 10_000
DEEPEST = 100
REWARD_SLOTS = 10
# As many slots at the overall rate are added to each cell of the reward model.
SMOOTHING = 20.0
IMPRESSION: dict[str, pl.DataType | type[pl.DataType]] = {
    "request_id": pl.String,
    "customer_id": pl.String,
    "item_id": pl.String,
    "slot": pl.Int32,
    "propensity": pl.Float64,
    "at": UTC_INSTANT,
}


@dataclass(frozen=True, slots=True)
class Impressions:
    """`shown` (schema IMPRESSION) has one row a slot of a list; `unusable` came without a fit propensity or slot."""

    shown: pl.DataFrame
    unusable: int


def read_impressions(inbox: Engine, *, since: datetime) -> Impressions:
    """Return what was shown at or after `since`; of two tellings of one slot the first is believed."""
    rows, unusable = [], 0
    with Session(inbox) as session:
        for event in read_after(session, 0, types=["impression"]):
            if event.at < since or event.properties.get("source") in OTHER_LISTS:
                continue
            row = _row(event)
            unusable += row is None
            if row is not None:
                rows.append(row)
    shown = pl.DataFrame(rows, schema=IMPRESSION, orient="row")
    return Impressions(shown.unique(["customer_id", "request_id", "slot"], keep="first", maintain_order=True), unusable)


def judge_by_log(
    impressions: Impressions,
    learned: Learned,
    data: TrainingSet,
    past: Baskets,
    lines: pl.LazyFrame,
    *,
    within_days: float,
    seed: int,
) -> dict[str, Any]:
    """Return the JSON form: counts, and `estimate` (`training.judge.off_policy`), None with a `reason` where none is.

    A slot is taken when its customer has a delivered line of the dish in `lines` within `within_days` after it was
    shown, for each list that showed it; slots younger than that are left out. `learned` was fitted on `past`; a query
    holds what the customer had ordered when the list was shown. At most 10,000 lists count, drawn by `seed`.
    """
    newest = datetime.fromtimestamp(data.last_at - int(within_days * DAY_S), UTC)
    ripe = impressions.shown.filter((pl.col("at") <= newest) & (pl.col("slot") < DEEPEST))
    shown = _drawn(ripe, np.random.default_rng([seed, 94]))
    told: dict[str, Any] = {
        "unusable": impressions.unusable,
        "too_young": impressions.shown.height - ripe.height,
        "within_days": within_days,
        "lists": shown["list"].n_unique(),
        "estimate": None,
        "reason": None,
    }
    if not shown.height:
        told["reason"] = (
            "no impression with a propensity is old enough to judge by; "
            "send `impression` events with item_id, request_id, slot and propensity"
        )
        return told
    slots = _slots(shown, learned, data, past, _taken(shown, lines, within_days))
    return told | {"estimate": estimate(slots).as_dict()}


def _row(event: Event) -> tuple[object, ...] | None:
    told = event.properties
    slot, propensity = told.get("slot"), told.get("propensity")
    if isinstance(slot, bool) or not isinstance(slot, int | float) or slot < 0 or slot != int(slot):
        return None
    if isinstance(propensity, bool) or not isinstance(propensity, int | float) or not 0 < propensity <= 1:
        return None
    return (
        str(told.get("request_id")),
        event.customer_id,
        str(told.get("item_id")),
        int(slot),
        float(propensity),
        event.at,
    )


def _drawn(ripe: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Return the slots of at most MOST_LISTS lists, numbered from 0 by `list`."""
    first = ripe.group_by("customer_id", "request_id", maintain_order=True).agg(pl.col("at").min().alias("asked_at"))
    if first.height > MOST_LISTS:
        first = first[np.sort(rng.choice(first.height, MOST_LISTS, replace=False))]
    return ripe.join(first.with_row_index("list"), on=["customer_id", "request_id"], maintain_order="left")


def _taken(shown: pl.DataFrame, lines: pl.LazyFrame, within_days: float) -> npt.NDArray[np.float64]:
    """Return 1 for each row of `shown` whose dish was ordered within the days after, else 0."""
    numbered = shown.with_row_index("row").select("row", "customer_id", "item_id", "at")
    delivered = lines.filter(pl.col("status") == "delivered").select("customer_id", "item_id", "ordered_at")
    found = (
        numbered.lazy()
        .join(delivered, on=["customer_id", "item_id"])
        .filter(
            (pl.col("ordered_at") > pl.col("at"))
            & (pl.col("ordered_at") <= pl.col("at") + pl.duration(seconds=int(within_days * DAY_S)))
        )
        .select(pl.col("row").unique())
        .collect()
    )
    taken = np.zeros(shown.height)
    taken[found["row"].to_numpy()] = 1.0
    return taken


def _slots(
    shown: pl.DataFrame, learned: Learned, data: TrainingSet, past: Baskets, taken: npt.NDArray[np.float64]
) -> Slots:
    lists = shown.group_by("list", maintain_order=True).agg(pl.first("customer_id", "asked_at")).sort("list")
    queries = _asked(lists, data, past)
    slot = shown["slot"].to_numpy()
    best = lists_of(learned, data, [Target(query, np.empty(0, np.int32)) for query in queries], int(slot.max()) + 1)
    number = shown["list"].to_numpy()
    items = _numbers(shown["item_id"], data.items)
    ours = _next_best(best, number, slot, items)
    customer = _numbers(shown["customer_id"], lists["customer_id"].unique(maintain_order=True))
    before = [set(query.items.tolist()) for query in queries]
    known = np.array([item in before[i] for i, item in zip(number, items.tolist(), strict=True)])
    ours_known = np.array([item in before[i] for i, item in zip(number, ours.tolist(), strict=True)])
    reward = _rewards(slot, known, taken, customer % 2)
    return Slots(
        customer=customer,
        propensity=shown["propensity"].to_numpy(),
        probability=((ours == items) & (items >= 0)).astype(np.float64),
        taken=taken,
        predicted=_look_up(reward, slot, known, customer % 2),
        # The judged policy is certain of its dish; where it has none, nothing can be taken.
        expected=np.where(ours >= 0, _look_up(reward, slot, ours_known, customer % 2), 0.0),
    )


def _next_best(
    best: npt.NDArray[np.int32],
    number: npt.NDArray[np.integer],
    slot: npt.NDArray[np.integer],
    items: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Return, for each slot, the first dish of its list's ranking that is not shown above it; -1 where none is left."""
    ours = np.full(len(slot), -1, dtype=np.int64)
    above: set[int] = set()
    before = -1
    for row in np.lexsort((slot, number)).tolist():
        if number[row] != before:
            before, above = number[row], set()
        ours[row] = next((each for each in best[before].tolist() if each not in above), -1)
        above.add(int(items[row]))
    return ours


def _asked(lists: pl.DataFrame, data: TrainingSet, past: Baskets) -> list[Query]:
    """Return the query of each list as of when it was asked, from the customer's usual place in `past`."""
    rows = _numbers(lists["customer_id"], data.customers)
    now = lists["asked_at"].dt.epoch("s").to_numpy()
    places = [query.place for query in queries_for(past, rows, now, [Place()] * len(rows))]
    asked = []
    for query in queries_for(data.baskets, rows, now, places):
        n = int(np.searchsorted(query.at, query.now))
        start = query.start[: n + 1]
        asked.append(
            Query(query.items[: start[-1]], start, query.at[:n], query.now, query.place, query.row, query.here[:n])
        )
    return asked


def _numbers(values: pl.Series, names: pl.Series) -> npt.NDArray[np.int64]:
    """Return the place of each value among the distinct `names`; -1 where it is not."""
    places = names.alias("name").to_frame().with_row_index("number")
    found = values.alias("name").to_frame().join(places, on="name", how="left", maintain_order="left")
    return found["number"].cast(pl.Int64).fill_null(-1).to_numpy()


def _rewards(
    slot: npt.NDArray[np.integer],
    known: npt.NDArray[np.bool_],
    taken: npt.NDArray[np.float64],
    half: npt.NDArray[np.integer],
) -> npt.NDArray[np.float64]:
    """Return (halves, slots, 2) the smoothed share taken of new and of known dishes, learned on the OTHER half.

    Learned on its own customers it would know their answers (Chernozhukov et al. 2018, cross-fitting).
    """
    overall = float(taken.mean())
    cells = (half * REWARD_SLOTS + np.minimum(slot, REWARD_SLOTS - 1)) * 2 + known
    shown = np.bincount(cells, minlength=4 * REWARD_SLOTS)
    hits = np.bincount(cells, weights=taken, minlength=4 * REWARD_SLOTS)
    rates = ((hits + SMOOTHING * overall) / (shown + SMOOTHING)).reshape(2, REWARD_SLOTS, 2)
    return rates[::-1]


def _look_up(
    reward: npt.NDArray[np.float64],
    slot: npt.NDArray[np.integer],
    known: npt.NDArray[np.bool_],
    half: npt.NDArray[np.integer],
) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = reward[half, np.minimum(slot, REWARD_SLOTS - 1), known.astype(np.int64)]
    return found


def sentences(told: Mapping[str, Any]) -> list[str]:
    """Return the estimate in sentences."""
    if told["estimate"] is None:
        return [f"From the log: {told['reason']}."]
    found = told["estimate"]

    def span(name: str) -> str:
        value = found[name]
        bounds = f" ({value['low']:.4f} to {value['high']:.4f})" if value["low"] is not None else ""
        return f"{value['value']:.4f}{bounds}"

    return [
        f"From the log, share of slots ordered within {told['within_days']:g} days, with 95 % intervals: "
        f"as shown {span('logged')}; by this ranking {span('ips')} weighted, "
        f"{span('self_normalised')} self-normalised, {span('doubly_robust')} doubly robust.",
        f"{told['lists']:,} lists, {found['slots']:,} slots, worth {found['effective_slots']:,.0f} of this ranking's; "
        f"the log could have shown {found['support']:.0%} of it; {found['clipped']:.1%} of weights clipped at "
        f"{found['clip']:.0f}; {told['too_young']:,} slots too young, {told['unusable']:,} without a propensity.",
    ]
