"""Orders as compressed rows: what every model learns from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import sparse

from engine.history.dayparts import Dayparts
from engine.models.arrays import FloatArray, IntArray, LongArray
from engine.models.kernels.sums import newest_sums


@dataclass(frozen=True, slots=True)
class Baskets:
    """Orders as compressed rows, sorted by customer, then time.

    `customer_start` (customers + 1) points into baskets, `basket_start` (baskets + 1) into `items`; within a basket
    items are distinct and `quantity` (float32, > 0) is summed. `at` is seconds since 1970 UTC; where a source has only
    the order of baskets it counts days by basket number, so only differences within one customer mean something.
    Times of day are local to `timezone` ("" where they mean nothing) and cut into `dayparts`. `language` (customers)
    int8 points into LANGUAGES and `referrer` (customers) int32 is the row of who brought the customer here, -1 where
    that is unknown; both are empty where no customer has one.
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
    dayparts: Dayparts = Dayparts()
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


def user_items(baskets: Baskets) -> sparse.csr_matrix:
    """Return float32 CSR (customers, items), sorted: how many baskets of each customer hold the item.

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
