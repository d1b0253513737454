"""Who earns what share: the pyramid of tiers, A/B/C/D, and how loyal each customer is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.customers.behaviour.purchases import OrderDays
from engine.customers.config import Abcd, Tiers

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.str_]


def tier_names(value: Floats, config: Tiers) -> Words:
    """Return each customer's tier by the place of their value among all; equals share the better one.

    `value` is the customer's margin (or revenue) in the window; at zero or below the tier is lead whatever the place.
    """
    above = _places(value)
    ends = np.cumsum([config.platinum, config.gold, config.iron]) * len(value)
    step = np.searchsorted(ends, above, side="right")
    return np.array(["platinum", "gold", "iron", "lead"])[np.where(value > 0, step, 3)]


def abcd_letters(value: Floats, ordered: Bools, config: Abcd) -> Words:
    """Return A, B, C or D: by the share of all value that customers strictly above make up; D without an order."""
    positive = np.maximum(value, 0.0)
    order = np.argsort(-positive, kind="stable")
    summed = np.concatenate(([0.0], np.cumsum(positive[order])))
    before = summed[_places(positive)] / max(float(summed[-1]), 1e-300)
    # A tolerance for the rounding of a share summed from cents.
    step = np.searchsorted([config.a - 1e-9, config.a + config.b - 1e-9], before, side="right")
    return np.where(ordered, np.array(["A", "B", "C"])[np.where(positive > 0, step, 2)], "D")


def repurchase_rate(days: OrderDays, today: int, within: int) -> Floats:
    """Return, of order days at least `within` days old, the share followed by another in time; NaN with none."""
    following = np.full(len(days.day), np.iinfo(np.int64).max)
    same = days.customer[1:] == days.customer[:-1]
    following[:-1][same] = days.day[1:][same]
    old = days.day <= today - within
    judged = np.bincount(days.customer, old, minlength=days.n)
    kept = np.bincount(days.customer, old & (following - days.day <= within), minlength=days.n)
    rate: Floats = np.divide(kept, judged, out=np.full(days.n, np.nan), where=judged > 0)
    return rate


def months_active_share(days: OrderDays, today: int) -> Floats:
    """Return the share of calendar months with an order since (and with) that of the first; NaN without one."""
    month = _months(days.day)
    new = np.ones(len(month), np.bool_)
    new[1:] = (days.customer[1:] != days.customer[:-1]) | (month[1:] != month[:-1])
    active = np.bincount(days.customer, new, minlength=days.n)
    share = np.full(days.n, np.nan)
    there = np.flatnonzero(np.diff(days.start))
    share[there] = active[there] / (_months(np.array([today]))[0] - month[days.start[there]] + 1)
    return share


def _places(value: Floats) -> Ints:
    """Return how many others lie strictly above each."""
    ascending = np.sort(value)
    return len(value) - np.searchsorted(ascending, value, side="right").astype(np.int64)


def _months(day: Ints) -> Ints:
    return day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
