"""Items bought by the same people: cosine neighbours of what the customer ordered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from engine.errors import NoHistory
from engine.models.arrays import Arrays, FloatArray, IntArray, LongArray, Rows, read_only
from engine.models.base import Neighbours, Recommender, Tunable
from engine.models.baskets import Baskets, user_items
from engine.models.board import Board
from engine.models.kernels.item_knn import log_counts, nearest_items, scale_to_best
from engine.models.query import Query


@dataclass(slots=True)
class ItemKnn(Recommender):
    """Item-to-item cosine over customers (Sarwar et al. 2001), the nearest `neighbours` of each item.

    An item is its own nearest neighbour, so what is ordered often also scores high; counts enter as log(1 + n).
    """

    name: ClassVar[str] = "item_knn"
    default_weight: ClassVar[float] = 0.2
    reason: ClassVar[str] = "people_like_you"
    reason_similar: ClassVar[str] = "same_customers"
    similarity_share: ClassVar[float] = 0.6
    tunables: ClassVar[Mapping[str, Tunable]] = {
        "neighbours": Tunable("Neighbours of a dish.", 5, 400, whole=True, log=True)
    }
    neighbours: int = 100
    links: Rows = field(default_factory=Rows.none)

    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Compute neighbours; `now` and `rng` are not used.

        Raises NoHistory if there is no basket.
        """
        if not baskets.n_baskets:
            raise NoHistory("no basket to learn from; import orders with items first")
        counts = user_items(baskets)
        said = np.log1p(counts.data)
        said /= np.sqrt(np.bincount(counts.indices, said.astype(np.float64) ** 2, baskets.n_items))[counts.indices]
        by_customer = sparse.csr_matrix((said, counts.indices, counts.indptr), shape=counts.shape)
        found = nearest_items(*_parts(by_customer), *_parts(by_customer.T.tocsr()), self.neighbours)
        self.links = Rows(*(read_only(array) for array in found))
        return self

    def propose(self, query: Query, board: Board, part: int, mask: npt.NDArray[np.bool_]) -> None:
        """Write a closeness in (0, 1], the best 1, for what the customer ordered and its neighbours."""
        # Similarity is symmetric but each row keeps only its own nearest: walk outwards from what was ordered.
        seeds = board.own_columns().copy()
        board.add_rows(part, self.links, seeds, log_counts(board.own, board.n_own))
        scale_to_best(board.model_scores, board.n, part)

    def neighbour_links(self) -> Neighbours:
        """Return its links."""
        return Neighbours(self.links, alike=True)

    def similar_items(self, column: int) -> FloatArray:
        """Return (items,) the cosine of each neighbour of `column`, 0 to 1; 0 where it is none."""
        found = np.zeros(len(self.links.start) - 1, dtype=np.float32)
        own = slice(self.links.start[column], self.links.start[column + 1])
        found[self.links.columns[own]] = np.clip(self.links.values[own], 0, 1)
        return found

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


def _parts(matrix: sparse.csr_matrix) -> tuple[LongArray, IntArray, FloatArray]:
    kinds = (matrix.indptr, np.int64), (matrix.indices, np.int32), (matrix.data, np.float32)
    start, columns, values = (read_only(array.astype(kind, copy=False)) for array, kind in kinds)
    return start, columns, values
