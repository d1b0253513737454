"""What the ranker knows of a candidate: what the models say of it, their own history with it, and what it is like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from engine.columns import DAY_S
from engine.models.arrays import Arrays, FloatArray, IntArray, read_only
from engine.models.baskets import Baskets, user_items
from engine.models.board import Board
from engine.models.query import Query
from engine.recommend.kernels.features import FeatureSlot, count_buyers, count_orders, feature_table, item_places

# Smooths shares of dishes that few customers ordered.
PRIOR_BUYERS = 10.0
RECENT_DAYS = 14

ITEM = ("rebuy_rate", "log_buyers", "trend")
# Where the dish is ordered to, and how far from there the customer is.
PLACE = ("latitude", "longitude", "reach_km")


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What each item is like, float32 (items).

    `rebuy_rate` is the share of its buyers who bought it again, `log_buyers` log(1 + buyers), `trend` the log of its
    share of the lines of the last 14 days over its share of all lines. `latitude` and `longitude` are the medians of
    where it was ordered to, and half of those orders lay within `reach_km` of there; NaN where no order says where.
    """

    rebuy_rate: FloatArray
    log_buyers: FloatArray
    trend: FloatArray
    latitude: FloatArray
    longitude: FloatArray
    reach_km: FloatArray

    @classmethod
    def of(cls, baskets: Baskets, *, now: int) -> Self:
        """Compute the facts of a history that ends at `now` (seconds since 1970)."""
        n, counts = baskets.n_items, user_items(baskets)
        buyers, again = count_buyers(counts.indices, counts.data, n)
        since = now - RECENT_DAYS * DAY_S
        overall, recent = count_orders(baskets.basket_start, baskets.items, baskets.at, since, n)
        trend = np.log((recent + 1) / (recent.sum() + n)) - np.log((overall + 1) / (len(baskets.items) + n))
        return cls(
            read_only(((again + 1) / (buyers + PRIOR_BUYERS)).astype(np.float32)),
            read_only(np.log1p(buyers).astype(np.float32)),
            read_only(trend.astype(np.float32)),
            *(
                read_only(places)
                for places in item_places(baskets.basket_start, baskets.items, baskets.latitude, baskets.longitude, n)
            ),
        )

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the facts by name, for the artifact."""
        return {name: getattr(self, name) for name in (*ITEM, *PLACE)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        return cls(*(arrays[name] for name in (*ITEM, *PLACE)))  # type: ignore[arg-type]


def names(models: Sequence[str]) -> list[str]:
    """Return the features' names in order, for models in the given order."""
    scored = [*models, "blend"]
    return [*(f"{name}_score" for name in scored), "blend_rank", *(slot.name.lower() for slot in FeatureSlot)]


def features(board: Board, rows: IntArray, blended: FloatArray, query: Query, facts: ItemFacts) -> FloatArray:
    """Return float32 (rows, features) of the board's `rows`, which stand in the order of `blended`, best first.

    The rank counts from 0. -1 where a figure does not apply: their history with a dish the customer never ordered, the
    habits of a stranger.
    """
    return feature_table(
        board.columns,
        board.model_scores,
        board.own,
        board.n_own,
        rows,
        blended,
        query.start,
        query.at,
        query.here,
        query.now,
        facts.rebuy_rate,
        facts.log_buyers,
        facts.trend,
        query.place.latitude,
        query.place.longitude,
        facts.latitude,
        facts.longitude,
        facts.reach_km,
    )
