"""What follows: which items customers ordered in the basket after one with this item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from engine.errors import NoHistory
from engine.models.arrays import Arrays, FloatArray, LongArray, Rows, read_only
from engine.models.base import Neighbours, Recommender, Tunable
from engine.models.baskets import Baskets
from engine.models.board import Board
from engine.models.kernels.next_item import seed_weights
from engine.models.kernels.sums import transitions
from engine.models.query import Query

NO_ENTRIES = np.empty(0, np.int32), np.empty(0, np.float32)


@dataclass(slots=True)
class NextItem(Recommender):
    """First-order transitions between consecutive baskets of one customer, summed over the last `last` baskets.

    Row i of the transition matrix is the share of baskets after one with item i that hold item j, the row's counts
    shrunk by `shrink`; an item may follow itself. The newest basket weighs 1, each older one `decay` times less.
    """

    name: ClassVar[str] = "next_item"
    default_weight: ClassVar[float] = 0.1
    reason: ClassVar[str] = "people_like_you"
    reason_from_dish: ClassVar[str] = "follows_last"
    tunables: ClassVar[Mapping[str, Tunable]] = {
        "last": Tunable("Last baskets that count.", 1, 20, whole=True),
        "decay": Tunable("What each older basket counts of the one after it.", 0.2, 1.0),
        "shrink": Tunable("Baskets a dish needs to count by itself.", 0.1, 200, log=True),
    }
    last: int = 5
    decay: float = 0.7
    shrink: float = 5.0
    links: Rows = field(default_factory=Rows.none)
    # For one that goes on from this: by item how many votes it had, by customer how many baskets were counted.
    _total: FloatArray = field(default_factory=lambda: np.empty(0, np.float32), repr=False)
    _counted: LongArray = field(default_factory=lambda: np.empty(0, np.int64), repr=False)
    _earlier: NextItem | None = field(default=None, repr=False)

    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Count transitions; `now` and `rng` are not used.

        Raises NoHistory if there is no basket.
        """
        if not baskets.n_baskets:
            raise NoHistory("no basket to learn from; import orders with items first")
        before, self._earlier = self._earlier or NextItem(), None
        total = np.zeros(baskets.n_items, np.float32)
        since, links = baskets.customer_start[:-1], Rows(np.zeros(baskets.n_items + 1, np.int64), *NO_ENTRIES)
        if before._counts_first_of(baskets):
            total, since = before._total, since + before._counted
            links = replace(before.links, values=before.links.values * before._per_row(before._total))
        follows, self._total = transitions(
            baskets.customer_start, baskets.basket_start, baskets.items, since, links, total
        )
        self.links, self._counted = follows, np.diff(baskets.customer_start)
        shares = follows.values / self._per_row(self._total)
        self.links = Rows(read_only(follows.start), read_only(follows.columns), read_only(shares))
        return self

    def warm_start(self, earlier: Recommender) -> None:
        """Let the next `fit` count only what follows the baskets that an earlier one has counted."""
        if isinstance(earlier, NextItem):
            self._earlier = earlier

    def propose(self, query: Query, board: Board, part: int, mask: npt.NDArray[np.bool_]) -> None:
        """Write a share in (0, 1] for every dish that ever followed one of the last baskets."""
        start = query.start[-1 - self.last :]
        board.add_rows(part, self.links, query.items[start[0] :], seed_weights(start, self.decay))

    def neighbour_links(self) -> Neighbours:
        """Return its links."""
        return Neighbours(self.links, self.last)

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

    def _counts_first_of(self, baskets: Baskets) -> bool:
        """Return whether what was counted are the first baskets of the same customers."""
        return (
            len(self._total) == baskets.n_items
            and len(self._counted) == baskets.n_customers
            and bool((self._counted <= np.diff(baskets.customer_start)).all())
        )

    def _per_row(self, total: FloatArray) -> FloatArray:
        """Return (entries,) what each count is divided by to be a share."""
        return np.repeat(total + np.float32(self.shrink), np.diff(self.links.start))

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        last, decay, shrink = (float(value) for value in arrays["settings"])
        links = Rows(arrays["start"], arrays["items"], arrays["share"])  # type: ignore[arg-type]
        return cls(last=int(last), decay=decay, shrink=shrink, links=links)
