"""Where the models write what they say of one customer's dishes: a few hundred rows instead of the whole catalogue.

A dish gets a row when the first model has something to say of it; what no model mentions costs nothing. The board is
scratch space: one a thread, cleared for each customer by undoing only what was written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from engine.runtime.compiled import compiled

if TYPE_CHECKING:
    from engine.models.base import Query

IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
# What is kept of each dish she ordered: baskets with it, number of the first and of the last such basket, how many of
# the newest three, how many that went to the place she asks from.
COUNT, FIRST, LAST, RECENT, HERE = range(5)
RECENT_BASKETS = 3
# How many of a value's last bits do not count when values are counted: three binary digits after the first are left.
COARSE = 20


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
        return cls(*(sealed(array.astype(kind, copy=False)) for array, kind in kinds))

    @classmethod
    def none(cls) -> Self:
        """Return a matrix without rows."""
        return cls(np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))

    def strongest_link(self, seeds: IntArray, column: int) -> int:
        """Return the row among `seeds` that weighs `column` most; -1 where none does, the lower of equals."""
        best, found = 0.0, -1
        for row in np.unique(seeds).tolist():
            own = slice(self.start[row], self.start[row + 1])
            at = int(np.searchsorted(self.columns[own], column))
            if at < own.stop - own.start and self.columns[own][at] == column and self.values[own][at] > best:
                best, found = float(self.values[own][at]), row
        return found


class Board:
    """Rows of dishes and, by model, what it says of each.

    The first `n_own` rows are the dishes she ordered, in the order of her first basket with them, with their figures in
    `own` (rows, 5); `columns` names each row's dish, `parts` (rows, models) holds the scores, 0 where a model says
    nothing. Only the first `n` rows mean anything.
    """

    def __init__(self, n_items: int, n_models: int) -> None:
        self.row_of: IntArray = np.full(n_items, -1, dtype=np.int32)
        self.columns: IntArray = np.empty(n_items, dtype=np.int32)
        self.parts: FloatArray = np.empty((n_items, n_models), dtype=np.float32)
        self.own: FloatArray = np.empty((n_items, 5), dtype=np.float32)
        self.n = 0
        self.n_own = 0
        self._spare: dict[str, FloatArray] = {}

    def start(self, query: Query) -> None:
        """Forget the customer before and write down this one's own dishes."""
        _clear(self.row_of, self.columns, self.n)
        self.n = self.n_own = _own_dishes(
            query.items, query.start, query.here, self.row_of, self.columns, self.parts, self.own
        )

    def spare(self, name: str, size: int) -> FloatArray:
        """Return (size,) zeros for a model's own use; it leaves them zero."""
        if name not in self._spare or len(self._spare[name]) != size:
            self._spare[name] = np.zeros(size, dtype=np.float32)
        return self._spare[name]

    def add_rows(self, part: int, rows: Rows, seeds: IntArray, weights: FloatArray) -> None:
        """Add to `part` the rows `seeds` of a matrix over items, each times its weight."""
        self.n = _add_rows(
            rows.start, rows.columns, rows.values, seeds, weights, part, self.n, self.row_of, self.columns, self.parts
        )

    def add_columns(self, columns: IntArray, mask: npt.NDArray[np.bool_], most: int) -> bool:
        """Give the first `most` of `columns` that `mask` lets through a row, where they have none.

        Returns whether there were as many; columns below 0 are passed over.
        """
        self.n, enough = _add_columns(columns, mask, most, self.n, self.row_of, self.columns, self.parts)
        return enough

    def own_columns(self) -> IntArray:
        """Return the dishes she ordered; a view."""
        return self.columns[: self.n_own]


def sealed(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the array contiguous and read-only, so that it looks to compiled loops as it will when mapped."""
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array


@compiled
def best_of(values: FloatArray, numbers: IntArray, most: int, above: float) -> IntArray:
    """Return the places of the `most` largest values over `above` by falling value; of equals the lower number first.

    A heap of the best so far, its worst on top, so that a long list costs little more than one look at each value.
    """
    heap = np.empty(min(most, len(values)), dtype=np.int32)
    n = 0
    for at in range(len(values)):
        if not values[at] > above:
            continue
        if n < len(heap):
            place = n
            n += 1
            while place > 0 and _worse(values, numbers, at, heap[(place - 1) // 2]):
                heap[place] = heap[(place - 1) // 2]
                place = (place - 1) // 2
            heap[place] = at
        elif n and _worse(values, numbers, heap[0], at):
            _sink(values, numbers, heap, n, at)
    for end in range(n - 1, 0, -1):
        worst, last = heap[0], heap[end]
        _sink(values, numbers, heap, end, last)
        heap[end] = worst
    return heap[:n]


@compiled
def bound_of(values: FloatArray, most: int) -> float:
    """Return a bound (>= 0) that at least `most` of the values exceed, or 0 where fewer exceed 0.

    `best_of` over it finds the same and sorts little else: values are counted by their leading bits first, which for
    numbers above 0 stand in the numbers' own order.
    """
    if len(values) < 2 * most:
        return 0.0
    bits = values.view(np.int32)
    counts = np.zeros(1 << (31 - COARSE), dtype=np.int32)
    for at in range(len(bits)):
        if bits[at] > 0:
            counts[bits[at] >> COARSE] += 1
    found, bucket = 0, len(counts)
    while bucket > 0 and found < most:
        bucket -= 1
        found += counts[bucket]
    if found < most or bucket == 0:
        return 0.0
    bound = np.empty(1, dtype=np.int32)
    bound[0] = (bucket << COARSE) - 1
    return float(bound.view(np.float32)[0])


@compiled
def _worse(values: FloatArray, numbers: IntArray, one: int, other: int) -> bool:
    if values[one] != values[other]:
        return bool(values[one] < values[other])
    return bool(numbers[one] > numbers[other])


@compiled
def _sink(values: FloatArray, numbers: IntArray, heap: IntArray, n: int, at: int) -> None:
    """Put `at` on top of the heap of `n` and let it sink to where it belongs."""
    place = 0
    while True:
        child = 2 * place + 1
        if child >= n:
            break
        if child + 1 < n and _worse(values, numbers, heap[child + 1], heap[child]):
            child += 1
        if not _worse(values, numbers, heap[child], at):
            break
        heap[place] = heap[child]
        place = child
    heap[place] = at


@compiled
def _clear(row_of: IntArray, columns: IntArray, n: int) -> None:
    for row in range(n):
        row_of[columns[row]] = -1


@compiled
def _own_dishes(
    items: IntArray,
    start: LongArray,
    here: npt.NDArray[np.bool_],
    row_of: IntArray,
    columns: IntArray,
    parts: FloatArray,
    own: FloatArray,
) -> int:
    n, n_baskets = 0, len(start) - 1
    for basket in range(n_baskets):
        newer = n_baskets - 1 - basket
        for line in range(start[basket], start[basket + 1]):
            item = items[line]
            row = row_of[item]
            if row < 0:
                row = n
                n += 1
                row_of[item] = row
                columns[row] = item
                parts[row, :] = 0
                own[row, :] = 0
                own[row, FIRST] = basket
            own[row, COUNT] += 1
            own[row, LAST] = basket
            if newer < RECENT_BASKETS:
                own[row, RECENT] += 1
            if here[basket]:
                own[row, HERE] += 1
    return n


@compiled
def _add_rows(
    start: LongArray,
    items: IntArray,
    values: FloatArray,
    seeds: IntArray,
    weights: FloatArray,
    part: int,
    n: int,
    row_of: IntArray,
    columns: IntArray,
    parts: FloatArray,
) -> int:
    for at in range(len(seeds)):
        weight = weights[at]
        for entry in range(start[seeds[at]], start[seeds[at] + 1]):
            item = items[entry]
            row = row_of[item]
            if row < 0:
                row = n
                n += 1
                row_of[item] = row
                columns[row] = item
                parts[row, :] = 0
            parts[row, part] += weight * values[entry]
    return n


@compiled
def _add_columns(
    wanted: IntArray,
    mask: npt.NDArray[np.bool_],
    most: int,
    n: int,
    row_of: IntArray,
    columns: IntArray,
    parts: FloatArray,
) -> tuple[int, bool]:
    found = 0
    for item in wanted:
        if found == most:
            break
        if item < 0 or not mask[item]:
            continue
        found += 1
        if row_of[item] < 0:
            row_of[item] = n
            columns[n] = item
            parts[n, :] = 0
            n += 1
    return n, found == most
