"""What the ranker knows of a candidate: what the models say of it, her own history with it, and what it is like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from engine.models.base import Arrays, Baskets, FloatArray, IntArray, Query
from engine.ranking.top import top_k

# How many of each model's best are worth a closer look; the blend's list is the longest because it is the best.
CANDIDATES = {"repeat": 80, "user_knn": 120, "next_item": 80, "popular": 50, "trending": 30, "item_knn": 50, "als": 30}
BLEND_CANDIDATES = 150
DAY_S = 86_400
# Smooths shares of dishes that few customers ordered.
PRIOR_BUYERS = 10.0
RECENT_BASKETS = 3
RECENT_DAYS = 14

OWN = (
    "own_count",
    "own_share",
    "baskets_since",
    "days_since",
    "gaps_since",
    "own_recent",
    "own_here",
    "own_here_share",
)
CUSTOMER = ("baskets", "mean_size", "days_since_last", "distinct_share", "baskets_here")
ITEM = ("rebuy_rate", "log_buyers", "trend")


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What each item is like, float32 (items).

    `rebuy_rate` is the share of its buyers who bought it again, `log_buyers` log(1 + buyers), `trend` the log of its
    share of the lines of the last 14 days over its share of all lines.
    """

    rebuy_rate: FloatArray
    log_buyers: FloatArray
    trend: FloatArray

    @classmethod
    def of(cls, baskets: Baskets, *, now: int) -> Self:
        """Compute the facts of a history that ends at `now` (seconds since 1970)."""
        n = baskets.n_items
        sizes = np.diff(baskets.basket_start)
        customer = np.repeat(np.repeat(np.arange(baskets.n_customers), np.diff(baskets.customer_start)), sizes)
        pairs, counts = np.unique(customer.astype(np.int64) * n + baskets.items, return_counts=True)
        buyers = np.bincount(pairs % n, minlength=n)
        again = np.bincount(pairs % n, weights=counts > 1, minlength=n)
        overall = np.bincount(baskets.items, minlength=n)
        newest = np.repeat(baskets.at >= now - RECENT_DAYS * DAY_S, sizes)
        recent = np.bincount(baskets.items[newest], minlength=n)
        trend = np.log((recent + 1) / (newest.sum() + n)) - np.log((overall + 1) / (len(newest) + n))
        return cls(
            ((again + 1) / (buyers + PRIOR_BUYERS)).astype(np.float32),
            np.log1p(buyers).astype(np.float32),
            trend.astype(np.float32),
        )

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the facts by name, for the artifact."""
        return {"rebuy_rate": self.rebuy_rate, "log_buyers": self.log_buyers, "trend": self.trend}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        return cls(*(arrays[name] for name in ITEM))  # type: ignore[arg-type]


def candidates(parts: Mapping[str, FloatArray], blended: FloatArray) -> list[IntArray]:
    """Return, per query, the ascending columns that at least one model or the blend ranks high."""
    best = [top_k(scores, CANDIDATES.get(name, BLEND_CANDIDATES)) for name, scores in parts.items()]
    together = np.concatenate([*best, top_k(blended, BLEND_CANDIDATES)], axis=1)
    found = []
    for row in together:
        columns = np.unique(row)
        found.append(columns[columns >= 0])
    return found


def names(models: list[str]) -> list[str]:
    """Return the features' names in order, for models in the given order."""
    scored = [*models, "blend"]
    return [
        *(f"{name}_score" for name in scored),
        *(f"{name}_rank" for name in scored),
        *OWN,
        *CUSTOMER,
        *ITEM,
    ]


def features(
    parts: Mapping[str, FloatArray], blended: FloatArray, row: int, query: Query, columns: IntArray, facts: ItemFacts
) -> FloatArray:
    """Return float32 (candidates, features) of one query, `row` of the scores; NaN where a figure does not apply."""
    scores = np.stack([*(part[row, columns] for part in parts.values()), blended[row, columns]], axis=1)
    order = np.argsort(-np.nan_to_num(scores, nan=-np.inf), axis=0, kind="stable")
    ranks = np.empty_like(scores)
    np.put_along_axis(ranks, order, np.arange(len(columns), dtype=np.float32)[:, None], axis=0)
    ranks[np.isnan(scores)] = np.nan
    return np.concatenate(
        [
            scores,
            ranks,
            _own(query, columns),
            np.broadcast_to(_customer(query), (len(columns), len(CUSTOMER))),
            np.stack([facts.rebuy_rate[columns], facts.log_buyers[columns], facts.trend[columns]], axis=1),
        ],
        axis=1,
        dtype=np.float32,
    )


def _own(query: Query, columns: IntArray) -> FloatArray:
    """Return (candidates, OWN): her history with each candidate, NaN where she never ordered it."""
    own = np.full((len(columns), len(OWN)), np.nan, dtype=np.float32)
    own[:, 0] = 0
    if not query.baskets or not len(columns):
        return own
    n_baskets = len(query.baskets)
    items = np.concatenate(query.baskets)
    basket = np.repeat(np.arange(n_baskets), [len(b) for b in query.baskets])
    distinct, first_seen, inverse, counts = np.unique(items, return_index=True, return_inverse=True, return_counts=True)
    last_seen = np.zeros(len(distinct), dtype=np.int64)
    np.maximum.at(last_seen, inverse, basket)
    at = np.minimum(np.searchsorted(distinct, columns), len(distinct) - 1)
    known = distinct[at] == columns
    at = at[known]
    count, first, last = counts[at], basket[first_seen[at]], last_seen[at]
    days = (query.now - query.at[last]) / DAY_S
    gap = np.where(count > 1, (query.at[last] - query.at[first]) / DAY_S / np.maximum(count - 1, 1), np.nan)
    recent = np.bincount(inverse[basket >= n_baskets - RECENT_BASKETS], minlength=len(distinct))[at]
    went = int(query.here.sum())
    here = np.bincount(inverse[query.here[basket]], minlength=len(distinct))[at] if went else np.zeros(len(at))
    share_here = here / went if went else np.full(len(at), np.nan)
    own[known] = np.stack(
        [count, count / n_baskets, n_baskets - last, days, days / np.maximum(gap, 0.5), recent, here, share_here],
        axis=1,
    )
    return own


def _customer(query: Query) -> FloatArray:
    """Return (CUSTOMER,): her habits, the same for every candidate."""
    if not query.baskets:
        return np.array([0, np.nan, np.nan, np.nan, 0], dtype=np.float32)
    items = np.concatenate(query.baskets)
    return np.array(
        [
            len(query.baskets),
            len(items) / len(query.baskets),
            (query.now - query.at[-1]) / DAY_S,
            len(np.unique(items)) / len(items),
            query.here.sum(),
        ],
        dtype=np.float32,
    )
