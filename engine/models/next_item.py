"""What follows: which items customers ordered in the basket after one with this item."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from engine.compiled import compiled
from engine.errors import NoHistory
from engine.models.base import Arrays, Baskets, FloatArray, LongArray, Query, Recommender
from engine.models.board import Board, Rows


@dataclass(slots=True)
class NextItem(Recommender):
    """First-order transitions between consecutive baskets of one customer, summed over her last `last` baskets.

    Row i of the transition matrix is the share of baskets after one with item i that hold item j, the row's counts
    shrunk by `shrink`; an item may follow itself. The newest basket weighs 1, each older one `decay` times less.
    """

    name: str = "next_item"
    last: int = 5
    decay: float = 0.7
    shrink: float = 5.0
    links: Rows = field(default_factory=Rows.none)

    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Count transitions; `now` and `rng` are not used.

        Raises NoHistory if there is no basket.
        """
        if not baskets.n_baskets:
            raise NoHistory("no basket to learn from; import orders with items first")
        holds = sparse.csr_array(
            (np.ones(len(baskets.items), np.float32), baskets.items, baskets.basket_start),
            shape=(baskets.n_baskets, baskets.n_items),
        )
        customer = np.repeat(np.arange(baskets.n_customers), np.diff(baskets.customer_start))
        followed = np.flatnonzero(customer[:-1] == customer[1:])
        before, after = holds[followed], holds[followed + 1]
        # Big baskets say less about each pair than small ones: every basket spreads one vote over its items.
        sizes = np.maximum(np.asarray(before.sum(axis=1)).ravel(), 1)
        votes = sparse.diags_array(1 / sizes).tocsr() @ before
        follows = sparse.csr_array(votes.T @ after).astype(np.float32)
        total = np.asarray(votes.sum(axis=0)).ravel() + self.shrink
        follows.data /= np.repeat(total, np.diff(follows.indptr)).astype(np.float32)
        self.links = Rows.of(follows)
        return self

    def add(self, query: Query, board: Board, part: int, mask: npt.NDArray[np.bool_]) -> None:
        """Write a share in (0, 1] for every dish that ever followed one of her last baskets."""
        start = query.start[-1 - self.last :]
        board.add_rows(part, self.links, query.items[start[0] :], _seed_weights(start, self.decay))

    def strongest_seed(self, query: Query, column: int) -> int:
        """Return the item of her last baskets that speaks most for `column`; -1 where none does."""
        return self.links.strongest_link(query.items[query.start[-1 - self.last :][0] :], column)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the transition matrix and the settings."""
        return {
            "start": self.links.start,
            "items": self.links.columns,
            "share": self.links.values,
            "settings": np.array([self.last, self.decay, self.shrink], dtype=np.float64),
        }

    @property
    def n_items(self) -> int:
        """How many items it was fitted on."""
        return len(self.links.start) - 1

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        last, decay, shrink = (float(value) for value in arrays["settings"])
        links = Rows(arrays["start"], arrays["items"], arrays["share"])  # type: ignore[arg-type]
        return cls(last=int(last), decay=decay, shrink=shrink, links=links)


@compiled
def _seed_weights(start: LongArray, decay: float) -> FloatArray:
    """Return the weight of every line of these baskets as a starting point; all together sum to 1."""
    weights = np.empty(start[-1] - start[0], dtype=np.float32)
    total, weight = 0.0, 1.0
    for basket in range(len(start) - 2, -1, -1):
        size = start[basket + 1] - start[basket]
        for line in range(start[basket], start[basket + 1]):
            weights[line - start[0]] = weight / size
        total += weight
        weight *= decay
    if total > 0:
        weights /= np.float32(total)
    return weights
