"""Shares of one customer's baskets, newer ones counting more."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.models.arrays import FloatArray, IntArray, LongArray
from engine.runtime.compiled import compiled

TIE = 1e-4


@compiled
def basket_shares(n_baskets: int, decay: float) -> npt.NDArray[np.float64]:
    """Return (baskets,) what each counts of all, the newest last, each older one `decay` times the one after it."""
    counts = np.empty(n_baskets, dtype=np.float64)
    total, weight = 0.0, 1.0
    for basket in range(n_baskets - 1, -1, -1):
        counts[basket] = weight
        total += weight
        weight *= decay
    return counts / total


@compiled
def add_shares(
    items: IntArray,
    start: LongArray,
    shares: npt.NDArray[np.float64],
    popularity: FloatArray,
    row_of: IntArray,
    parts: FloatArray,
    part: int,
) -> None:
    """Add to every dish the shares of the baskets that hold it, and once what breaks ties."""
    for basket in range(len(start) - 2, -1, -1):
        for line in range(start[basket], start[basket + 1]):
            row = row_of[items[line]]
            if parts[row, part] == 0:
                parts[row, part] = TIE * popularity[items[line]]
            parts[row, part] += shares[basket]


@compiled
def write_shares(
    items: IntArray,
    start: LongArray,
    decay: float,
    popularity: FloatArray,
    row_of: IntArray,
    parts: FloatArray,
    part: int,
) -> None:
    """Write the share of one customer's baskets that hold each dish, newer ones counting more."""
    add_shares(items, start, basket_shares(len(start) - 1, decay), popularity, row_of, parts, part)
