"""What this customer orders again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt

from engine.errors import NoHistory
from engine.models.base import Arrays, Baskets, FloatArray, Query

TIE = 1e-4


@dataclass(slots=True)
class Repeat:
    """Share of the customer's own baskets that hold the item, newer baskets counting more.

    The newest basket weighs 1, the one before `decay`, then `decay`^2. Ties go to what is more popular overall, which
    is worth 1.5 points of recall on Ta-Feng against ties by id. Items never ordered by her are NaN.
    """

    name: str = "repeat"
    decay: float = 0.95
    popularity: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))

    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Keep overall popularity, which breaks ties; `now` and `rng` are not used.

        Raises NoHistory if there is no basket.
        """
        if not baskets.n_baskets:
            raise NoHistory("no basket to learn from; import orders with items first")
        counts = np.bincount(baskets.items, minlength=baskets.n_items)
        self.popularity = (counts / counts.max()).astype(np.float32)
        return self

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Return (queries, items) float32 in (0, 1]; NaN where she never ordered the item."""
        scores = np.full((len(queries), len(self.popularity)), np.nan, dtype=np.float32)
        for i, query in enumerate(queries):
            if not query.baskets:
                continue
            columns, weights = own_weights(query, self.decay)
            scores[i, columns] = weights + TIE * self.popularity[columns]
        return scores

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the tie-breaking popularity and the decay."""
        return {"popularity": self.popularity, "settings": np.array([self.decay], dtype=np.float64)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        return cls(decay=float(arrays["settings"][0]), popularity=arrays["popularity"])  # type: ignore[arg-type]


def own_weights(query: Query, decay: float) -> tuple[npt.NDArray[np.int32], FloatArray]:
    """Return (items she ordered, their weighted share of her baskets); shares are in (0, 1]."""
    sizes = [len(basket) for basket in query.baskets]
    per_basket = (decay ** np.arange(len(sizes) - 1, -1, -1)).astype(np.float32)
    lines = np.repeat(per_basket, sizes)
    columns, at = np.unique(np.concatenate(query.baskets), return_inverse=True)
    weights = np.bincount(at, weights=lines, minlength=len(columns)) / per_basket.sum()
    return columns.astype(np.int32), weights.astype(np.float32)
