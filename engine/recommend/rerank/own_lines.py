"""The lines a customer ordered before, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.models.arrays import IntArray, LongArray
from engine.models.query import Query


@dataclass(frozen=True)
class OwnLines:
    """A customer's lines: `items`, oldest first, and the number of the `basket` each lies in."""

    query: Query

    @classmethod
    def of(cls, query: Query) -> OwnLines:
        """Return the lines of a query's baskets."""
        return cls(query)

    @property
    def items(self) -> IntArray:
        """The dishes, one a line."""
        return self.query.items

    @cached_property
    def basket(self) -> LongArray:
        """The basket each line lies in; computed at first use."""
        return np.repeat(np.arange(len(self.query.at)), np.diff(self.query.start))

    def times(self, columns: IntArray) -> LongArray:
        """Return how many baskets hold each of `columns`."""
        return np.asarray((self.items[:, None] == columns[None, :]).sum(axis=0))

    def orders_of(self, column: int) -> LongArray:
        """Return the numbers of the baskets with `column`, ascending."""
        return np.asarray(self.basket[self.items == column])
