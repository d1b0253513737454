"""The factors of customers from their orders and the factors of items."""

from __future__ import annotations

import numpy as np

from engine.models.arrays import FloatArray, IntArray, LongArray
from engine.runtime.compiled import compiled


@compiled
def fold_in_one(
    gram: FloatArray, factors: FloatArray, columns: IntArray, counts: FloatArray, alpha: np.float32
) -> FloatArray:
    """Return x with (gram + sum of (c - 1) f f') x = sum of c f, by Cholesky; c is `alpha` times the count.

    LAPACK takes longer to be called from here than to solve 64 equations. The innermost loops run over slices from
    their first place on: the compiler then knows that no index is negative, and takes several numbers at a time.
    """
    left, n = gram.copy(), len(gram)
    x = np.zeros(n, dtype=np.float32)
    for at in range(len(columns)):
        own = factors[columns[at]]
        confidence = alpha * counts[at]
        for i in range(n):
            x[i] += confidence * own[i]
            scaled = (confidence - np.float32(1)) * own[i]
            row, other = left[i, i:], own[i:]
            for j in range(len(row)):
                row[j] += scaled * other[j]
    # left = U'U, row by row, so that the innermost loops run along memory.
    for k in range(n):
        row = left[k, k:]
        row[0] = np.sqrt(row[0])
        for j in range(1, len(row)):
            row[j] /= row[0]
        for i in range(k + 1, n):
            scaled = left[k, i]
            row, other = left[i, i:], left[k, i:]
            for j in range(len(row)):
                row[j] -= scaled * other[j]
    for i in range(n):
        x[i] /= left[i, i]
        row, rest = left[i, i + 1 :], x[i + 1 :]
        for j in range(len(row)):
            rest[j] -= row[j] * x[i]
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            x[i] -= left[i, j] * x[j]
        x[i] /= left[i, i]
    return x


@compiled
def fold_in_all(
    gram: FloatArray, factors: FloatArray, start: LongArray, columns: IntArray, counts: FloatArray, alpha: np.float32
) -> FloatArray:
    """Return (rows, factors): the vector of each customer; zeros for a row without items."""
    found = np.zeros((len(start) - 1, len(gram)), dtype=np.float32)
    for row in range(len(found)):
        own = slice(start[row], start[row + 1])
        if start[row + 1] > start[row]:
            found[row] = fold_in_one(gram, factors, columns[own], counts[own], alpha)
    return found
