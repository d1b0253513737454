"""Baskets by daypart: instants looked up, and one customer's shares at a time of day."""

from __future__ import annotations

import numpy as np

from engine.models.arrays import FloatArray, IntArray, LongArray
from engine.models.kernels.repeat import add_shares
from engine.runtime.compiled import compiled

QUARTER_S = 900


@compiled
def look_up(at: LongArray, first: int, slot_of: LongArray) -> LongArray:
    """Return the slot of each instant; `slot_of` holds one for each quarter of an hour from `first` on."""
    found = np.empty(len(at), np.int64)
    for i in range(len(at)):
        found[i] = slot_of[at[i] // QUARTER_S - first]
    return found


@compiled
def write_shares_at(
    items: IntArray,
    start: LongArray,
    at: LongArray,
    now: int,
    offset_s: int,
    decay: float,
    elsewhen: float,
    part_of_hour: LongArray,
    popularity: FloatArray,
    row_of: IntArray,
    parts: FloatArray,
    part: int,
) -> None:
    """Write the shares of one customer's baskets, those of other dayparts counting `elsewhen`."""
    n_baskets = len(start) - 1
    asked = part_of_hour[(now + offset_s) // 3_600 % 24]
    counts = np.empty(n_baskets, dtype=np.float64)
    total, weight = 0.0, 1.0
    for basket in range(n_baskets - 1, -1, -1):
        then = part_of_hour[(at[basket] + offset_s) // 3_600 % 24]
        counts[basket] = weight if then == asked else weight * elsewhen
        total += counts[basket]
        weight *= decay
    add_shares(items, start, counts / total, popularity, row_of, parts, part)
