"""One request as models see it: the customer's past baskets, and where and when they ask.

A query carries its own baskets (training history plus whatever happened since), so that a customer known from
training, one known only from this morning's events and one not known at all take the same path.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt

from engine.models.arrays import IntArray, LongArray


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
        """Whether a zone or a place on the map is known."""
        return self.zone >= 0 or self.located


@dataclass(frozen=True, slots=True)
class Query:
    """One request: the customer's past baskets, newest last, and where and when they ask.

    Basket i holds the distinct item columns `items[start[i] : start[i + 1]]`, `at[i]` is its instant in seconds, and
    `here[i]` says whether it went to the place of the request. `start` is [0] and the rest empty for an unknown
    customer. The arrays are read-only. `language` points into LANGUAGES, -1 unknown; `brought_by` holds the baskets of
    who brought a newcomer here, None where nobody did or the customer has ordered since.
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
