"""The dishes that pass every hard filter, as a mask over columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from engine.models.arrays import IntArray
from engine.models.query import Query

NO_DISH = np.empty(0, np.int32)


@dataclass(frozen=True, slots=True)
class Allowed:
    """The dishes that pass every hard filter.

    `mask` (items) bool is shared between requests and never written to; of what it lets through only the ascending
    columns `only` count (None: all), without the columns `blocked`.
    """

    mask: npt.NDArray[np.bool_]
    only: IntArray | None
    blocked: IntArray

    @classmethod
    def everything(cls, n_items: int, only: IntArray | None = None) -> Self:
        """Return what lets through all of `n_items`, or of them the ascending columns `only`."""
        return cls(np.ones(n_items, dtype=bool), only, NO_DISH)

    def asked_by(self, query: Query, *, repeats: bool) -> Self:
        """Return the same where customers order dishes again; where nobody `repeats`, without those ordered before."""
        return self if repeats else replace(self, mask=without(self.mask, query.items))

    def as_mask(self) -> npt.NDArray[np.bool_]:
        """Return (items,) bool, a copy: what may be shown."""
        mask = self.mask.copy()
        if self.only is not None:
            asked = np.zeros(len(mask), dtype=bool)
            asked[self.only] = True
            mask &= asked
        mask[self.blocked] = False
        return mask

    def let_through(self, columns: IntArray) -> npt.NDArray[np.bool_]:
        """Return, for each of `columns`, whether it may be shown."""
        fine = self.mask[columns]
        if self.only is not None:
            fine &= np.isin(columns, self.only)
        if len(self.blocked):
            fine &= np.isin(columns, self.blocked, invert=True)
        return fine


def without(mask: npt.NDArray[np.bool_], columns: IntArray) -> npt.NDArray[np.bool_]:
    """Return the mask without `columns`; the same array where there are none."""
    # The customer may have had most of what is popular: out of the mask, models bring what comes after it instead.
    mask = mask.copy()
    mask[columns] = False
    return mask
