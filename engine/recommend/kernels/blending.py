"""The best rows of a board by their weighted scores, and what stands in them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.models.arrays import FloatArray, IntArray
from engine.models.kernels.best import best_of, bound_of
from engine.runtime.compiled import compiled


@compiled
def best_rows(
    parts: FloatArray,
    columns: IntArray,
    row_of: IntArray,
    n: int,
    weights: FloatArray,
    mask: npt.NDArray[np.bool_],
    blocked: IntArray,
    most: int,
) -> tuple[IntArray, FloatArray]:
    """Return the (at most `most`) rows that may be shown and blend best over 0, best first, and their scores."""
    values = blend_rows(parts, columns, row_of, n, weights, mask, blocked)
    rows = best_of(values, columns[:n], most, bound_of(values, most))
    scores = np.empty(len(rows), dtype=np.float32)
    for at in range(len(rows)):
        scores[at] = values[rows[at]]
    return rows, scores


@compiled
def take_rows(
    order: IntArray, columns: IntArray, rows: IntArray, scores: FloatArray, parts: FloatArray, table: FloatArray
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Return columns, scores, parts (by row of the board) and table of the places in `order`."""
    n = len(order)
    taken, score = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.float32)
    said, seen = np.empty((n, parts.shape[1]), np.float32), np.empty((n, table.shape[1]), np.float32)
    for at in range(n):
        place = order[at]
        taken[at], score[at] = columns[place], scores[place]
        said[at, :], seen[at, :] = parts[rows[place], :], table[place, :]
    return taken, score, said, seen


@compiled
def blend_rows(
    parts: FloatArray,
    columns: IntArray,
    row_of: IntArray,
    n: int,
    weights: FloatArray,
    mask: npt.NDArray[np.bool_],
    blocked: IntArray,
) -> FloatArray:
    """Return (n,) the weighted sums of what the models say; 0 for what may not be shown."""
    values = np.zeros(n, dtype=np.float32)
    for row in range(n):
        if mask[columns[row]]:
            total = np.float32(0)
            for model in range(len(weights)):
                total += weights[model] * parts[row, model]
            values[row] = total
    for column in blocked:
        if row_of[column] >= 0:
            values[row_of[column]] = 0
    return values
