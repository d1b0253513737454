"""People like her: what the most similar customers ordered lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from engine.errors import NoHistory
from engine.models.base import Arrays, Baskets, FloatArray, Query, query_matrix, user_items

CHUNK = 128


def _nothing() -> sparse.csr_array:
    return sparse.csr_array(np.zeros((0, 0), dtype=np.float32))


@dataclass(slots=True)
class UserKnn:
    """The `neighbours` customers nearest by asymmetric cosine on full-history counts vote with their last baskets.

    similarity(q, v) = q.v / (|q|^(2 * asymmetry) * |v|^(2 - 2 * asymmetry) + shrink), normalised to sum 1 (Aiolli 2013;
    as in UP-CF, Faggioli et al. 2020). A neighbour votes with her last `last` baskets, each older one `decay` times
    less. At most `pool` customers, the most recently active, can be neighbours: that bounds the cost of a query.
    """

    name: str = "user_knn"
    neighbours: int = 100
    asymmetry: float = 0.75
    shrink: float = 10.0
    last: int = 5
    decay: float = 0.8
    pool: int = 100_000
    members: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    norms: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    # (items, members): who ordered the item how often.
    by_item: sparse.csr_array = field(default_factory=_nothing)
    # (members, items): the votes of each member's last baskets.
    votes: sparse.csr_array = field(default_factory=_nothing)

    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Index the pool; `now` and `rng` are not used.

        Raises NoHistory if there is no basket.
        """
        if not baskets.n_baskets:
            raise NoHistory("no basket to learn from; import orders with items first")
        counts = sparse.csr_array(user_items(baskets))
        active = np.flatnonzero(np.diff(baskets.customer_start))
        newest = baskets.at[baskets.customer_start[active + 1] - 1]
        self.members = np.sort(active[np.argsort(-newest, kind="stable")[: self.pool]]).astype(np.int32)
        pool = counts[self.members]
        self.norms = np.sqrt(np.asarray(pool.multiply(pool).sum(axis=1)).ravel()).astype(np.float32)
        self.by_item = sparse.csr_array(pool.T.tocsr())
        self.votes = self._recent_votes(baskets)
        return self

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Return (queries, items) float32 >= 0: the neighbours' mean vote; a row of NaN for an unknown customer."""
        n_items = self.by_item.shape[0]
        scores = np.full((len(queries), n_items), np.nan, dtype=np.float32)
        known = [i for i, query in enumerate(queries) if query.baskets]
        for first in range(0, len(known), CHUNK):
            rows = known[first : first + CHUNK]
            near = self._nearest([queries[i] for i in rows])
            scores[rows] = (near @ self.votes).toarray()
        return scores

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the pool's index, votes and the settings."""
        settings = [self.neighbours, self.asymmetry, self.shrink, self.last, self.decay, self.pool]
        found: dict[str, npt.NDArray[np.generic]] = {"members": self.members, "norms": self.norms}
        for name, matrix in (("by_item", self.by_item), ("votes", self.votes)):
            found |= {f"{name}_start": matrix.indptr, f"{name}_columns": matrix.indices, f"{name}_values": matrix.data}
        return found | {"settings": np.array(settings, dtype=np.float64)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        neighbours, asymmetry, shrink, last, decay, pool = (float(value) for value in arrays["settings"])
        model = cls(
            neighbours=int(neighbours), asymmetry=asymmetry, shrink=shrink, last=int(last), decay=decay, pool=int(pool)
        )
        model.members, model.norms = arrays["members"], arrays["norms"]  # type: ignore[assignment]
        n_items, n_members = len(arrays["by_item_start"]) - 1, len(model.members)
        for name, shape in (("by_item", (n_items, n_members)), ("votes", (n_members, n_items))):
            parts = (arrays[f"{name}_values"], arrays[f"{name}_columns"], arrays[f"{name}_start"])
            setattr(model, name, sparse.csr_array(parts, shape=shape, copy=False))
        return model

    def _recent_votes(self, baskets: Baskets) -> sparse.csr_array:
        customer = np.repeat(np.arange(baskets.n_customers), np.diff(baskets.customer_start))
        age = baskets.customer_start[customer + 1] - 1 - np.arange(baskets.n_baskets)
        per_basket = np.where(age < self.last, self.decay**age, 0.0).astype(np.float32)
        sizes = np.diff(baskets.basket_start)
        votes = sparse.csr_array(
            (np.repeat(per_basket, sizes), (np.repeat(customer, sizes), baskets.items)),
            shape=(baskets.n_customers, baskets.n_items),
        )
        votes.eliminate_zeros()
        return sparse.csr_array(votes[self.members])

    def _nearest(self, queries: Sequence[Query]) -> sparse.csr_array:
        """Return (queries, members) float32: the nearest members' similarities, each row summing to 1 (or empty)."""
        counts = query_matrix(queries, self.by_item.shape[0])
        norms = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
        dots = sparse.csr_array(counts @ self.by_item)
        kept_rows, kept_columns, kept_values = [], [], []
        for i, query in enumerate(queries):
            own = slice(dots.indptr[i], dots.indptr[i + 1])
            members, dot = dots.indices[own], dots.data[own]
            near = dot / (
                norms[i] ** (2 * self.asymmetry) * self.norms[members] ** (2 - 2 * self.asymmetry) + self.shrink
            )
            if query.row >= 0:  # nobody is her own neighbour
                near = np.where(self.members[members] == query.row, 0.0, near)
            if len(near) > self.neighbours:
                best = np.argpartition(-near, self.neighbours)[: self.neighbours]
                members, near = members[best], near[best]
            total = near.sum()
            if total > 0:
                kept_rows.append(np.full(len(members), i))
                kept_columns.append(members)
                kept_values.append(near / total)
        if not kept_rows:
            return sparse.csr_array(np.zeros((len(queries), len(self.members)), dtype=np.float32))
        return sparse.csr_array(
            (np.concatenate(kept_values).astype(np.float32), (np.concatenate(kept_rows), np.concatenate(kept_columns))),
            shape=(len(queries), len(self.members)),
        )
