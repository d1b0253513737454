"""Items bought by the same people: cosine neighbours of what she ordered."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from threadpoolctl import threadpool_limits

from engine.errors import NoHistory
from engine.models.base import Arrays, Baskets, FloatArray, Query, query_matrix, strongest_link, user_items


@dataclass(slots=True)
class ItemKnn:
    """Item-to-item cosine over customers (Sarwar et al. 2001), the nearest `neighbours` of each item, by implicit.

    An item is its own nearest neighbour, so what she orders often also scores high; her counts count as log(1 + n).
    """

    name: str = "item_knn"
    neighbours: int = 100
    start: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    items: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    similarity: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))

    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Compute neighbours; `now` and `rng` are not used.

        Raises NoHistory if there is no basket.
        """
        from implicit.nearest_neighbours import CosineRecommender  # noqa: PLC0415 - heavy, and only training needs it

        if not baskets.n_baskets:
            raise NoHistory("no basket to learn from; import orders with items first")
        matrix = user_items(baskets)
        matrix.data = np.log1p(matrix.data)
        model = CosineRecommender(K=self.neighbours, num_threads=1)
        with threadpool_limits(1, user_api="blas"), warnings.catch_warnings():
            # implicit transposes to COO itself and then warns about it.
            warnings.filterwarnings("ignore", message="Method expects CSR input")
            model.fit(matrix, show_progress=False)
        similarity = sparse.csr_array(model.similarity)
        similarity.sort_indices()
        self.start = similarity.indptr.astype(np.int64)
        self.items = similarity.indices.astype(np.int32)
        self.similarity = similarity.data.astype(np.float32)
        return self

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Return (queries, items) float32 >= 0, each row's best 1; a row of NaN for an unknown customer."""
        n_items = len(self.start) - 1
        scores = np.full((len(queries), n_items), np.nan, dtype=np.float32)
        known = [i for i, query in enumerate(queries) if query.baskets]
        if known:
            counts = query_matrix([queries[i] for i in known], n_items)
            counts.data = np.log1p(counts.data)
            near = sparse.csr_array((self.similarity, self.items, self.start), shape=(n_items, n_items))
            # Similarity is symmetric but each row keeps only its own nearest: walk from what she ordered outwards.
            dense = (counts @ near).toarray()
            scores[known] = dense / np.maximum(dense.max(axis=1, keepdims=True), 1e-9)
        return scores

    def strongest_seed(self, query: Query, column: int) -> int:
        """Return the item of her baskets that speaks most for `column`; -1 where none does."""
        return strongest_link(self.start, self.items, self.similarity, query.baskets, column)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the neighbour lists."""
        return {"start": self.start, "items": self.items, "similarity": self.similarity}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        return cls(start=arrays["start"], items=arrays["items"], similarity=arrays["similarity"])  # type: ignore[arg-type]
