"""Rows of a sparse matrix for a few seeds at once, without a matrix product."""

from __future__ import annotations

import numpy as np

from engine.models.arrays import FloatArray, IntArray, LongArray
from engine.runtime.compiled import compiled


def links(
    start: LongArray, items: IntArray, weight: FloatArray, seeds: IntArray
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return (seed, item, weight) of every entry in the rows `seeds` of the matrix that `start` and `items` describe.

    Row i holds `weight` at `items` from start[i] to start[i + 1]. All three are empty where the seeds have no entries.
    """
    first = start[seeds]
    lengths = start[seeds + 1] - first
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    at = np.arange(total) + np.repeat(first - ends + lengths, lengths)
    return np.repeat(seeds, lengths).astype(np.int32), np.asarray(items[at]), np.asarray(weight[at])


@compiled
def strongest(start: LongArray, items: IntArray, weight: FloatArray, seeds: IntArray, wanted: IntArray) -> IntArray:
    """Return, for each of `wanted`, the seed whose row weighs it most, -1 where none does; a dish is not its own.

    Nothing is looked for where `wanted` is below 0. Of equals the earlier seed is taken. Within a row items ascend.
    """
    found = np.full(len(wanted), -1, dtype=np.int32)
    for at in range(len(wanted)):
        best, item = np.float32(0), wanted[at]
        if item < 0:
            continue
        for seed in seeds:
            low, high = start[seed], start[seed + 1]
            while low < high:
                middle = (low + high) // 2
                if items[middle] < item:
                    low = middle + 1
                else:
                    high = middle
            if low < start[seed + 1] and items[low] == item and seed != item and weight[low] > best:
                best, found[at] = weight[low], seed
    return found
