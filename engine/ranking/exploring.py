"""Slots given to new dishes by lot, so that something is ever learned of them; every chance is known and logged.

The lot is a hash of the request's id: who has the id, the list and this file can work every propensity out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from engine.experiments.assignment import bucket
from engine.models.base import FloatArray, IntArray
from engine.ranking.extras import newest
from engine.ranking.habits import OwnLines
from engine.ranking.options import ListOptions
from engine.ranking.request import Asking

MOST_ELIGIBLE = 50
TASTED = 10
# A dish unlike anything she ordered keeps this chance beside one just like it.
LEAST_WEIGHT = 0.1


class Slot(NamedTuple):
    """One place of the list: the column, the chance it had to stand here given the slots above, and whether by lot."""

    column: int
    propensity: float
    explored: bool


def eligible(asking: Asking, own: OwnLines, shown: IntArray) -> tuple[IntArray, FloatArray]:
    """Return (columns, weights) of the new dishes that may be drawn: allowed, never ordered by her, not in `shown`.

    New is what fewer than five baskets ever held. Weights are .1 plus the likeness to what she ordered last, or tapped.
    """
    extras = asking.served.extras
    if extras.together is None:
        return np.empty(0, np.int32), np.empty(0, np.float32)
    everything = np.arange(len(extras.together.baskets), dtype=np.int32)
    columns = everything[newest(everything, extras)]
    columns = columns[asking.allowed.let_through(columns)]
    columns = np.setdiff1d(columns, np.concatenate([shown, own.items]))
    weights = np.full(len(columns), LEAST_WEIGHT, dtype=np.float32)
    tasted = np.unique(asking.clicked if len(asking.clicked) else own.items[-TASTED:])
    if extras.content is not None and len(tasted) and len(columns):
        weights += extras.content.taste(tasted)[columns]
    best = np.lexsort((columns, -weights))[:MOST_ELIGIBLE]
    return columns[best], weights[best]


def explore(
    columns: Sequence[int], drawn: IntArray, weights: FloatArray, options: ListOptions, *, seed: str
) -> list[Slot]:
    """Return the list with some slots given to `drawn` by lot; as long as `columns`, which lose their last dishes.

    Each slot after the first `explore_after` is given away with one chance, such that `explore_share` of all slots are
    expected to be; the dish is drawn by weight among those not yet shown. `drawn` and `columns` share no dish.
    """
    limit = len(columns)
    open_slots = max(limit - options.explore_after, 0)
    chance = min(1.0, options.explore_share * limit / open_slots) if open_slots else 0.0
    left, weight = drawn.tolist(), [float(each) for each in weights]
    slots: list[Slot] = []
    at = 0
    for number in range(limit):
        here = chance if number >= options.explore_after and left else 0.0
        if here and bucket(f"{seed}:{number}:slot", "") < here:
            point, total = bucket(f"{seed}:{number}:dish", "") * sum(weight), sum(weight)
            pick = min(int(np.searchsorted(np.cumsum(weight), point, side="right")), len(left) - 1)
            slots.append(Slot(left.pop(pick), here * weight.pop(pick) / total, explored=True))
        else:
            slots.append(Slot(columns[at], 1.0 - here, explored=False))
            at += 1
    return slots
