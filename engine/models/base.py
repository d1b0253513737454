"""What a model is: learns from `Baskets`, scores every item for a batch of `Query`s.

A query carries its own baskets (training history plus whatever happened since), so that a customer known from
training, one known only from this morning's events and one not known at all take the same path.
Rows are customers or queries and columns are items everywhere; `IdMap` owns the outside ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
Arrays = Mapping[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an order goes or comes from; -1 and NaN mean unknown."""

    zone: int = -1
    vendor: int = -1
    latitude: float = float("nan")
    longitude: float = float("nan")


@dataclass(frozen=True, slots=True)
class Baskets:
    """Orders as compressed rows, sorted by customer, then time.

    `customer_start` (customers + 1) points into baskets, `basket_start` (baskets + 1) into `items`; within a basket
    items are distinct and `quantity` (float32, > 0) is summed. `at` is seconds since 1970 UTC; where a source has only
    the order of baskets it counts days by basket number, so only differences within one customer mean something.
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

    `baskets[i]` holds distinct item columns, `at[i]` its instant in seconds, and `here[i]` says whether it went to the
    place she asks from; all empty for an unknown customer.
    """

    baskets: tuple[IntArray, ...]
    at: LongArray
    now: int
    place: Place = Place()
    row: int = -1
    here: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))


class Recommender(Protocol):
    """Scores items for queries from past baskets."""

    name: str

    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Learn from `baskets`; nothing later than `now` is in them.

        Raises NoHistory if there is no basket.
        """
        ...

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Return (queries, items) float32; NaN marks an item the model cannot score, larger is better."""
        ...

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return everything learned as named arrays, for the artifact."""
        ...

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`, memory-mapped or not; nothing is copied that need not be."""
        ...


def user_items(baskets: Baskets) -> sparse.csr_matrix:
    """Return float32 CSR (customers, items): how many of her baskets hold the item."""
    per_customer = baskets.basket_start[baskets.customer_start]
    rows = np.repeat(np.arange(baskets.n_customers), np.diff(per_customer))
    counts = sparse.coo_matrix(
        (np.ones(len(baskets.items), np.float32), (rows, baskets.items)),
        shape=(baskets.n_customers, baskets.n_items),
    )
    # implicit takes the older matrix class; coo -> csr sums repeats and is twice as fast as a group_by.
    return counts.tocsr()


def query_matrix(queries: Sequence[Query], n_items: int) -> sparse.csr_array:
    """Return float32 CSR (queries, items): how many of her baskets hold the item."""
    columns = [basket for query in queries for basket in query.baskets]
    lengths = [sum(len(basket) for basket in query.baskets) for query in queries]
    data = np.concatenate(columns) if columns else np.empty(0, np.int32)
    rows = np.repeat(np.arange(len(queries)), lengths)
    counts = sparse.coo_array((np.ones(len(data), np.float32), (rows, data)), shape=(len(queries), n_items))
    matrix = counts.tocsr()
    matrix.sum_duplicates()
    return matrix


def strongest_link(
    start: LongArray, items: IntArray, weight: FloatArray, baskets: Sequence[IntArray], column: int
) -> int:
    """Return the item of `baskets` whose row of an item-to-item matrix weighs `column` most; -1 where none does."""
    best, found = 0.0, -1
    for item in sorted({int(i) for basket in baskets for i in basket}):
        row = slice(start[item], start[item + 1])
        at = np.flatnonzero(items[row] == column)
        if len(at) and weight[row][at[0]] > best:
            best, found = float(weight[row][at[0]]), item
    return found
