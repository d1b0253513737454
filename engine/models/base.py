"""What a model is: learns from `Baskets`, scores every item for a batch of `Query`s.

A query carries its own baskets (training history plus whatever happened since), so that a customer known from
training, one known only from this morning's events and one not known at all take the same path.
Rows are customers or queries and columns are items everywhere; `IdMap` owns the outside ids.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from engine.models.board import Board, FloatArray, IntArray, LongArray
from engine.models.kernels.sums import newest_sums
from engine.models.kernels.top import top_k

__all__ = [
    "Arrays", "Baskets", "FloatArray", "IntArray", "LongArray", "Place", "Query", "Recommender", "user_items",
]  # fmt: skip
Arrays = Mapping[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an order goes or comes from; -1 and NaN mean unknown."""

    zone: int = -1
    vendor: int = -1
    latitude: float = float("nan")
    longitude: float = float("nan")

    @property
    def located(self) -> bool:
        """Whether it is on the map."""
        return math.isfinite(self.latitude) and math.isfinite(self.longitude)

    @property
    def told(self) -> bool:
        """Whether it says where: a zone, or a place on the map."""
        return self.zone >= 0 or self.located


@dataclass(frozen=True, slots=True)
class Baskets:
    """Orders as compressed rows, sorted by customer, then time.

    `customer_start` (customers + 1) points into baskets, `basket_start` (baskets + 1) into `items`; within a basket
    items are distinct and `quantity` (float32, > 0) is summed. `at` is seconds since 1970 UTC; where a source has only
    the order of baskets it counts days by basket number, so only differences within one customer mean something.
    Times of day are local to `timezone`; "" where they mean nothing. `language` (customers) int8 points into LANGUAGES
    and `referrer` (customers) int32 is the row of who brought her here, -1 where that is unknown; both empty where
    nobody says.
    """

    customer_start: LongArray
    basket_start: LongArray
    items: IntArray
    quantity: FloatArray
    at: LongArray
    zone: IntArray
    vendor: IntArray
    latitude: FloatArray
    longitude: FloatArray
    n_items: int
    timezone: str = ""
    language: npt.NDArray[np.int8] = field(default_factory=lambda: np.empty(0, np.int8))
    referrer: IntArray = field(default_factory=lambda: np.empty(0, np.int32))
    # What several models count alike is counted once, and stays here under a name of its own; not to be changed.
    shared: dict[object, object] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def n_customers(self) -> int:
        """How many customers, those without an order included."""
        return len(self.customer_start) - 1

    @property
    def n_baskets(self) -> int:
        """How many baskets."""
        return len(self.basket_start) - 1


@dataclass(frozen=True, slots=True)
class Query:
    """One request: the customer's past baskets, newest last, and where and when she asks.

    Basket i holds the distinct item columns `items[start[i] : start[i + 1]]`, `at[i]` is its instant in seconds, and
    `here[i]` says whether it went to the place she asks from. `start` is [0] and the rest empty for an unknown
    customer. The arrays are read-only. `language` points into LANGUAGES, -1 unknown; `brought_by` holds the baskets of
    who brought a newcomer here, None where nobody did or she has ordered herself.
    """

    items: IntArray
    start: LongArray
    at: LongArray
    now: int
    place: Place = Place()
    row: int = -1
    here: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    language: int = -1
    brought_by: Query | None = None

    def __post_init__(self) -> None:
        """Seal the arrays; compiled loops then see one kind of array, mapped or not."""
        for array in (self.items, self.start, self.at, self.here):
            array.setflags(write=False)

    @classmethod
    def of(
        cls,
        baskets: Sequence[IntArray],
        at: LongArray,
        now: int,
        place: Place = Place(),
        row: int = -1,
        here: npt.NDArray[np.bool_] | None = None,
    ) -> Self:
        """Return the query of somebody with these baskets; `here` None means that none went to the place."""
        start = np.zeros(len(baskets) + 1, dtype=np.int64)
        np.cumsum([len(basket) for basket in baskets], out=start[1:])
        items = np.concatenate(baskets).astype(np.int32) if baskets else np.empty(0, np.int32)
        return cls(items, start, at, now, place, row, np.zeros(len(baskets), dtype=bool) if here is None else here)

    @property
    def known(self) -> bool:
        """Whether there is any basket."""
        return len(self.start) > 1

    @property
    def baskets(self) -> tuple[IntArray, ...]:
        """The item columns of each basket, oldest first."""
        return tuple(self.items[a:b] for a, b in pairwise(self.start.tolist()))


class Recommender(ABC):
    """Says which items suit a query, from past baskets."""

    name: str
    # Whether `fill` is worth waiting until the candidates are known.
    costly = False

    @abstractmethod
    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Learn from `baskets`; nothing later than `now` is in them.

        Raises NoHistory if there is no basket.
        """

    def go_on_from(self, earlier: Recommender) -> None:  # noqa: B027 - most learn from nothing each time
        """Let the next `fit` start from `earlier`, of the same kind, fitted on the first baskets of each customer."""

    @abstractmethod
    def add(self, query: Query, board: Board, part: int, mask: npt.NDArray[np.bool_]) -> None:
        """Write into `part` of the board what the model says, larger is better, 0 nothing.

        `board` holds the customer's own dishes already. A model that could speak of every item only gives rows to the
        best that `mask` (items) lets through, and speaks in `fill`.
        """

    def fill(self, query: Query, board: Board, part: int, rows: IntArray) -> None:  # noqa: B027 - most have nothing to add
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
            self.add(query, board, 0, mask)
            said = board.parts[: board.n, 0] != 0
            scores[i, board.columns[: board.n][said]] = board.parts[: board.n, 0][said]
        return scores


def user_items(baskets: Baskets) -> sparse.csr_matrix:
    """Return float32 CSR (customers, items), sorted: how many of her baskets hold the item.

    Counted once and shared by whoever asks again: not to be changed.
    """
    counts = baskets.shared.get(user_items)
    if not isinstance(counts, sparse.csr_matrix):
        first, end = baskets.customer_start[:-1], baskets.customer_start[1:]
        found = newest_sums(first, end, np.ones(1, np.float32), baskets.basket_start, baskets.items, baskets.n_items)
        # implicit takes the older matrix class.
        shape = baskets.n_customers, baskets.n_items
        counts = sparse.csr_matrix((found.values, found.columns, found.start), shape=shape)
        counts.has_canonical_format = True
        for array in (counts.data, counts.indices, counts.indptr):
            array.setflags(write=False)
        baskets.shared[user_items] = counts
    return counts
