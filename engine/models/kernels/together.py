"""One small system an item: which others explain it in baskets."""

from __future__ import annotations

import numpy as np

from engine.models.arrays import FloatArray, IntArray, LongArray
from engine.models.kernels.best import best_of
from engine.runtime.compiled import compiled


@compiled
def explain_items(
    start: LongArray,
    columns: IntArray,
    counts: FloatArray,
    alone: FloatArray,
    ridge: np.float32,
    first: int,
    end: int,
    others: IntArray,
    values: FloatArray,
) -> None:
    """Explain each dish from `first` to `end` by those nearest to it: write which they are and their coefficients."""
    most = others.shape[1]
    place = np.full(len(alone), -1, dtype=np.int32)
    for dish in range(first, end):
        own, times = columns[start[dish] : start[dish + 1]], counts[start[dish] : start[dish + 1]]
        closeness = np.empty(len(own), dtype=np.float32)
        for at in range(len(own)):
            near = times[at] / np.sqrt(alone[own[at]] * alone[dish])
            closeness[at] = near if own[at] != dish else np.float32(0)
        chosen = np.sort(best_of(closeness, own, most, 0.0))
        n = len(chosen)
        if not n:
            continue
        gram, target = np.zeros((n, n), dtype=np.float32), np.empty(n, dtype=np.float32)
        for at in range(n):
            place[own[chosen[at]]] = at
            target[at] = times[chosen[at]]
        for at in range(n):
            row = own[chosen[at]]
            for entry in range(start[row], start[row + 1]):
                if place[columns[entry]] >= 0:
                    gram[at, place[columns[entry]]] = counts[entry]
            gram[at, at] += ridge
        solved = np.linalg.solve(gram, target)
        for at in range(n):
            others[dish, at], values[dish, at] = own[chosen[at]], solved[at]
            place[own[chosen[at]]] = -1
