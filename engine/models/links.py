"""Rows of a sparse matrix for a few seeds at once, without a matrix product."""

from __future__ import annotations

import numpy as np

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
