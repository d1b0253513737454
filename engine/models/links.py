"""Rows of a sparse matrix for a few seeds at once, without a matrix product."""

from __future__ import annotations

import numpy as np

from engine.compiled import compiled
from engine.models.base import FloatArray, IntArray, LongArray


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

    Of equals the earlier seed is taken.
    """
    found = np.full(len(wanted), -1, dtype=np.int32)
    best = np.zeros(len(wanted), dtype=np.float32)
    for seed in seeds:
        for entry in range(start[seed], start[seed + 1]):
            for at in range(len(wanted)):
                if items[entry] == wanted[at] and seed != wanted[at] and weight[entry] > best[at]:
                    best[at], found[at] = weight[entry], seed
    return found
