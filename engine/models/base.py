"""What a model is: learns from `Baskets`, scores every item for a batch of `Query`s.

Rows are customers or queries and columns are items everywhere; `IdMap` owns the outside ids.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from engine.models.arrays import Arrays, FloatArray, IntArray
from engine.models.baskets import Baskets
from engine.models.board import Board
from engine.models.kernels.top import top_k
from engine.models.query import Query


class Recommender(ABC):
    """Says which items suit a query, from past baskets."""

    name: str
    # Whether `fill` is worth waiting until the candidates are known.
    scores_candidates_only = False

    @abstractmethod
    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Learn from `baskets`; nothing later than `now` is in them.

        Raises NoHistory if there is no basket.
        """

    def warm_start(self, earlier: Recommender) -> None:  # noqa: B027 - most learn from nothing each time
        """Let the next `fit` start from `earlier`, of the same kind, fitted on the first baskets of each customer."""

    @abstractmethod
    def propose(self, query: Query, board: Board, part: int, mask: npt.NDArray[np.bool_]) -> None:
        """Write into `part` of the board what the model says, larger is better, 0 nothing.

        `board` holds the customer's own dishes already. A model that could speak of every item only gives rows to the
        best that `mask` (items) lets through, and speaks in `fill`.
        """

    def score_candidates(self, query: Query, board: Board, part: int, rows: IntArray) -> None:  # noqa: B027 - most have nothing to add
        """Write into `part` of `rows` what the model says of dishes that others brought; nothing unless overridden."""

    @abstractmethod
    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return everything learned as named arrays, for the artifact."""

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`, memory-mapped or not; nothing is copied that need not be."""

    @property
    @abstractmethod
    def n_items(self) -> int:
        """How many items it was fitted on."""

    def best(self, queries: Sequence[Query], k: int) -> IntArray:
        """Return (queries, k) columns of what the model says most of, best first; -1 where it speaks of fewer."""
        return top_k(self.score(queries), k)

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Return (queries, items) float32 of every item; NaN marks an item the model says nothing of."""
        scores = np.full((len(queries), self.n_items), np.nan, dtype=np.float32)
        board, mask = Board(self.n_items, 1), np.ones(self.n_items, dtype=bool)
        for i, query in enumerate(queries):
            board.start(query)
            self.propose(query, board, 0, mask)
            said = board.model_scores[: board.n, 0] != 0
            scores[i, board.columns[: board.n][said]] = board.model_scores[: board.n, 0][said]
        return scores
