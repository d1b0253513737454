"""Slots given to new dishes by lot, so that something is ever learned of them; every chance is known and logged.

The lot is a hash of the request's id: who has the id, the list and this file can work every propensity out again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from engine.experiments.assignment import bucket
from engine.models.arrays import FloatArray, IntArray
from engine.recommend.options import ListOptions
from engine.recommend.published.extras import newest
from engine.recommend.request import RankingContext
from engine.recommend.rerank.arrange import Alike
from engine.recommend.rerank.own_lines import OwnLines

MOST_ELIGIBLE = 50
TASTED = 10
# A dish unlike anything the customer ordered keeps this chance beside one just like it.
LEAST_WEIGHT = 0.1


class Slot(NamedTuple):
    """One place of the list: the column, the chance it had to stand here given the slots above, and whether by lot."""

    column: int
    propensity: float
    explored: bool


def eligible(
    context: RankingContext, own: OwnLines, shown: IntArray, alike: Alike | None = None
) -> tuple[IntArray, FloatArray]:
    """Return (columns, weights) of the new dishes that may be drawn: allowed, never ordered by them, not in `shown`.

    New is what fewer than five baskets ever held; what is `alike` to a dish shown is left out. Weights are .1 plus the
    likeness to what the customer ordered last, or tapped.
    """
    extras = context.published.extras
    if extras.together is None:
        return np.empty(0, np.int32), np.empty(0, np.float32)
    everything = np.arange(len(extras.together.baskets), dtype=np.int32)
    columns = everything[newest(everything, extras)]
    columns = columns[context.allowed.let_through(columns)]
    columns = np.setdiff1d(columns, np.concatenate([shown, own.items]))
    weights = np.full(len(columns), LEAST_WEIGHT, dtype=np.float32)
    tasted = np.unique(context.clicked if len(context.clicked) else own.items[-TASTED:])
    if extras.content is not None and len(tasted) and len(columns):
        weights += extras.content.taste(tasted)[columns]
    best = np.lexsort((columns, -weights))
    if alike is not None:
        fine = (n for n in best.tolist() if not any(alike(int(columns[n]), other) for other in shown.tolist()))
        best = np.array(list(islice(fine, MOST_ELIGIBLE)), dtype=np.int64)
    best = best[:MOST_ELIGIBLE]
    return columns[best], weights[best]


def explore(
    columns: Sequence[int],
    drawn: IntArray,
    weights: FloatArray,
    options: ListOptions,
    *,
    seed: str,
    limits: Sequence[tuple[IntArray, int]] = (),
    alike: Alike | None = None,
) -> list[Slot]:
    """Return the list with some slots given to `drawn` by lot; as long as `columns`, of which as many fall out.

    Each slot after the first `explore_after` is given away with one chance, such that `explore_share` of all slots are
    expected to be; the dish is drawn by weight among those not yet shown. `drawn` and `columns` share no dish. `limits`
    are (items) groups (-1: none) and the most of one, which `columns` keep: only dishes beside which the rest of the
    list can keep them are drawn, and the lowest dishes that would break one fall out first. Of dishes that are `alike`
    one is drawn at most.
    """
    length = len(columns)
    open_slots = max(length - options.explore_after, 0)
    chance = min(1.0, options.explore_share * length / open_slots) if open_slots else 0.0
    left = {column: float(weight) for column, weight in zip(drawn.tolist(), weights.tolist(), strict=True)}
    room, rest, slots = _Room(limits), list(columns), list[Slot]()
    for number in range(length):
        fitting = []
        if number >= options.explore_after:
            fine = room.with_which(list(left), rest, length - number - 1)
            fitting = [column for column, fits in zip(left, fine, strict=True) if fits]
        here = chance if fitting else 0.0
        if here and bucket(f"{seed}:{number}:slot", "") < here:
            weight = [left[column] for column in fitting]
            point, total = bucket(f"{seed}:{number}:dish", "") * sum(weight), sum(weight)
            pick = fitting[min(int(np.searchsorted(np.cumsum(weight), point, side="right")), len(fitting) - 1)]
            slots.append(Slot(pick, here * left.pop(pick) / total, explored=True))
            if alike is not None:
                left = {column: each for column, each in left.items() if not alike(pick, column)}
        else:
            pick = next((column for column in rest if room.fits(column)), rest[0])
            slots.append(Slot(pick, 1.0 - here, explored=False))
            rest.remove(pick)
        room.take(pick)
    return slots


class _Room:
    """How many of each group a list holds, beside the most it may."""

    def __init__(self, limits: Sequence[tuple[IntArray, int]]) -> None:
        self._limits = limits
        self._counts: list[Counter[int]] = [Counter() for _ in limits]

    def fits(self, column: int) -> bool:
        return all(
            groups[column] < 0 or count[int(groups[column])] < most
            for (groups, most), count in zip(self._limits, self._counts, strict=True)
        )

    def take(self, column: int, times: int = 1) -> None:
        for (groups, _), count in zip(self._limits, self._counts, strict=True):
            count[int(groups[column])] += times

    def with_which(self, columns: Sequence[int], rest: Sequence[int], wanted: int) -> list[bool]:
        """Say beside which of `columns` the `rest` could still fill `wanted` slots; dishes of the same groups alike."""
        if not self._limits:
            return [True] * len(columns)
        known: dict[tuple[int, ...], bool] = {}
        kinds = [tuple(int(groups[column]) for groups, _ in self._limits) for column in columns]
        for kind, column in zip(kinds, columns, strict=True):
            if kind not in known:
                known[kind] = self.fits(column) and self._fills([column, *rest], wanted + 1)
        return [known[kind] for kind in kinds]

    def _fills(self, columns: Sequence[int], wanted: int) -> bool:
        taken: list[int] = []
        for column in columns:
            if len(taken) == wanted:
                break
            if self.fits(column):
                self.take(column)
                taken.append(column)
        for column in taken:
            self.take(column, -1)
        return len(taken) == wanted
