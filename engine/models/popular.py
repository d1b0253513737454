"""What everybody orders, here: popularity in the zone or map cell, backed off to everywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from engine.compiled import compiled
from engine.errors import NoHistory
from engine.models.base import Arrays, Baskets, FloatArray, IntArray, LongArray, Place, Query, Recommender
from engine.models.board import Board, Rows, sealed
from engine.models.top import top_k

DAY_S = 86_400
# Map cells in degrees of latitude, coarse to fine: from about 10 km down to a block of 250 m.
CELL_DEGREES = (0.1, 0.04, 0.02, 0.01, 0.005, 0.0025)
# How many of the best of a place are candidates, and how many are ranked so that enough remain after the filters.
MOST, MOST_RANKED = 200, 2_000
ZONE_LEVEL = 15
MOST_LINKS = 10_000
ENOUGH = 100.0
FORGOTTEN = 2.0**-10


@dataclass(frozen=True, slots=True)
class Links:
    """The links of one place's chain: which they are, what an order there counts, and what everywhere's shares do."""

    places: LongArray
    weights: FloatArray
    everywhere: float


@dataclass(slots=True)
class Popular(Recommender):
    """Share of recent baskets that hold the item, near the place of the query.

    A place is a chain from everywhere over its map cells, those with more orders first, to its zone; each link's share
    is its own counts shrunk towards the link before by `shrink` baskets. Counts halve every `half_life_days` and are
    forgotten after ten half-lives; a link of a hundred times `shrink` stands for all before it but everywhere. Nothing
    is personal here.
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
    _best: IntArray = field(default_factory=lambda: np.empty(0, np.int32), repr=False)
    _links: dict[tuple[int, ...], Links] = field(default_factory=dict, repr=False)

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
        self.overall = sealed((overall / weight.sum()).astype(np.float32))
        self._best = self._ranked()
        self._count_places(baskets, weight)
        self._links.clear()
        return self

    def add(self, query: Query, board: Board, part: int, mask: npt.NDArray[np.bool_]) -> None:
        """Write what is ordered at the place, and give what is liked everywhere a row; `fill` adds how much."""
        links = self._links_of(query.place)
        board.n, found = _add_places(
            self.start,
            self.items,
            self.counts,
            links.places,
            links.weights,
            mask,
            part,
            board.n,
            board.row_of,
            board.columns,
            board.parts,
        )
        if found < MOST and not board.add_columns(self._best, mask, MOST):
            board.add_columns(sealed(np.argsort(-self.overall, kind="stable").astype(np.int32)), mask, MOST)

    def fill(self, query: Query, board: Board, part: int, rows: IntArray) -> None:
        """Add the share of everywhere's baskets with the dish, as far as the place does not know better."""
        everywhere = np.float32(self._links_of(query.place).everywhere)
        _add_everywhere(self.overall, everywhere, rows, board.columns, board.parts, part)

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Return (queries, items) float32: the expected share of baskets with the item; never NaN."""
        scores = np.empty((len(queries), self.n_items), dtype=np.float32)
        for i, query in enumerate(queries):
            links = self._links_of(query.place)
            scores[i] = np.float32(links.everywhere) * self.overall
            for place, weight in zip(links.places.tolist(), links.weights.tolist(), strict=True):
                own = slice(self.start[place], self.start[place + 1])
                scores[i, self.items[own]] += np.float32(weight) * self.counts[own]
        return scores

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
        model._best = model._ranked()
        return model

    def _count_places(self, baskets: Baskets, weight: FloatArray) -> None:
        counted = np.flatnonzero(weight > FORGOTTEN)
        zone, latitude, longitude = baskets.zone[counted], baskets.latitude[counted], baskets.longitude[counted]
        # Baskets lie sorted by customer, and most of hers go to one place: stays are far fewer than baskets.
        stay = np.flatnonzero(_moved(zone, latitude, longitude))
        ordered, stayed = _by_stay(baskets, counted, stay, weight)
        all_keys, totals, counts = [np.empty(0, np.int64)], [np.empty(0)], [sparse.csr_array((0, baskets.n_items))]
        for keys in _place_keys(zone[stay], latitude[stay], longitude[stay]):
            known = np.flatnonzero(keys)
            if not len(known):
                continue
            # A key's level stands in front, so keys of all levels one after another are in order.
            here, place = np.unique(keys[known], return_inverse=True)
            went = sparse.csr_array((np.ones(len(known)), (place, known)), shape=(len(here), len(stay)))
            all_keys.append(here)
            totals.append(np.asarray(went @ stayed))
            counts.append(sparse.csr_array(went @ ordered))
        found = Rows.of(sparse.vstack(counts, format="csr"))
        self.keys = sealed(np.concatenate(all_keys))
        self.baskets = sealed(np.concatenate(totals).astype(np.float32))
        self.start, self.items, self.counts = found.start, found.columns, found.values

    def _ranked(self) -> IntArray:
        return sealed(top_k(self.overall[None], MOST_RANKED)[0])

    def _links_of(self, place: Place) -> Links:
        chain = place_chain(place)
        found = self._links.get(chain)
        if found is None:
            if len(self._links) >= MOST_LINKS:
                self._links.clear()
            found = self._links[chain] = self._weighed(np.array(chain, dtype=np.int64))
        return found

    def _weighed(self, chain: LongArray) -> Links:
        """Return the chain's known links and what a basket of each counts in the last one's share."""
        at = np.minimum(np.searchsorted(self.keys, chain), len(self.keys) - 1)
        known = at[self.keys[at] == chain] if len(self.keys) else at[:0]
        # A named zone is what the operator delivers by: it decides, and cells only speak where none is named.
        places = known[np.lexsort((-self.baskets[known], self.keys[known] >> 48 == ZONE_LEVEL))]
        enough = np.flatnonzero(self.baskets[places] >= ENOUGH * self.shrink)
        places = places[enough[-1] :] if len(enough) else places
        total = self.baskets[places].astype(np.float64) + self.shrink
        # What is left of a link after all finer ones have had their say.
        left = np.append(np.cumprod((self.shrink / total)[::-1])[::-1], 1.0)
        return Links(sealed(places.astype(np.int64)), sealed((left[1:] / total).astype(np.float32)), float(left[0]))


@dataclass(slots=True)
class Trending(Popular):
    """Popularity of the last days: what has just become liked, or new on the menu."""

    name: str = "trending"
    half_life_days: float = 7.0


@compiled
def _add_places(
    start: LongArray,
    items: IntArray,
    counts: FloatArray,
    places: LongArray,
    weights: FloatArray,
    mask: npt.NDArray[np.bool_],
    part: int,
    n: int,
    row_of: IntArray,
    columns: IntArray,
    parts: FloatArray,
) -> tuple[int, int]:
    """Add each place's counts times its weight; return the rows there are, and how many of them may be shown here."""
    found = 0
    for at in range(len(places)):
        for entry in range(start[places[at]], start[places[at] + 1]):
            item = items[entry]
            row = row_of[item]
            if row < 0:
                if not mask[item]:
                    continue
                row = n
                n += 1
                row_of[item] = row
                columns[row] = item
                parts[row, :] = 0
            if parts[row, part] == 0 and mask[item]:
                found += 1
            parts[row, part] += weights[at] * counts[entry]
    return n, found


@compiled
def _add_everywhere(
    share: FloatArray, times: np.float32, rows: IntArray, columns: IntArray, parts: FloatArray, part: int
) -> None:
    for row in rows:
        parts[row, part] += times * share[columns[row]]


def place_chain(place: Place) -> tuple[int, ...]:
    """Return the keys of a place: its map cells from coarse to fine, then its zone; empty where nothing is known."""
    if math.isfinite(place.latitude) and math.isfinite(place.longitude):
        return _chain(place.latitude, place.longitude, place.zone)
    return (ZONE_LEVEL << 48 | place.zone,) if place.zone >= 0 else ()


@lru_cache(maxsize=MOST_LINKS)
def _chain(latitude: float, longitude: float, zone: int) -> tuple[int, ...]:
    # History keeps positions in float32, and a place on the edge of a cell must fall to the same side.
    latitude, longitude = float(np.float32(latitude)), float(np.float32(longitude))
    chain = []
    for level, size in enumerate(CELL_DEGREES, start=1):
        y, x = math.floor((latitude + 90) / size), math.floor((longitude + 180) / size)
        chain.append(level << 48 | y << 24 | x)
    return (*chain, ZONE_LEVEL << 48 | zone) if zone >= 0 else tuple(chain)


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


def _moved(zone: IntArray, latitude: FloatArray, longitude: FloatArray) -> npt.NDArray[np.bool_]:
    """Say of each basket whether it went elsewhere than the one before; positions as bits, as NaN equals nothing."""
    moved = np.ones(len(zone), dtype=bool)
    bits = (zone, latitude.view(np.int32), longitude.view(np.int32))
    np.logical_or.reduce([each[1:] != each[:-1] for each in bits], out=moved[1:])
    return moved


def _by_stay(
    baskets: Baskets, counted: npt.NDArray[np.intp], stay: npt.NDArray[np.intp], weight: FloatArray
) -> tuple[sparse.csr_array, npt.NDArray[np.float64]]:
    """Return the weight of each stay's baskets with each item (stays, items), and of all its baskets (stays)."""
    sizes = np.diff(baskets.basket_start)
    lines = np.repeat(weight > FORGOTTEN, sizes)
    start = np.concatenate([[0], np.cumsum(sizes[counted])])
    weights = weight[counted].astype(np.float64)
    shape = (len(stay), baskets.n_items)
    entries = (np.repeat(weights, sizes[counted]), baskets.items[lines], np.append(start[stay], start[-1]))
    ordered = sparse.csr_array(entries, shape=shape)
    ordered.sum_duplicates()
    return ordered, np.add.reduceat(weights, stay) if len(stay) else np.zeros(0)
