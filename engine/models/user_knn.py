"""What the most similar customers ordered lately."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from engine.errors import NoHistory
from engine.models.arrays import Arrays, FloatArray, Rows, read_only
from engine.models.base import Recommender, Tunable
from engine.models.baskets import Baskets, user_items
from engine.models.board import Board
from engine.models.kernels.sums import newest_sums
from engine.models.kernels.user_knn import nearest_customers
from engine.models.query import Query


@dataclass(slots=True)
class UserKnn(Recommender):
    """The `neighbours` customers nearest by asymmetric cosine on full-history counts vote with their last baskets.

    similarity(q, v) = q.v / (|q|^(2 * asymmetry) * |v|^(2 - 2 * asymmetry) + shrink), normalised to sum 1 (Aiolli 2013;
    as in UP-CF, Faggioli et al. 2020). A neighbour votes with their last `last` baskets, each older one `decay` times
    less. At most `pool` customers, the most recently active, can be neighbours: that bounds the cost of a query.
    """

    name: ClassVar[str] = "user_knn"
    default_weight: ClassVar[float] = 0.1
    reason: ClassVar[str] = "people_like_you"
    tunables: ClassVar[Mapping[str, Tunable]] = {
        "neighbours": Tunable("Neighbours of a customer.", 10, 500, whole=True, log=True),
        "asymmetry": Tunable("How far the customer's own baskets, not the neighbour's, set the scale.", 0.0, 1.0),
        "shrink": Tunable("Doubt in neighbours with little in common.", 0.1, 100, log=True),
        "last": Tunable("Baskets of a neighbour that vote.", 1, 30, whole=True, log=True),
        "decay": Tunable("What each older basket counts of the one after it.", 0.3, 1.0),
    }
    neighbours: int = 100
    asymmetry: float = 0.75
    shrink: float = 10.0
    last: int = 5
    decay: float = 0.8
    pool: int = 100_000
    members: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    norms: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    # (items, members): who ordered the item how often.
    by_item: Rows = field(default_factory=Rows.none)
    # (members, items): the votes of each member's last baskets.
    votes: Rows = field(default_factory=Rows.none)
    # norms to the power that the similarity wants.
    reach: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))

    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Index the pool; `now` and `rng` are not used.

        Raises NoHistory if there is no basket.
        """
        if not baskets.n_baskets:
            raise NoHistory("no basket to learn from; import orders with items first")
        counts = sparse.csr_array(user_items(baskets))
        active = np.flatnonzero(np.diff(baskets.customer_start))
        newest = baskets.at[baskets.customer_start[active + 1] - 1]
        self.members = read_only(np.sort(active[np.argsort(-newest, kind="stable")[: self.pool]]).astype(np.int32))
        pool = counts[self.members]
        self.norms = np.sqrt(np.asarray(pool.multiply(pool).sum(axis=1)).ravel()).astype(np.float32)
        self._index(Rows.of(pool.T.tocsr()), self._recent_votes(baskets))
        return self

    def propose(self, query: Query, board: Board, part: int, mask: npt.NDArray[np.bool_]) -> None:
        """Write the neighbours' mean vote for every dish that one of them ordered lately."""
        near, weights = nearest_customers(
            board.columns,
            board.own,
            board.n_own,
            self.by_item.start,
            self.by_item.columns,
            self.by_item.values,
            self.reach,
            self.members,
            query.row,
            self.asymmetry,
            np.float32(self.shrink),
            self.neighbours,
            board.spare(self.name, len(self.members)),
        )
        board.add_rows(part, self.votes, near, weights)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the pool's index, votes and the settings."""
        settings = [self.neighbours, self.asymmetry, self.shrink, self.last, self.decay, self.pool]
        found: dict[str, npt.NDArray[np.generic]] = {"members": self.members, "norms": self.norms}
        for name, rows in (("by_item", self.by_item), ("votes", self.votes)):
            found |= {f"{name}_start": rows.start, f"{name}_columns": rows.columns, f"{name}_values": rows.values}
        return found | {"settings": np.array(settings, dtype=np.float64)}

    @property
    def n_items(self) -> int:
        """How many items it was fitted on."""
        return len(self.by_item.start) - 1

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        neighbours, asymmetry, shrink, last, decay, pool = (float(value) for value in arrays["settings"])
        model = cls(
            neighbours=int(neighbours), asymmetry=asymmetry, shrink=shrink, last=int(last), decay=decay, pool=int(pool)
        )
        model.members, model.norms = arrays["members"], arrays["norms"]  # type: ignore[assignment]
        by_item, votes = (
            Rows(arrays[f"{name}_start"], arrays[f"{name}_columns"], arrays[f"{name}_values"])  # type: ignore[arg-type]
            for name in ("by_item", "votes")
        )
        model._index(by_item, votes)
        return model

    def _recent_votes(self, baskets: Baskets) -> Rows:
        """Return (members, items): the weights of each one's last baskets with the item."""
        end = baskets.customer_start[self.members + 1]
        first = np.maximum(baskets.customer_start[self.members], end - self.last)
        by_age = (self.decay ** np.arange(self.last)).astype(np.float32)
        votes = newest_sums(first, end, by_age, baskets.basket_start, baskets.items, baskets.n_items)
        return Rows(*(read_only(array) for array in (votes.start, votes.columns, votes.values)))

    def _index(self, by_item: Rows, votes: Rows) -> None:
        self.by_item, self.votes = by_item, votes
        self.reach = read_only(self.norms ** np.float32(2 - 2 * self.asymmetry))
