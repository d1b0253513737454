"""Neighbours of every item by the customers who order both."""

from __future__ import annotations

import numpy as np

from engine.models.arrays import FloatArray, IntArray, LongArray
from engine.models.kernels.board_rows import COUNT
from engine.models.kernels.sums import take_touched
from engine.runtime.compiled import compiled


@compiled
def nearest_items(
    start: LongArray,
    items: IntArray,
    values: FloatArray,
    item_start: LongArray,
    customers: IntArray,
    weights: FloatArray,
    most: int,
) -> tuple[LongArray, IntArray, FloatArray]:
    """Return by item the `most` items that its customers share most, of equals the lower, in ascending order.

    Customer c weighs `items` by `values` from start[c] to start[c + 1]; the other three are the same by item.
    """
    n_items = len(item_start) - 1
    total, touched = np.zeros(n_items, np.float64), np.zeros((n_items + 63) // 64, np.uint64)
    columns, added = np.empty(n_items, np.int32), np.empty(n_items, np.float32)
    found, room = np.zeros(n_items + 1, np.int64), n_items * min(most, n_items)
    near, closeness = np.empty(room, np.int32), np.empty(room, np.float32)
    kept = 0
    for item in range(n_items):
        for at in range(item_start[item], item_start[item + 1]):
            customer, weight = customers[at], weights[at]
            for entry in range(start[customer], start[customer + 1]):
                other = items[entry]
                total[other] += weight * values[entry]
                touched[other >> 6] |= np.uint64(1) << np.uint64(other & 63)
        n = take_touched(total, touched, columns, added, 0)
        bound, equals = np.float32(-1), most
        if n > most:
            bound = np.partition(added[:n], n - most)[n - most]
            equals = most - np.sum(added[:n] > bound)
        for at in range(n):
            equal = added[at] == bound
            if added[at] > bound or (equal and equals > 0):
                equals -= equal
                near[kept], closeness[kept] = columns[at], added[at]
                kept += 1
        found[item + 1] = kept
    return found, near[:kept].copy(), closeness[:kept].copy()


@compiled
def log_counts(own: FloatArray, n: int) -> FloatArray:
    """Return (n,) log(1 + baskets) of the first `n` dishes of a board."""
    weights = np.empty(n, dtype=np.float32)
    for row in range(n):
        weights[row] = np.log1p(own[row, COUNT])
    return weights


@compiled
def scale_to_best(parts: FloatArray, n: int, part: int) -> None:
    """Divide a model's scores by the largest of them."""
    best = np.float32(1e-9)
    for row in range(n):
        best = max(best, parts[row, part])
    for row in range(n):
        parts[row, part] /= best
