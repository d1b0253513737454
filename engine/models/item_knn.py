"""Items bought by the same people: cosine neighbours of what she ordered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from threadpoolctl import threadpool_limits

from engine.compiled import compiled
from engine.errors import NoHistory
from engine.models.base import Arrays, Baskets, FloatArray, Query, Recommender, user_items
from engine.models.board import COUNT, Board, Rows


@dataclass(slots=True)
class ItemKnn(Recommender):
    """Item-to-item cosine over customers (Sarwar et al. 2001), the nearest `neighbours` of each item, by implicit.

    An item is its own nearest neighbour, so what she orders often also scores high; her counts count as log(1 + n).
    """

    name: str = "item_knn"
    neighbours: int = 100
    links: Rows = field(default_factory=Rows.none)

    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Compute neighbours; `now` and `rng` are not used.

        Raises NoHistory if there is no basket.
        """
        from implicit.nearest_neighbours import (  # noqa: PLC0415 - heavy, and only training needs it
            ItemItemRecommender,
            normalize,
        )

        if not baskets.n_baskets:
            raise NoHistory("no basket to learn from; import orders with items first")
        counts = user_items(baskets)
        matrix = sparse.csr_matrix((np.log1p(counts.data), counts.indices, counts.indptr), shape=counts.shape)
        model = ItemItemRecommender(K=self.neighbours, num_threads=1)
        with threadpool_limits(1, user_api="blas"):
            # What its CosineRecommender does, but by rows: by columns it warns, and warnings cannot be silenced in one
            # of several threads.
            model.fit(normalize(matrix.T).T.tocsr(), show_progress=False)
        self.links = Rows.of(sparse.csr_array(model.similarity))
        return self

    def add(self, query: Query, board: Board, part: int, mask: npt.NDArray[np.bool_]) -> None:
        """Write a closeness in (0, 1], her best 1, for what she ordered and its neighbours."""
        # Similarity is symmetric but each row keeps only its own nearest: walk from what she ordered outwards.
        seeds = board.own_columns().copy()
        board.add_rows(part, self.links, seeds, _log_counts(board.own, board.n_own))
        _to_best(board.parts, board.n, part)

    def strongest_seed(self, query: Query, column: int) -> int:
        """Return the item of her baskets that speaks most for `column`; -1 where none does."""
        return self.links.strongest_link(query.items, column)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the neighbour lists."""
        return {"start": self.links.start, "items": self.links.columns, "similarity": self.links.values}

    @property
    def n_items(self) -> int:
        """How many items it was fitted on."""
        return len(self.links.start) - 1

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        return cls(links=Rows(arrays["start"], arrays["items"], arrays["similarity"]))  # type: ignore[arg-type]


@compiled
def _log_counts(own: FloatArray, n: int) -> FloatArray:
    weights = np.empty(n, dtype=np.float32)
    for row in range(n):
        weights[row] = np.log1p(own[row, COUNT])
    return weights


@compiled
def _to_best(parts: FloatArray, n: int, part: int) -> None:
    best = np.float32(1e-9)
    for row in range(n):
        best = max(best, parts[row, part])
    for row in range(n):
        parts[row, part] /= best
