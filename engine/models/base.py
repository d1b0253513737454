"""What a model is: learns from `Baskets`, scores every item for a batch of `Query`s.

Rows are customers or queries and columns are items everywhere; `IdMap` owns the outside ids.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

from engine.models.arrays import Arrays, FloatArray, IntArray, Rows
from engine.models.baskets import Baskets
from engine.models.board import Board
from engine.models.kernels.top import top_k
from engine.models.query import Query


@dataclass(frozen=True, slots=True)
class Tunable:
    """One setting of a model: what it means and from `low` to `high` what it may be; `log`: its size is what counts."""

    about: str
    low: float
    high: float
    whole: bool = False
    log: bool = False


class Neighbours(NamedTuple):
    """What a model recommends by: for each dish ordered the dishes linked to it, and how many last baskets count.

    `links` is a matrix (items, items); `last_baskets` 0 means all of them. `alike`: linked dishes are like each other,
    so that a look at one counts for the other too.
    """

    links: Rows
    last_baskets: int = 0
    alike: bool = False


class Opinion(NamedTuple):
    """From which score on a model is named as the reason, and whether it knows the place of the query."""

    least: float
    nearby: bool = False


class HasFactors(Protocol):
    """A model that scores by the product of a customer's factors with an item's."""

    item_factors: FloatArray

    def fold_in_all(self, counts: Rows) -> FloatArray:
        """Return (customers, factors) of the customers whose counts are the rows of `counts`."""
        ...


class Recommender(ABC):
    """A model that scores the items for a query, from past baskets.

    The class variables are all that others know of a model: `name`; its `default_weight` where none can be learned;
    `impersonal`: it can score for customers without an order; `scores_everything`: every dish, so that nothing ties;
    `must_earn`: its weight for newcomers may be dropped to 0; `tunables` by setting; `reason` the code of the sentence
    that is true of what it brings, `reason_nearby` where it knows the place, `reason_from_dish` where one ordered dish
    explains it; `scores_candidates_only`: `score_candidates` waits until the candidates are known;
    `reads_referrers`: who brought a newcomer changes its scores; `similarity_share`: its share where models together
    find similar dishes, `reason_similar` the code of why such a one is.
    """

    name: ClassVar[str]
    default_weight: ClassVar[float] = 0.0
    impersonal: ClassVar[bool] = False
    scores_everything: ClassVar[bool] = False
    scores_candidates_only: ClassVar[bool] = False
    must_earn: ClassVar[bool] = False
    reads_referrers: ClassVar[bool] = False
    tunables: ClassVar[Mapping[str, Tunable]] = MappingProxyType({})
    reason: ClassVar[str] = "offered"
    reason_nearby: ClassVar[str | None] = None
    reason_from_dish: ClassVar[str] = "because_you_ordered"
    reason_similar: ClassVar[str] = "similar_to"
    similarity_share: ClassVar[float] = 0.0

    @classmethod
    def applies_to(cls, baskets: Baskets | None, *, repeats: bool) -> bool:
        """Return whether there is anything to learn in `baskets` (None: unknown yet); `repeats`: customers reorder."""
        return True

    def neighbour_links(self) -> Neighbours | None:
        """Return the links by which it recommends; None where it has none."""
        return None

    def opinion(self, query: Query) -> Opinion | None:
        """Return what its score must reach to be a reason; None where any score is one."""
        return None

    def factors_of(self) -> HasFactors | None:
        """Return the model as one of factors; None where it is none."""
        return None

    def similar_items(self, column: int) -> FloatArray | None:
        """Return (items,) how like the dish each other is, 0 to 1; None where it cannot tell."""
        return None

    @abstractmethod
    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Learn from `baskets`; nothing later than `now` is in them.

        Raises NoHistory if there is no basket.
        """

    def warm_start(self, earlier: Recommender) -> None:  # noqa: B027 - most learn from nothing each time
        """Let the next `fit` start from `earlier`, of the same kind, fitted on the first baskets of each customer."""

    @abstractmethod
    def propose(self, query: Query, board: Board, part: int, mask: npt.NDArray[np.bool_]) -> None:
        """Write into `part` of the board the scores of the model, larger is better, 0 no opinion.

        `board` holds the customer's own dishes already. A model that could score every item only gives rows to the
        best that `mask` (items) lets through, and scores them in `score_candidates`.
        """

    def score_candidates(self, query: Query, board: Board, part: int, rows: IntArray) -> None:  # noqa: B027 - most have nothing to add
        """Write into `part` of `rows` the scores of dishes that other models proposed; nothing unless overridden."""

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
        """Return (queries, k) columns of the largest scores, best first; -1 where fewer are scored."""
        return top_k(self.score(queries), k)

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Return (queries, items) float32 of every item; NaN marks an item without a score."""
        scores = np.full((len(queries), self.n_items), np.nan, dtype=np.float32)
        board, mask = Board(self.n_items, 1), np.ones(self.n_items, dtype=bool)
        for i, query in enumerate(queries):
            board.start(query)
            self.propose(query, board, 0, mask)
            said = board.model_scores[: board.n, 0] != 0
            scores[i, board.columns[: board.n][said]] = board.model_scores[: board.n, 0][said]
        return scores
