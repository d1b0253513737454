"""Does an interval keep its promise? Campaigns simulated with a known effect, looked at every day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.experiments.group_sequential import Bools, Floats, Look, looks_at

Metric = Literal["orders", "spend"]
SIMULATED_METRICS: tuple[Metric, ...] = ("orders", "spend")
DAYS_BEFORE = 90
# Log-normal spending an order: heavy enough that a few large baskets carry a small arm.
SPEND_MEAN, SPEND_SIGMA = 3.0, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationPlan:
    """What is simulated: so many `customers`, each held out with chance `holdout`, looked at for `days` days.

    `rate` is the mean number of orders a customer and day; customers differ by a Gamma law of shape 1. `effect` is the
    share by which treatment raises everybody's rate: 0 simulates A/A.
    """

    customers: int
    holdout: float
    days: int
    rate: float
    metric: Metric = "orders"
    effect: float = 0.0


@dataclass(frozen=True, slots=True)
class SimulatedPromise:
    """How often intervals kept their promise over simulated campaigns, as shares of all of them.

    `false_positive_any_look`, `false_positive_last`: the interval left out an effect of 0 at one look or more, and at
    the last day; where the plan's effect is not 0 that is how often it was found. `coverage_all_looks`: the
    truth was inside at every look. `width_ratio`: median width on the last day over that of a plain interval, None
    without a statement. `silent`: no look came to a statement.
    """

    campaigns: int
    false_positive_any_look: float
    false_positive_last: float
    coverage_all_looks: float
    width_ratio: float | None
    silent: float


def simulate_promise(
    plan: SimulationPlan, *, campaigns: int, seed: int, report: Callable[[int], None] | None = None
) -> SimulatedPromise:
    """Simulate campaigns and count how often daily intervals held the truth; `report` gets the number done so far."""
    any_look = last_look = covered = silent = 0
    ratios = []
    for number in range(campaigns):
        rng = np.random.default_rng([seed, number])
        outcomes, held_out, before, truth = _campaign(plan, rng)
        looks = looks_at(outcomes, held_out, days=plan.days, before=before, seed=number)
        spoken = [look for look in looks if look.enough]
        any_look += any(not _holds(look, 0.0) for look in spoken)
        covered += all(_holds(look, truth[look.day - 1]) for look in spoken)
        silent += not spoken
        if looks[-1].enough:
            last_look += not _holds(looks[-1], 0.0)
            ratios.append(_width(looks[-1]))
        if report:
            report(number + 1)
    return SimulatedPromise(
        campaigns,
        any_look / campaigns,
        last_look / campaigns,
        covered / campaigns,
        float(np.median(ratios)) if ratios else None,
        silent / campaigns,
    )


def _holds(look: Look, value: float) -> bool:
    return look.low is not None and look.high is not None and look.low <= value <= look.high


def _width(look: Look) -> float:
    if look.low is None or look.high is None or not look.plain_half_width:
        return float("nan")
    return (look.high - look.low) / (2 * look.plain_half_width)


def _campaign(plan: SimulationPlan, rng: np.random.Generator) -> tuple[Floats, Bools, Floats, Floats]:
    """Return cumulative outcomes (customers, days), arms, what was known before, and the true effect by day."""
    own = rng.exponential(plan.rate, plan.customers)
    held_out = rng.random(plan.customers) < plan.holdout
    if held_out.all() or not held_out.any():
        held_out[:] = False
        held_out[0] = True
    rates = np.where(held_out, own, own * (1 + plan.effect))
    orders = rng.poisson(rates[:, np.newaxis], (plan.customers, plan.days))
    before = np.stack([rng.poisson(own * 28), rng.poisson(own * (DAYS_BEFORE - 28))], axis=1).astype(float)
    before[:, 1] += before[:, 0]
    an_order = 1.0
    outcomes = orders.astype(float)
    if plan.metric == "spend":
        an_order = float(np.exp(SPEND_MEAN + SPEND_SIGMA**2 / 2))
        spent = rng.lognormal(SPEND_MEAN, SPEND_SIGMA, int(orders.sum()))
        outcomes = np.bincount(np.repeat(np.arange(orders.size), orders.ravel()), spent, orders.size)
        outcomes = outcomes.reshape(orders.shape)
    truth = own.mean() * plan.effect * an_order * np.arange(1, plan.days + 1)
    return outcomes.cumsum(axis=1), held_out, before, truth
