"""Which items' factors answer each of many customers' best: exact, in blocks that stay in the processor's cache."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import numpy as np

from engine.models.arrays import FloatArray, IntArray, LongArray
from engine.runtime.compiled import compiled

# Customers a block and items a tile: a block's products with one tile, 256 KB, stay in the second cache.
BLOCK, TILE = 64, 1024
# Values looked at together before any is looked at alone.
STRIDE = 32
NO_ITEM = np.iinfo(np.int32).max
# A bound must hold for products as float32 rounds them, too.
SLACK = np.float32(1.0001)


@dataclass(frozen=True, slots=True)
class Nearest:
    """Items by falling length of their factors, in tiles of (factors, at most 1024); `columns` says which they are.

    `longest` is the greatest length in each tile. No product exceeds the product of both lengths, so whoever has k
    items better than their length times `longest` needs no look at that tile or any later one (Teflioudi et al., 2015).
    """

    columns: IntArray
    tiles: tuple[FloatArray, ...]
    longest: FloatArray

    @classmethod
    def of(cls, factors: FloatArray, columns: IntArray | None = None) -> Self:
        """Arrange `factors` (items, factors); only the items `columns` where given, each at most once."""
        columns = np.arange(len(factors), dtype=np.int32) if columns is None else columns
        chosen = factors[columns]
        length = np.linalg.norm(chosen, axis=1)
        order = np.argsort(-length, kind="stable")
        starts = range(0, len(order), TILE)
        return cls(
            columns[order].astype(np.int32),
            tuple(np.ascontiguousarray(chosen[order[at : at + TILE]].T, dtype=np.float32) for at in starts),
            length[order[::TILE]].astype(np.float32),
        )

    @property
    def n_bytes(self) -> int:
        """Memory it takes."""
        return self.columns.nbytes + sum(tile.nbytes for tile in self.tiles)

    def best(
        self,
        customers: FloatArray,
        k: int,
        *,
        without: tuple[LongArray, IntArray] | None = None,
        threads: int = 1,
    ) -> tuple[IntArray, FloatArray]:
        """Return (customers, k) columns and their products by falling product, of equals the lower column first.

        `customers` is (customers, factors) float32. `without` are (customers + 1) starts and columns: what each must
        not be given. Where fewer than k items are left the rest are -1 and -inf. BLAS must be limited to one thread.
        Any number of threads gives equal bits.
        """
        n = len(customers)
        columns = np.full((n, k), NO_ITEM, dtype=np.int32)
        values = np.full((n, k), -np.inf, dtype=np.float32)
        start, had = (np.zeros(n + 1, np.int64), np.empty(0, np.int32)) if without is None else without
        length = np.linalg.norm(customers, axis=1).astype(np.float32) * SLACK

        def block(at: int) -> None:
            own = slice(at, at + BLOCK)
            vectors, found, kept = customers[own], values[own], columns[own]
            products = np.empty((len(vectors), TILE), dtype=np.float32)
            for number, tile in enumerate(self.tiles):
                # The worst kept lies on top of each heap, -inf until it is full.
                if (found[:, 0] > length[own] * self.longest[number]).all():
                    break
                width = tile.shape[1]
                out = products if width == TILE else np.empty((len(vectors), width), dtype=np.float32)
                np.matmul(vectors, tile, out=out)
                first = number * TILE
                _keep(out, self.columns[first : first + width], start[at : at + len(vectors) + 1], had, found, kept)
            _sort(found, kept)

        blocks = range(0, n, BLOCK)
        if k and threads > 1:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(block, blocks))
        elif k:
            for at in blocks:
                block(at)
        columns[columns == NO_ITEM] = -1
        return columns, values


@compiled
def _keep(
    products: FloatArray, columns: IntArray, start: LongArray, had: IntArray, values: FloatArray, kept: IntArray
) -> None:
    """Let each row's heap of the best take what is better in `products`."""
    for row in range(len(products)):
        own, heap, names = products[row], values[row], kept[row]
        for first in range(0, len(own), STRIDE):
            # Whole strides have a length known beforehand, so that the look for their largest is one of many at once.
            largest = -np.inf
            if first + STRIDE <= len(own):
                part = own[first : first + STRIDE]
                largest = part[0]
                for at in range(1, STRIDE):
                    largest = max(part[at], largest)
                if largest < heap[0]:
                    continue
            for at in range(first, min(first + STRIDE, len(own))):
                if _worse(heap[0], names[0], own[at], columns[at]) and not _has(
                    had, start[row], start[row + 1], columns[at]
                ):
                    _sink(heap, names, len(heap), own[at], columns[at])


@compiled
def _has(columns: IntArray, start: int, end: int, column: int) -> bool:
    for at in range(start, end):  # noqa: SIM110 - a generator is slower compiled
        if columns[at] == column:
            return True
    return False


@compiled
def _worse(value: np.float32, column: int, other: np.float32, other_column: int) -> bool:
    return bool(value < other or (value == other and column > other_column))


@compiled
def _sink(heap: FloatArray, names: IntArray, n: int, value: np.float32, column: int) -> None:
    """Put an item on top of the heap of `n` in place of its worst, and let it sink to where it belongs."""
    place = 0
    while True:
        child = 2 * place + 1
        if child >= n:
            break
        if child + 1 < n and _worse(heap[child + 1], names[child + 1], heap[child], names[child]):
            child += 1
        if not _worse(heap[child], names[child], value, column):
            break
        heap[place], names[place] = heap[child], names[child]
        place = child
    heap[place], names[place] = value, column


@compiled
def _sort(values: FloatArray, kept: IntArray) -> None:
    """Turn each row's heap into a list, best first."""
    for row in range(len(values)):
        heap, names = values[row], kept[row]
        for end in range(len(heap) - 1, 0, -1):
            worst, name = heap[0], names[0]
            _sink(heap, names, end, heap[end], names[end])
            heap[end], names[end] = worst, name
