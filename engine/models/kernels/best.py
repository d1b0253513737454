"""The best of many values: a heap for one list, and a bound that spares sorting."""

from __future__ import annotations

import numpy as np

from engine.models.arrays import FloatArray, IntArray
from engine.runtime.compiled import compiled

# How many of a value's last bits do not count when values are counted: three binary digits after the first are left.
COARSE = 20


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
