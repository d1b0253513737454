"""What everybody orders, here: popularity in the zone or map cell, backed off to everywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from engine.compiled import compiled
from engine.errors import NoHistory
from engine.models.base import Arrays, Baskets, FloatArray, IntArray, Place, Query, Recommender
from engine.models.board import Board, Rows, sealed
from engine.models.top import top_k

DAY_S = 86_400
# Map cells in degrees of latitude, coarse to fine: from about 10 km down to a block of 250 m.
CELL_DEGREES = (0.1, 0.04, 0.02, 0.01, 0.005, 0.0025)
# How many of the best of a place are candidates, and how many are ranked so that enough remain after the filters.
MOST, MOST_RANKED = 200, 2_000
ZONE_LEVEL = 15
REMEMBERED_BYTES = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Liked:
    """What is liked at one place: every item's share (items), and the columns of the best by falling share."""

    share: FloatArray
    best: IntArray


@dataclass(slots=True)
class Popular(Recommender):
    """Share of recent baskets that hold the item, near the place of the query.

    A place is a chain from everywhere over coarse to fine map cells, or from everywhere to the named zone; each
    link's share is its own counts shrunk towards the link before by `shrink` baskets. Counts halve every
    `half_life_days`. Nothing is personal here.
    """

    name: str = "popular"
    half_life_days: float = 90.0
    shrink: float = 20.0
    overall: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    keys: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    start: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    items: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    counts: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    baskets: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    _near: dict[tuple[int, ...], Liked] = field(default_factory=dict, repr=False)

    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        """Count baskets by item, overall and by place; `rng` is not used.

        Raises NoHistory if there is no basket.
        """
        if not baskets.n_baskets:
            raise NoHistory("no basket to learn from; import orders with items first")
        age_days = np.maximum(now - baskets.at, 0) / DAY_S
        weight = np.exp2(-age_days / self.half_life_days).astype(np.float32)
        # Counts so old that all weights vanish would divide by zero; the newest basket always counts as 1.
        weight /= weight.max()
        lines = np.repeat(weight, np.diff(baskets.basket_start))
        overall = np.bincount(baskets.items, weights=lines, minlength=baskets.n_items)
        self.overall = (overall / weight.sum()).astype(np.float32)
        chains = _place_keys(baskets.zone, baskets.latitude, baskets.longitude)
        self._count_places(baskets, chains, weight)
        self._near.clear()
        return self

    def add(self, query: Query, board: Board, part: int, mask: npt.NDArray[np.bool_]) -> None:
        """Give the dishes most liked here a row; `fill` says how much."""
        if not board.add_columns(self.near(query.place).best, mask, MOST):
            everything = np.argsort(-self.near(query.place).share, kind="stable").astype(np.int32)
            board.add_columns(sealed(everything), mask, MOST)

    def fill(self, query: Query, board: Board, part: int, rows: IntArray) -> None:
        """Write the expected share of baskets with the dish; above 0 for every dish ever ordered."""
        fill_part(self.near(query.place).share, rows, board.columns, board.parts, part)

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Return (queries, items) float32: the expected share of baskets with the item; never NaN."""
        shares = [self.near(query.place).share for query in queries]
        return np.stack(shares) if shares else np.empty((0, self.n_items), np.float32)

    def near(self, place: Place) -> Liked:
        """Return what is liked at the place; the last places asked for are remembered."""
        chain = place_chain(place)
        found = self._near.get(chain)
        if found is None:
            share = self._at_place(chain)
            if len(self._near) * share.nbytes > REMEMBERED_BYTES:
                self._near.clear()
            found = self._near[chain] = Liked(sealed(share), sealed(top_k(share[None], MOST_RANKED)[0]))
        return found

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return overall shares and the counts by place."""
        return {
            "overall": self.overall,
            "keys": self.keys,
            "start": self.start,
            "items": self.items,
            "counts": self.counts,
            "baskets": self.baskets,
            "settings": np.array([self.half_life_days, self.shrink], dtype=np.float64),
        }

    @property
    def n_items(self) -> int:
        """How many items it was fitted on."""
        return len(self.overall)

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        model = cls(half_life_days=float(arrays["settings"][0]), shrink=float(arrays["settings"][1]))
        for key in ("overall", "keys", "start", "items", "counts", "baskets"):
            setattr(model, key, arrays[key])
        return model

    def _count_places(self, baskets: Baskets, chains: list[npt.NDArray[np.int64]], weight: FloatArray) -> None:
        holds = sparse.csr_array(
            (np.ones(len(baskets.items)), baskets.items, baskets.basket_start),
            shape=(baskets.n_baskets, baskets.n_items),
        )
        all_keys, totals, counts = [np.empty(0, np.int64)], [np.empty(0)], [sparse.csr_array((0, baskets.n_items))]
        for keys in chains:
            known = np.flatnonzero(keys)
            if not len(known):
                continue
            # A key's level stands in front, so keys of all levels one after another are in order.
            here, place = np.unique(keys[known], return_inverse=True)
            went = sparse.csr_array(
                (weight[known].astype(np.float64), (place, known)), shape=(len(here), baskets.n_baskets)
            )
            all_keys.append(here)
            totals.append(np.asarray(went.sum(axis=1)).ravel())
            counts.append(sparse.csr_array(went @ holds))
        ordered = Rows.of(sparse.vstack(counts, format="csr"))
        self.keys = sealed(np.concatenate(all_keys))
        self.baskets = sealed(np.concatenate(totals).astype(np.float32))
        self.start, self.items, self.counts = ordered.start, ordered.columns, ordered.values

    def _at_place(self, chain: tuple[int, ...]) -> FloatArray:
        share = np.array(self.overall)
        for key in chain:
            at = int(np.searchsorted(self.keys, key))
            if at == len(self.keys) or self.keys[at] != key:
                continue
            total = float(self.baskets[at]) + self.shrink
            share *= self.shrink / total
            own = slice(self.start[at], self.start[at + 1])
            share[self.items[own]] += self.counts[own] / total
        return share


@dataclass(slots=True)
class Trending(Popular):
    """Popularity of the last days: what has just become liked, or new on the menu."""

    name: str = "trending"
    half_life_days: float = 7.0


@compiled
def fill_part(share: FloatArray, rows: IntArray, columns: IntArray, parts: FloatArray, part: int) -> None:
    """Write each row's share into its `part`."""
    for row in rows:
        parts[row, part] = share[columns[row]]


def place_chain(place: Place) -> tuple[int, ...]:
    """Return the keys of a place from coarse to fine; empty where nothing is known."""
    chain = []
    if math.isfinite(place.latitude) and math.isfinite(place.longitude):
        # History keeps positions in float32, and a place on the edge of a cell must fall to the same side.
        latitude, longitude = float(np.float32(place.latitude)), float(np.float32(place.longitude))
        for level, size in enumerate(CELL_DEGREES, start=1):
            y, x = math.floor((latitude + 90) / size), math.floor((longitude + 180) / size)
            chain.append(level << 48 | y << 24 | x)
    if place.zone >= 0:
        chain.append(ZONE_LEVEL << 48 | place.zone)
    return tuple(chain)


def _place_keys(
    zone: npt.NDArray[np.int32], latitude: FloatArray, longitude: FloatArray
) -> list[npt.NDArray[np.int64]]:
    """Return one int64 key a row for each link of the chain; 0 where the link is unknown."""
    chains = []
    located = np.isfinite(latitude) & np.isfinite(longitude)
    lat, lon = np.where(located, latitude, 0.0).astype(np.float64), np.where(located, longitude, 0.0).astype(np.float64)
    for level, size in enumerate(CELL_DEGREES, start=1):
        y = np.floor((lat + 90) / size).astype(np.int64)
        x = np.floor((lon + 180) / size).astype(np.int64)
        chains.append(np.where(located, (np.int64(level) << 48) | (y << 24) | x, 0))
    chains.append(np.where(zone >= 0, (np.int64(ZONE_LEVEL) << 48) | zone.astype(np.int64), 0))
    return chains
