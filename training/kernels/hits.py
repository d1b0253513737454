"""What was ordered among what was shown, and among what was ordered before."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.models.arrays import IntArray, LongArray
from engine.runtime.compiled import compiled


@compiled
def among(columns: npt.NDArray[np.int32], truth: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Say of each of `columns` whether it is among `truth`."""
    # A basket holds a few dishes: looking at all of them is quicker than sorting anything.
    found = np.zeros(len(columns), dtype=np.bool_)
    for at in range(len(columns)):
        for item in truth:
            if columns[at] == item:
                found[at] = True
    return found


@compiled
def among_by_target(
    start: LongArray, items: IntArray, other_start: LongArray, others: IntArray
) -> npt.NDArray[np.bool_]:
    """Say of each of `items` whether it is among the `others` of the same target; each has its own part of both."""
    found = np.zeros(len(items), dtype=np.bool_)
    for target in range(len(start) - 1):
        for at in range(start[target], start[target + 1]):
            for other in others[other_start[target] : other_start[target + 1]]:
                if other == items[at]:
                    found[at] = True
                    break
    return found


@compiled
def hits_of(
    ranked: IntArray, start: LongArray, items: IntArray, again: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], LongArray]:
    """Return (targets, k) whether the dish was ordered, (targets,) how many such dishes the customer had had before."""
    hits, hits_again = np.zeros(ranked.shape, dtype=np.bool_), np.zeros(len(ranked), dtype=np.int64)
    for target in range(len(ranked)):
        for place in range(ranked.shape[1]):
            for at in range(start[target], start[target + 1]):
                # -1 stands for no dish at all, and was not ordered.
                if items[at] == ranked[target, place]:
                    hits[target, place] = True
                    hits_again[target] += again[at]
    return hits, hits_again
