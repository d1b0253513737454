"""The sum of the leaves each row ends in, tree by tree, many rows at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.models.arrays import FloatArray, LongArray
from engine.runtime.compiled import compiled


@compiled
def sum_leaves(
    table: FloatArray,
    feature: npt.NDArray[np.uint8],
    threshold: FloatArray,
    keep: npt.NDArray[np.signedinteger[Any]],
    start: LongArray,
    leaves: npt.NDArray[np.float64],
    left: npt.NDArray[np.signedinteger[Any]],
    first: npt.NDArray[np.floating[Any]],
    bits: npt.NDArray[np.signedinteger[Any]],
    mantissa: int,
) -> FloatArray:
    """Sum the leaves; `left`, and `first` with its `bits`, are room for as many rows as whole strides hold."""
    columns, high = by_feature(table, len(left))
    total = np.zeros(len(left), dtype=np.float64)
    exponent, bias = (255, 127) if mantissa == 23 else (2047, 1023)
    for tree in range(len(start) - 1):
        left[:] = -1
        for node in range(start[tree], start[tree + 1]):
            bound, by, kept = threshold[node], feature[node], keep[node]
            # Nobody goes right, as where a model was not asked: one look instead of one a row.
            if high[by] <= bound:
                continue
            for row in range(len(left)):
                if columns[by, row] > bound:
                    left[row] &= kept
        # The lowest bit alone is a power of two, and the number of the bit is the exponent of it as a fraction.
        for row in range(len(left)):
            left[row] &= -left[row]
        for row in range(len(left)):
            first[row] = left[row]
        leaf = leaves[tree]
        for row in range(len(left)):
            total[row] += leaf[np.uint32(((bits[row] >> mantissa) & exponent) - bias)]
    return total[: len(table)].astype(np.float32)


@compiled
def by_feature(table: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    """Return (features, size) the table by feature, the last rows filled up, and each feature's greatest value."""
    rows, n = table.shape
    columns, high = np.empty((n, size), np.float32), np.empty(n, np.float32)
    for by in range(n):
        most = table[0, by]
        for row in range(rows):
            columns[by, row] = table[row, by]
            most = max(most, table[row, by])
        columns[by, rows:] = table[0, by]
        high[by] = most
    return columns, high
