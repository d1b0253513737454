"""The customers most like one, by what both ordered."""

from __future__ import annotations

import numpy as np

from engine.models.arrays import FloatArray, IntArray, LongArray
from engine.models.kernels.best import best_of, bound_of
from engine.models.kernels.board_rows import COUNT
from engine.runtime.compiled import compiled


@compiled
def nearest_customers(
    columns: IntArray,
    own: FloatArray,
    n_own: int,
    start: LongArray,
    holders: IntArray,
    times: FloatArray,
    reach: FloatArray,
    members: IntArray,
    row: int,
    asymmetry: float,
    shrink: np.float32,
    most: int,
    dots: FloatArray,
) -> tuple[IntArray, FloatArray]:
    """Return (at most `most`) the nearest members and their similarities, which sum to 1; `dots` is left zero.

    Of equally near members those with the lower number are kept.
    """
    n, length = 0, 0.0
    for at in range(n_own):
        n += start[columns[at] + 1] - start[columns[at]]
        length += own[at, COUNT] * own[at, COUNT]
    touched = np.empty(n, dtype=np.int32)
    n = 0
    for at in range(n_own):
        for entry in range(start[columns[at]], start[columns[at] + 1]):
            member = holders[entry]
            if dots[member] == 0:
                touched[n] = member
                n += 1
            dots[member] += own[at, COUNT] * times[entry]
    own_reach = np.float32(length**asymmetry)
    near = np.empty(n, dtype=np.float32)
    for at in range(n):
        member = touched[at]
        near[at] = dots[member] / (own_reach * reach[member] + shrink)
        if row >= 0 and members[member] == row:  # nobody is a neighbour of themselves
            near[at] = 0
        dots[member] = 0
    best = best_of(near, touched[:n], most, bound_of(near, most))
    found, weights, total = np.empty(len(best), dtype=np.int32), np.empty(len(best), dtype=np.float32), np.float32(0)
    for at in range(len(best)):
        found[at] = touched[best[at]]
        weights[at] = near[best[at]]
        total += weights[at]
    if total > 0:
        weights /= total
    return found, weights
