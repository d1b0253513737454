"""The arrays that models learn and score with: their types, sparse rows, and how an array is made read-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
Arrays = Mapping[str, npt.NDArray[np.generic]]


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the array contiguous and read-only: of the type that compiled loops see when it is memory-mapped."""
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, slots=True)
class Rows:
    """A sparse matrix by rows: row i holds `values` (float32) at `columns` from start[i] to start[i + 1]."""

    start: LongArray
    columns: IntArray
    values: FloatArray

    @classmethod
    def of(cls, matrix: sparse.csr_array | sparse.csr_matrix) -> Self:
        """Take over a matrix of scipy, its columns in ascending order."""
        matrix.sort_indices()
        kinds = ((matrix.indptr, np.int64), (matrix.indices, np.int32), (matrix.data, np.float32))
        return cls(*(read_only(array.astype(kind, copy=False)) for array, kind in kinds))

    @classmethod
    def none(cls) -> Self:
        """Return a matrix without rows."""
        return cls(np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
