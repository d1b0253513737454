"""Weighted draws within groups, many at a time: which dish, given where and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Lottery:
    """Entries sorted by group; `steps` rises from g to g + 1 over group g, so one search draws from any group."""

    values: Ints
    starts: Ints
    steps: Floats

    @classmethod
    def of(cls, groups: Ints, values: Ints, weights: Floats, n_groups: int) -> Self:
        """Build from aligned entries; weights are above 0, and a group may be empty."""
        order = np.argsort(groups, kind="stable")
        groups, values, weights = groups[order], values[order], weights[order]
        starts = np.searchsorted(groups, np.arange(n_groups + 1))
        total = np.concatenate([[0.0], np.cumsum(weights)])
        low = total[starts[groups]]
        width = total[starts[groups + 1]] - low
        return cls(values, starts.astype(np.int64), groups + (total[1:] - low) / width)

    def draw(self, groups: Ints, u: Floats) -> Ints:
        """Return one value for each group and each point `u` in [0, 1); -1 where the group is empty."""
        first, end = self.starts[groups], self.starts[groups + 1]
        at = np.clip(np.searchsorted(self.steps, groups + u, side="right"), first, np.maximum(end - 1, first))
        found: Ints = np.where(end > first, self.values[np.minimum(at, len(self.values) - 1)], -1)
        return found


def draw_column(shares: Floats, u: Floats) -> Ints:
    """Return a column for each row of `shares` (rows, columns), in proportion to the row; `u` in [0, 1) per row."""
    total = np.cumsum(shares, axis=1)
    found: Ints = np.minimum((u[:, None] * total[:, -1:] >= total).sum(axis=1), shares.shape[1] - 1)
    return found
