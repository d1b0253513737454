"""What goes together in one basket: which dish completes these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from scipy import sparse

from engine.errors import NoHistory
from engine.models.arrays import Arrays, FloatArray, IntArray, LongArray
from engine.models.baskets import Baskets
from engine.models.kernels.links import links
from engine.models.kernels.together import explain_items
from engine.runtime.threads import parallel_map

# Beyond this many dishes a basket is a caterer's, and tells little about what goes with what.
LARGEST_BASKET = 60
# So many dishes are each explained by as many others as asked for; of more, by the nearest 64 only.
SMALL_MENU = 4_000
# Pairs seen together less often are chance.
LEAST_PAIRS = 5
# Menus are cut into as many parts, so that threads end together.
PARTS = 32
FIELDS = ("start", "items", "coefficient", "share", "lift", "baskets")


@dataclass(slots=True)
class Together:
    """Least squares of each dish on the others of its basket: EASE (Steck 2019) on baskets instead of customers.

    Row i holds what dish i in the cart adds to the score of each other dish, negative where they avoid each other (one
    rice is enough), and `share`, of the baskets with i the share that holds the other, which is steadier where there
    are few baskets and counts `plain` times its mean over the cart (benchmarks/addons.py). Each dish is explained by
    its `neighbours` nearest by cosine only (SLIM's sparsity, Ning and Karypis 2011), so that one small system a dish is
    solved instead of one as large as the menu. `lift` is how much more often the two are ordered together than by
    chance, 0 where that was seen in fewer than five baskets; `baskets` (items) counts the baskets with each dish.
    """

    neighbours: int = 200
    ridge: float = 50.0
    plain: float = 0.3
    start: LongArray = field(default_factory=lambda: np.zeros(1, np.int64))
    items: IntArray = field(default_factory=lambda: np.empty(0, np.int32))
    coefficient: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    share: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    lift: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    baskets: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))

    def fit(self, baskets: Baskets) -> Self:
        """Learn from baskets of at least two dishes; without any, nothing goes with anything.

        Raises NoHistory if there is no basket.
        """
        if not baskets.n_baskets:
            raise NoHistory("no basket to learn from; import orders with items first")
        n_items = baskets.n_items
        sizes = np.diff(baskets.basket_start)
        holds = sparse.csr_array(
            (np.ones(len(baskets.items), np.float32), baskets.items, baskets.basket_start),
            shape=(baskets.n_baskets, n_items),
        )
        self.baskets = np.bincount(baskets.items, minlength=n_items).astype(np.float32)
        several = holds[np.flatnonzero((sizes > 1) & (sizes <= LARGEST_BASKET))]
        pairs = sparse.csr_array(several.T @ several)
        pairs.sort_indices()
        alone = np.asarray(pairs.diagonal(), dtype=np.float32)
        rows, columns, values = self._solve(pairs, alone)
        matrix = sparse.csr_array(sparse.coo_array((values, (rows, columns)), shape=(n_items, n_items)))
        matrix.sort_indices()
        self.start, self.items = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)
        self.coefficient = matrix.data.astype(np.float32)
        self._count(pairs, alone, several.shape[0])
        return self

    def score(self, cart: IntArray) -> FloatArray:
        """Return (items,) float32: how well each dish goes with those of `cart`; 0 where nothing is known."""
        _, items, weights = links(self.start, self.items, self.coefficient, cart)
        _, _, shares = links(self.start, self.items, self.share, cart)
        weights = weights + shares * np.float32(self.plain / max(len(cart), 1))
        return np.bincount(items, weights=weights, minlength=len(self.baskets)).astype(np.float32)

    def partners(self, cart: IntArray, columns: IntArray) -> IntArray:
        """Return, for each of `columns`, the dish of the cart it goes with best beyond chance; -1 where none does."""
        seeds, items, lifts = links(self.start, self.items, self.lift, cart)
        found = np.full(len(columns), -1, dtype=np.int32)
        for at, column in enumerate(columns.tolist()):
            mine = np.flatnonzero((items == column) & (lifts > 1))
            if len(mine):
                found[at] = seeds[mine[np.argmax(lifts[mine])]]
        return found

    def arrays(self) -> Arrays:
        """Return everything learned as named arrays, for the artifact."""
        return {name: getattr(self, name) for name in FIELDS}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`, memory-mapped or not."""
        return cls(**{name: arrays[name] for name in FIELDS})  # type: ignore[arg-type]

    def _solve(self, pairs: sparse.csr_array, alone: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
        """Return (explaining dish, explained dish, coefficient) of every system."""
        n_items = len(alone)
        most = self.neighbours if n_items <= SMALL_MENU else min(self.neighbours, 64)
        start, counts = pairs.indptr.astype(np.int64), pairs.data.astype(np.float32)
        others, values = np.full((n_items, most), -1, dtype=np.int32), np.zeros((n_items, most), dtype=np.float32)
        cuts = np.searchsorted(start, np.linspace(0, start[-1], PARTS + 1)).tolist()
        cuts[-1] = n_items

        def solve(part: int) -> None:
            own = range(cuts[part], cuts[part + 1])
            explain_items(
                start, pairs.indices, counts, alone, np.float32(self.ridge), own.start, own.stop, others, values
            )

        parallel_map(solve, range(PARTS))
        explained, place = np.nonzero(others >= 0)
        return others[explained, place], explained.astype(np.int32), values[explained, place]

    def _count(self, pairs: sparse.csr_array, alone: FloatArray, n_baskets: int) -> None:
        """Note share and lift of every stored pair."""
        first = np.repeat(np.arange(len(alone)), np.diff(self.start))
        # Every stored pair is one of `pairs`, both sorted by row and column: their keys line up.
        known = np.repeat(np.arange(len(alone)), np.diff(pairs.indptr)) * len(alone) + pairs.indices
        order = np.argsort(known)
        at = order[np.searchsorted(known, first * len(alone) + self.items, sorter=order)] if len(known) else first[:0]
        counts = pairs.data[at]
        expected = alone[first] * alone[self.items] / max(n_baskets, 1)
        self.share = (counts / np.maximum(alone[first], 1)).astype(np.float32)
        self.lift = np.where(counts >= LEAST_PAIRS, counts / np.maximum(expected, 1e-9), 0).astype(np.float32)
