"""What follows: which items customers ordered in the basket after one with this item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from engine.errors import NoHistory
from engine.models.base import Arrays, Baskets, FloatArray, Query, strongest_link


@dataclass(slots=True)
class NextItem:
    """First-order transitions between consecutive baskets of one customer, summed over her last `last` baskets.

    Row i of the transition matrix is the share of baskets after one with item i that hold item j, the row's counts
    shrunk by `shrink`; an item may follow itself. The newest basket weighs 1, each older one `decay` times less.
    """

    name: str = "next_item"
    last: int = 5
    decay: float = 0.7
    shrink: float = 5.0
    start: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    items: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    share: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))

    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Count transitions; `now` and `rng` are not used.

        Raises NoHistory if there is no basket.
        """
        if not baskets.n_baskets:
            raise NoHistory("no basket to learn from; import orders with items first")
        holds = sparse.csr_array(
            (np.ones(len(baskets.items), np.float32), baskets.items, baskets.basket_start),
            shape=(baskets.n_baskets, baskets.n_items),
        )
        customer = np.repeat(np.arange(baskets.n_customers), np.diff(baskets.customer_start))
        followed = np.flatnonzero(customer[:-1] == customer[1:])
        before, after = holds[followed], holds[followed + 1]
        # Big baskets say less about each pair than small ones: every basket spreads one vote over its items.
        sizes = np.maximum(np.asarray(before.sum(axis=1)).ravel(), 1)
        votes = sparse.diags_array(1 / sizes).tocsr() @ before
        follows = sparse.csr_array(votes.T @ after).astype(np.float32)
        follows.sort_indices()
        total = np.asarray(votes.sum(axis=0)).ravel() + self.shrink
        follows.data /= np.repeat(total, np.diff(follows.indptr)).astype(np.float32)
        self.start, self.items, self.share = (
            follows.indptr.astype(np.int64),
            follows.indices.astype(np.int32),
            follows.data.astype(np.float32),
        )
        return self

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Return (queries, items) float32, 0 where nothing ever followed; a row of NaN for an unknown customer."""
        n_items = len(self.start) - 1
        scores = np.full((len(queries), n_items), np.nan, dtype=np.float32)
        transitions = sparse.csr_array((self.share, self.items, self.start), shape=(n_items, n_items))
        known = [i for i, query in enumerate(queries) if query.baskets]
        if known:
            seeds = _seeds([queries[i] for i in known], n_items, self.last, self.decay)
            scores[known] = (seeds @ transitions).toarray()
        return scores

    def strongest_seed(self, query: Query, column: int) -> int:
        """Return the item of her last baskets that speaks most for `column`; -1 where none does."""
        return strongest_link(self.start, self.items, self.share, query.baskets[-self.last :], column)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the transition matrix and the settings."""
        return {
            "start": self.start,
            "items": self.items,
            "share": self.share,
            "settings": np.array([self.last, self.decay, self.shrink], dtype=np.float64),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        last, decay, shrink = (float(value) for value in arrays["settings"])
        model = cls(last=int(last), decay=decay, shrink=shrink)
        for key in ("start", "items", "share"):
            setattr(model, key, arrays[key])
        return model


def _seeds(queries: Sequence[Query], n_items: int, last: int, decay: float) -> sparse.csr_array:
    """Return (queries, items): the weight each of her last items has as a starting point; rows sum to 1."""
    rows, columns, weights = [], [], []
    for i, query in enumerate(queries):
        recent = query.baskets[-last:]
        for age, basket in enumerate(reversed(recent)):
            rows.append(np.full(len(basket), i))
            columns.append(basket)
            weights.append(np.full(len(basket), decay**age / len(basket), dtype=np.float32))
    seeds = sparse.csr_array(
        (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), shape=(len(queries), n_items)
    )
    totals: FloatArray = np.asarray(seeds.sum(axis=1)).ravel()
    return sparse.csr_array(sparse.diags_array(1 / totals).tocsr() @ seeds)
