"""What the ranker knows of a candidate: what the models say of it, her own history with it, and what it is like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.compiled import compiled
from engine.models.base import Arrays, Baskets, Query, user_items
from engine.models.board import COUNT, FIRST, HERE, LAST, RECENT, Board, FloatArray, IntArray, LongArray, sealed

DAY_S = 86_400
# Smooths shares of dishes that few customers ordered.
PRIOR_BUYERS = 10.0
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
# Where the dish is ordered to, and how far from there she is.
PLACE = ("latitude", "longitude", "reach_km")
NEAR = ("distance_km", "distance_share")
KM_PER_DEGREE = 111.2
LEAST_REACH_KM = 0.3


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
        n = baskets.n_items
        sizes = np.diff(baskets.basket_start)
        counts = user_items(baskets)
        buyers = np.bincount(counts.indices, minlength=n)
        again = np.bincount(counts.indices, weights=counts.data > 1, minlength=n)
        overall = np.bincount(baskets.items, minlength=n)
        newest = np.repeat(baskets.at >= now - RECENT_DAYS * DAY_S, sizes)
        recent = np.bincount(baskets.items[newest], minlength=n)
        trend = np.log((recent + 1) / (newest.sum() + n)) - np.log((overall + 1) / (len(newest) + n))
        return cls(
            sealed(((again + 1) / (buyers + PRIOR_BUYERS)).astype(np.float32)),
            sealed(np.log1p(buyers).astype(np.float32)),
            sealed(trend.astype(np.float32)),
            *_places(baskets, sizes),
        )

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the facts by name, for the artifact."""
        return {name: getattr(self, name) for name in (*ITEM, *PLACE)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        return cls(*(arrays[name] for name in (*ITEM, *PLACE)))  # type: ignore[arg-type]


def _places(baskets: Baskets, sizes: LongArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return float32 (items) latitude, longitude and reach of each item's orders."""
    found = np.full((3, baskets.n_items), np.nan, dtype=np.float32)
    lines = pl.DataFrame(
        {
            "item": baskets.items,
            "latitude": np.repeat(baskets.latitude, sizes),
            "longitude": np.repeat(baskets.longitude, sizes),
        }
    ).filter(pl.col("latitude").is_finite(), pl.col("longitude").is_finite())
    if lines.height:
        middle = lines.group_by("item").median()
        columns = middle["item"].to_numpy()
        found[0, columns], found[1, columns] = middle["latitude"].to_numpy(), middle["longitude"].to_numpy()
        item = lines["item"].to_numpy()
        away = _km(lines["latitude"].to_numpy(), lines["longitude"].to_numpy(), found[0, item], found[1, item])
        reach = pl.DataFrame({"item": item, "away": away}).group_by("item").median()
        found[2, reach["item"].to_numpy()] = reach["away"].to_numpy()
    return sealed(found[0]), sealed(found[1]), sealed(found[2])


def _km(latitude: FloatArray, longitude: FloatArray, to_latitude: FloatArray, to_longitude: FloatArray) -> FloatArray:
    """Return the distance on a flat map, good to a percent within a city."""
    north = latitude - to_latitude
    east = (longitude - to_longitude) * np.cos(np.radians(to_latitude))
    return np.asarray(KM_PER_DEGREE * np.sqrt(north**2 + east**2), dtype=np.float32)


def names(models: Sequence[str]) -> list[str]:
    """Return the features' names in order, for models in the given order."""
    scored = [*models, "blend"]
    return [
        *(f"{name}_score" for name in scored),
        "blend_rank",
        *OWN,
        *CUSTOMER,
        *ITEM,
        *NEAR,
    ]


def features(board: Board, rows: IntArray, blended: FloatArray, query: Query, facts: ItemFacts) -> FloatArray:
    """Return float32 (rows, features) of the board's `rows`, which stand in the order of `blended`, best first.

    The rank counts from 0. -1 where a figure does not apply: her history with a dish she never ordered, the habits of a
    stranger.
    """
    return _features(
        board.columns,
        board.parts,
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


@compiled
def _features(
    columns: IntArray,
    parts: FloatArray,
    own: FloatArray,
    n_own: int,
    rows: IntArray,
    blended: FloatArray,
    start: LongArray,
    at: LongArray,
    here: npt.NDArray[np.bool_],
    now: int,
    rebuy_rate: FloatArray,
    log_buyers: FloatArray,
    trend: FloatArray,
    latitude: float,
    longitude: float,
    to_latitude: FloatArray,
    to_longitude: FloatArray,
    reach_km: FloatArray,
) -> FloatArray:
    n, n_models, n_baskets = len(rows), parts.shape[1], len(start) - 1
    base = n_models + 2
    table = np.full((n, base + 18), -1, dtype=np.float32)
    went = 0
    for basket in range(n_baskets):
        went += here[basket]
    for i in range(n):
        row = rows[i]
        for model in range(n_models):
            table[i, model] = parts[row, model]
        table[i, n_models] = blended[i]
        table[i, n_models + 1] = i
        table[i, base] = 0
        if row < n_own:
            count, last, first = own[row, COUNT], int(own[row, LAST]), int(own[row, FIRST])
            days = (now - at[last]) / 86_400
            table[i, base] = count
            table[i, base + 1] = count / n_baskets
            table[i, base + 2] = n_baskets - last
            table[i, base + 3] = days
            if count > 1:
                table[i, base + 4] = days / max((at[last] - at[first]) / 86_400 / (count - 1), 0.5)
            table[i, base + 5] = own[row, RECENT]
            table[i, base + 6] = own[row, HERE]
            if went:
                table[i, base + 7] = own[row, HERE] / went
        table[i, base + 8] = n_baskets
        table[i, base + 12] = went
        if n_baskets:
            lines = start[-1] - start[0]
            table[i, base + 9] = lines / n_baskets
            table[i, base + 10] = (now - at[-1]) / 86_400
            table[i, base + 11] = n_own / lines
        column = columns[row]
        table[i, base + 13] = rebuy_rate[column]
        table[i, base + 14] = log_buyers[column]
        table[i, base + 15] = trend[column]
        north = latitude - to_latitude[column]
        east = (longitude - to_longitude[column]) * np.cos(np.radians(to_latitude[column]))
        away = KM_PER_DEGREE * np.sqrt(north**2 + east**2)
        if away >= 0:  # neither place is unknown
            table[i, base + 16] = away
            table[i, base + 17] = away / max(reach_km[column], LEAST_REACH_KM)
    return table
