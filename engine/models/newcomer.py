"""What suits a customer without an order: what others of their language order, and who brought them here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from engine.errors import NoHistory
from engine.language import LANGUAGES
from engine.models.arrays import Arrays, FloatArray, IntArray, read_only
from engine.models.base import Recommender, Tunable
from engine.models.baskets import Baskets, user_items
from engine.models.board import Board
from engine.models.kernels.popular import weigh_rows
from engine.models.kernels.repeat import basket_shares
from engine.models.kernels.sums import dense_sums
from engine.models.popular import Popular
from engine.models.query import Query


@dataclass(slots=True)
class PopularByLanguage(Popular):
    """Popularity in the zone, times how much more often customers of the same language order the item than others do.

    The factor is (baskets of that language with the item + `evidence`) over (baskets expected by its overall share +
    `evidence`): 1 where there is no evidence for more or less, and for those whose language is unknown. The map is left
    to `Popular`.
    """

    name: ClassVar[str] = "popular_by_language"
    default_weight: ClassVar[float] = 0.05
    scores_everything: ClassVar[bool] = False
    must_earn: ClassVar[bool] = True
    tunables: ClassVar[Mapping[str, Tunable]] = {
        "half_life_days": Tunable("An order counts half after this.", 2, 1000, log=True),
        "evidence": Tunable("Baskets a language needs to count by itself, by dish.", 1, 500, log=True),
    }
    on_map: bool = False
    evidence: float = 10.0
    factors: FloatArray = field(default_factory=lambda: np.ones((len(LANGUAGES), 0), np.float32))

    @classmethod
    def applies_to(cls, baskets: Baskets | None, *, repeats: bool) -> bool:
        """Return whether customers read two languages or more."""
        return baskets is None or len(np.unique(baskets.language[baskets.language >= 0])) > 1

    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Count baskets by item, zone and language.

        Raises NoHistory if there is no basket.
        """
        Popular.fit(self, baskets, now=now, rng=rng)
        self.factors = read_only(self._weighed_by_language(baskets, now))
        return self

    def score_candidates(self, query: Query, board: Board, part: int, rows: IntArray) -> None:
        """Add everywhere's share, then weigh all of it by the language."""
        Popular.score_candidates(self, query, board, part, rows)
        if query.language >= 0:
            weigh_rows(self.factors, query.language, rows, board.columns, board.model_scores, part)

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Return (queries, items) float32: the expected share of the language's baskets with the item."""
        scores = Popular.score(self, queries)
        for i, query in enumerate(queries):
            if query.language >= 0:
                scores[i] *= self.factors[query.language]
        return scores

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return what Popular does, and the factors (languages, items)."""
        return {**Popular.arrays(self), "factors": self.factors}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        model = super(PopularByLanguage, cls).from_arrays(arrays)
        model.factors = arrays["factors"]  # type: ignore[assignment]
        return model

    def _weighed_by_language(self, baskets: Baskets, now: int) -> FloatArray:
        """Return float32 (languages, items)."""
        weight = self._weights(baskets, now)
        n = len(LANGUAGES)
        told = baskets.language if len(baskets.language) else np.full(baskets.n_customers, -1, np.int8)
        # One group more for those of whom nobody knows.
        group = np.repeat(told, np.diff(baskets.customer_start)).astype(np.int64) % (n + 1)
        ordered = dense_sums(group, n + 1, weight, baskets.basket_start, baskets.items, baskets.n_items)[:n]
        placed = np.bincount(group, weights=weight, minlength=n + 1)[:n]
        share = ordered.sum(axis=0) / max(placed.sum(), 1e-9)
        factors = (ordered + self.evidence) / (placed[:, None] * share + self.evidence)
        return np.asarray(factors, dtype=np.float32)


@dataclass(slots=True)
class Referral(Recommender):
    """For a newcomer whom somebody brought: the share of that customer's baskets that hold the item.

    Friends live near each other and eat alike (homophily: McPherson, Smith-Lovin and Cook, 2001). Newer baskets count
    more, as in `Repeat`. Dishes that fewer than `least_customers` ever ordered are left out: they would tell whose
    habits these are. It has no opinion once the customer has ordered.
    """

    name: ClassVar[str] = "referral"
    default_weight: ClassVar[float] = 0.01
    impersonal: ClassVar[bool] = True
    must_earn: ClassVar[bool] = True
    reads_referrers: ClassVar[bool] = True
    reason: ClassVar[str] = "first_order"
    tunables: ClassVar[Mapping[str, Tunable]] = {
        "decay": Tunable("What each older basket counts of the one after it.", 0.5, 1.0),
        "least_customers": Tunable("Customers a dish needs to be passed on.", 2, 1000, log=True),
    }
    decay: float = 0.95
    least_customers: float = 10.0
    customers: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))

    @classmethod
    def applies_to(cls, baskets: Baskets | None, *, repeats: bool) -> bool:
        """Return whether anybody was brought by another customer."""
        return baskets is None or bool((baskets.referrer >= 0).any())

    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Count each item's customers; `now` and `rng` are not used.

        Raises NoHistory if there is no basket.
        """
        if not baskets.n_baskets:
            raise NoHistory("no basket to learn from; import orders with items first")
        counts = np.bincount(user_items(baskets).indices, minlength=baskets.n_items)
        self.customers = read_only(counts.astype(np.float32))
        return self

    def propose(self, query: Query, board: Board, part: int, mask: npt.NDArray[np.bool_]) -> None:
        """Write a share in (0, 1] for the dishes of who brought the customer."""
        other = query.brought_by
        if query.known or other is None:
            return
        baskets = np.repeat(basket_shares(len(other.at), self.decay), np.diff(other.start))
        told = self.customers[other.items] >= self.least_customers
        columns, place = np.unique(other.items[told], return_inverse=True)
        board.add_columns(read_only(columns), mask, len(columns))
        rows = board.row_of[columns]
        # What may not be shown has no row.
        shares = np.bincount(place, weights=baskets[told], minlength=len(columns))
        board.model_scores[rows[rows >= 0], part] = shares[rows >= 0]

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return each item's number of customers, and the settings."""
        settings = np.array([self.decay, self.least_customers], dtype=np.float64)
        return {"customers": self.customers, "settings": settings}

    @property
    def n_items(self) -> int:
        """How many items it was fitted on."""
        return len(self.customers)

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        decay, least = (float(value) for value in arrays["settings"])
        return cls(decay=decay, least_customers=least, customers=arrays["customers"])  # type: ignore[arg-type]
