"""What goes with all the customer ordered, taken together: one linear model of every dish from all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from engine.errors import NoHistory
from engine.models.arrays import Arrays, Rows
from engine.models.base import Neighbours, Recommender, Tunable
from engine.models.baskets import Baskets, user_items
from engine.models.board import Board
from engine.models.query import Query


@dataclass(slots=True)
class Ease(Recommender):
    """Least squares from what a customer ordered to each dish, no dish explaining itself (Steck 2019, EASE^R).

    Whether a dish was ordered counts, not how often. The solution is closed: from the inverse P of the ridged
    co-occurrence matrix the coefficient of dish i for dish j is -P[i, j] / P[j, j]. The ridge is `ridge` times the mean
    number of customers a dish has: as an absolute figure the best one differs fivefold between menus. Only the `most`
    dishes with most customers take part, for cost grows with their cube, and of each dish's coefficients the `kept`
    largest by size stay, negative ones too.
    """

    name: ClassVar[str] = "ease"
    default_weight: ClassVar[float] = 1.0
    reason: ClassVar[str] = "people_like_you"
    tunables: ClassVar[Mapping[str, Tunable]] = {
        "ridge": Tunable("Pull towards 0, in mean customers of a dish.", 0.5, 200, log=True)
    }
    ridge: float = 10.0
    kept: int = 200
    most: int = 5_000
    links: Rows = field(default_factory=Rows.none)

    @classmethod
    def applies_to(cls, baskets: Baskets | None, *, repeats: bool) -> bool:
        """Return whether nobody orders again: where customers do, it adds nothing to the other models."""
        return not repeats

    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Solve for the coefficients; `now` and `rng` are not used.

        Raises NoHistory if there is no basket.
        """
        if not baskets.n_baskets:
            raise NoHistory("no basket to learn from; import orders with items first")
        counts = user_items(baskets)
        ordered = sparse.csr_array((np.ones_like(counts.data), counts.indices, counts.indptr), shape=counts.shape)
        customers_with = np.bincount(ordered.indices, minlength=baskets.n_items)
        # Of dishes with equally many customers the lower column takes part.
        taking_part = np.sort(np.argsort(-customers_with, kind="stable")[: self.most])
        taking_part = taking_part[customers_with[taking_part] > 0]
        coefficients = _coefficients(ordered[:, taking_part], self.ridge)
        self.links = Rows.of(_largest(coefficients, taking_part, self.kept, baskets.n_items))
        return self

    def propose(self, query: Query, board: Board, part: int, mask: npt.NDArray[np.bool_]) -> None:
        """Write, about 0 to 1, how much each dish is expected to be ordered; below 0 where it is avoided."""
        seeds = board.own_columns().copy()
        board.add_rows(part, self.links, seeds, np.ones(len(seeds), dtype=np.float32))

    def neighbour_links(self) -> Neighbours:
        """Return its links."""
        return Neighbours(self.links)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the coefficients and the settings."""
        return {
            "start": self.links.start,
            "items": self.links.columns,
            "coefficient": self.links.values,
            "settings": np.array([self.ridge, self.kept, self.most], dtype=np.float64),
        }

    @property
    def n_items(self) -> int:
        """How many items it was fitted on."""
        return len(self.links.start) - 1

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        ridge, kept, most = (float(value) for value in arrays["settings"])
        links = Rows(arrays["start"], arrays["items"], arrays["coefficient"])  # type: ignore[arg-type]
        return cls(ridge=ridge, kept=int(kept), most=int(most), links=links)


def _coefficients(ordered: sparse.csr_array, ridge: float) -> npt.NDArray[np.float64]:
    """Return (items, items): what having ordered the row's dish adds for the column's; 0 on the diagonal."""
    gram = (ordered.T @ ordered).toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] += ridge * np.diag(gram).mean()
    inverse = np.linalg.inv(gram)
    inverse /= -np.diag(inverse).copy()
    np.fill_diagonal(inverse, 0)
    return inverse


def _largest(
    coefficients: npt.NDArray[np.float64], numbers: npt.NDArray[np.integer], kept: int, n_items: int
) -> sparse.csr_array:
    """Return (n_items, n_items): of each row the `kept` largest by size, its dishes numbered by `numbers`."""
    n = len(coefficients)
    kept = min(kept, n)
    columns = np.argpartition(-np.abs(coefficients), kept - 1, axis=1)[:, :kept]
    values = np.take_along_axis(coefficients, columns, axis=1).astype(np.float32)
    matrix = sparse.csr_array(
        (values.ravel(), (np.repeat(numbers, kept), numbers[columns.ravel()])), shape=(n_items, n_items)
    )
    matrix.eliminate_zeros()
    return matrix
