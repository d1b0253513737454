"""What everybody orders, here: popularity in the zone, or around a place on the map, backed off to everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from engine.compiled import compiled
from engine.errors import NoHistory
from engine.models.base import Arrays, Baskets, FloatArray, IntArray, LongArray, Place, Query, Recommender
from engine.models.board import Board, Rows, best_of, sealed
from engine.models.cells import ZONE_LEVEL, cell_of, cells_around, place_keys
from engine.models.sums import dense_sums, held, sums
from engine.models.top import top_k

DAY_S = 86_400
KM_PER_DEGREE = 111.2
# How far the rest of the world is taken to be, in degrees.
FAR_DEGREES = 1.0
# A cell, and a time of day in a zone, speaks for at most so many dishes, those ordered there most.
MOST_IN_CELL = 300
# How many of the best of a place are candidates, and how many are ranked so that enough remain after the filters.
MOST, MOST_RANKED = 200, 2_000
MOST_LINKS = 4_096
ENOUGH = 100.0
FORGOTTEN = 2.0**-10


@dataclass(frozen=True, slots=True)
class Links:
    """What one place's shares are made of: counted places, what a basket of each counts and everywhere's shares.

    `top` holds, once somebody asked, the share of the most popular item there, or a little more where several places
    are counted.
    """

    places: LongArray
    weights: FloatArray
    everywhere: float
    top: list[float] = field(default_factory=list)


NO_CELL = (-1, -1)
NOWHERE = Links(sealed(np.empty(0, np.int64)), sealed(np.empty(0, np.float32)), 1.0)


@dataclass(slots=True)
class Popular(Recommender):
    """Share of recent baskets that hold the item, near the place of the query.

    Around a place on the map a basket counts 1 / (1 + km / reach_km)^2: a kernel estimate of the density of orders, in
    which what is near decides where much is near, and what is far where nothing is. Near baskets are added up in small
    cells, far ones in large cells, as in a quadtree. In a named zone the shares are its own counts, shrunk towards
    those around by `shrink` baskets; from a hundred times `shrink` on, it stands for itself. Counts halve every
    `half_life_days` and are forgotten after ten half-lives. Nothing is personal here.
    """

    name: str = "popular"
    half_life_days: float = 90.0
    shrink: float = 20.0
    reach_km: float = 2.0
    on_map: bool = True
    overall: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    keys: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    start: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    items: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    counts: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    baskets: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    weight: float = 0.0
    _best: IntArray = field(default_factory=lambda: np.empty(0, np.int32), repr=False)
    _links: dict[tuple[int, int, int], Links] = field(default_factory=dict, repr=False)
    # By zone what holds anywhere in it, None where that depends on the address.
    _zones: dict[int, Links | None] = field(default_factory=dict, repr=False)

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
        self.weight = float(weight.sum())
        everywhere = np.zeros(baskets.n_baskets, np.int64)
        overall = dense_sums(everywhere, 1, weight, baskets.basket_start, baskets.items, baskets.n_items)[0]
        self.overall = sealed((overall / self.weight).astype(np.float32))
        self._best = self._ranked()
        self._count_places(baskets, weight)
        self._links.clear()
        self._zones.clear()
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
            # At night little of what is liked everywhere may be shown: only what may be is looked at, not all there is.
            shown = np.flatnonzero(mask).astype(np.int32)
            best = best_of(self.overall[shown], shown, MOST, -np.inf)
            board.add_columns(sealed(shown[best]), mask, MOST)

    def fill(self, query: Query, board: Board, part: int, rows: IntArray) -> None:
        """Add the share of everywhere's baskets with the dish, as far as the place does not know better."""
        everywhere = np.float32(self._links_of(query.place).everywhere)
        _add_everywhere(self.overall, everywhere, rows, board.columns, board.parts, part)

    def top(self, place: Place) -> tuple[float, bool]:
        """Return about the share of the most popular item at the place, and whether anybody ordered near there."""
        links = self._links_of(place)
        if not links.top:
            everywhere = links.everywhere * float(self.overall.max(initial=0.0))
            largest = _largest(self.start, self.counts, links.places)
            links.top.append(everywhere + float(np.dot(links.weights, largest)))
        return links.top[0], len(links.places) > 0

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
            "settings": np.array([self.half_life_days, self.shrink, self.reach_km, self.weight], dtype=np.float64),
        }

    @property
    def n_items(self) -> int:
        """How many items it was fitted on."""
        return len(self.overall)

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        half_life_days, shrink, *newer = (float(value) for value in arrays["settings"])
        model = cls(half_life_days=half_life_days, shrink=shrink)
        for key in ("overall", "keys", "start", "items", "counts", "baskets"):
            setattr(model, key, arrays[key])
        if newer:
            model.reach_km, model.weight = newer
        else:  # trained when map cells had other sizes: until it is trained anew, only zones are known
            zones = int(np.searchsorted(model.keys, ZONE_LEVEL << 48))
            model.keys, model.start, model.baskets = model.keys[zones:], model.start[zones:], model.baskets[zones:]
        model._best = model._ranked()
        return model

    def _count_places(self, baskets: Baskets, weight: FloatArray) -> None:
        # Baskets lie sorted by customer, and most of hers go to one place: stays are far fewer than baskets.
        stay = np.flatnonzero(_moved(baskets.zone, baskets.latitude, baskets.longitude))
        where = list(place_keys(baskets.zone[stay], baskets.latitude[stay], baskets.longitude[stay]))
        # Each smallest cell's part of each zone is counted once; larger cells, and zones, are sums of those.
        zone = baskets.zone[stay].astype(np.int64) + 1
        cell = np.unique(where[-2][1], return_inverse=True)[1] if self.on_map else 0
        parts, part = np.unique(cell * (zone.max() + 1) + zone, return_inverse=True)
        lengths = np.diff(stay, append=baskets.n_baskets)
        part_of = np.where(weight > FORGOTTEN, np.repeat(part, lengths), -1)
        ordered = sums(part_of, len(parts), weight, held(baskets.basket_start, baskets.items), baskets.n_items)
        placed = np.bincount(part_of + 1, weights=weight, minlength=len(parts) + 1)[1:]
        one_of = np.empty(len(parts), np.int64)
        one_of[part] = np.arange(len(stay))
        levels: list[tuple[LongArray, npt.NDArray[np.float64], Rows]] = []
        for level, keys in where:
            own = np.where(placed > 0, keys[one_of], 0)
            if not own.any() or not (self.on_map or level == ZONE_LEVEL):
                continue
            here, place = np.unique(own, return_inverse=True)
            unknown = int(here[0] == 0)
            here, place = here[unknown:], place - unknown
            total = np.bincount(place + 1, placed, len(here) + 1)[1:].astype(np.float64)
            there = sums(place, len(here), np.ones(len(place), np.float32), ordered, baskets.n_items)
            levels.append((here, total, there if level == ZONE_LEVEL and self.on_map else _most_ordered(there)))
        # A key's level stands in front, so keys of all levels one after another are in order.
        self.keys = sealed(np.concatenate([np.empty(0, np.int64), *(keys for keys, _, _ in levels)]))
        self.baskets = sealed(np.concatenate([np.empty(0), *(total for _, total, _ in levels)]).astype(np.float32))
        sizes = [np.diff(rows.start) for _, _, rows in levels]
        self.start = sealed(np.cumsum(np.concatenate([np.zeros(1, np.int64), *sizes])))
        self.items = sealed(np.concatenate([np.empty(0, np.int32), *(rows.columns for _, _, rows in levels)]))
        self.counts = sealed(np.concatenate([np.empty(0, np.float32), *(rows.values for _, _, rows in levels)]))

    def _ranked(self) -> IntArray:
        return sealed(top_k(self.overall[None], MOST_RANKED)[0])

    def _links_of(self, place: Place) -> Links:
        # Addresses are many, zones few: where the zone stands for itself nothing is worked out for an address.
        zone = place.zone
        found = self._zones[zone] if zone in self._zones else self._all_over(zone)
        if found is not None:
            return found
        cell = cell_of(place.latitude, place.longitude) if place.located else NO_CELL
        found = self._links.get((*cell, zone))
        if found is None:
            if len(self._links) >= MOST_LINKS:
                self._links.clear()
            found = self._links[*cell, zone] = self._at(cell, zone)
        return found

    def _all_over(self, zone: int) -> Links | None:
        """Return, and keep, what holds wherever in the zone; None where it does not stand for itself."""
        at = self._zone_at(zone)
        alone = not self.on_map or (at >= 0 and float(self.baskets[at]) >= ENOUGH * self.shrink)
        found = self._zones[zone] = self._at(NO_CELL, zone) if alone else None
        return found

    def _at(self, cell: tuple[int, int], zone: int) -> Links:
        # A list of its own: what is around nowhere is one for all models.
        return replace(self._in_zone(zone, self._around(cell)), top=[])

    def _zone_at(self, zone: int) -> int:
        """Return where the zone is among the places, -1 where no order names it."""
        key = ZONE_LEVEL << 48 | zone
        at = int(np.searchsorted(self.keys, key)) if zone >= 0 else len(self.keys)
        return at if at < len(self.keys) and self.keys[at] == key else -1

    def _around(self, cell: tuple[int, int]) -> Links:
        """Return the places around the middle of a smallest cell, by the kernel; only everywhere where none is."""
        if cell == NO_CELL or not len(self.keys):
            return NOWHERE
        keys, degrees = cells_around(*cell)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[at] == keys
        places, degrees = at[known], degrees[known]
        if not len(places):
            return NOWHERE
        counted = self._kernel(degrees)
        near = self.baskets[places].astype(np.float64)
        far = float(self._kernel(np.array([FAR_DEGREES]))[0]) * max(self.weight - near.sum(), 0.0)
        total = (counted * near).sum() + far
        return Links(sealed(places.astype(np.int64)), sealed((counted / total).astype(np.float32)), far / total)

    def _kernel(self, degrees: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray((1 + degrees * (KM_PER_DEGREE / self.reach_km)) ** -2)

    def _in_zone(self, zone: int, around: Links) -> Links:
        """Return the zone's own counts, shrunk towards what is `around`; that alone where no order names the zone."""
        at = self._zone_at(zone)
        if at < 0:
            return around
        # A named zone is what the operator delivers by: it decides, and what is around it only fills in.
        own = float(self.baskets[at])
        if own >= ENOUGH * self.shrink:
            around = NOWHERE
        left = np.float32(self.shrink / (own + self.shrink))
        return Links(
            sealed(np.append(around.places, at)),
            sealed(np.append(around.weights * left, np.float32(1 / (own + self.shrink)))),
            float(left * around.everywhere),
        )


@dataclass(slots=True)
class Trending(Popular):
    """Popularity of the last days: what has just become liked, or new on the menu."""

    name: str = "trending"
    half_life_days: float = 7.0


@compiled
def _largest(start: LongArray, counts: FloatArray, places: LongArray) -> FloatArray:
    """Return each place's largest count, 0 where it has none."""
    found = np.zeros(len(places), dtype=np.float32)
    for i in range(len(places)):
        for entry in range(start[places[i]], start[places[i] + 1]):
            found[i] = max(found[i], counts[entry])
    return found


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


@compiled
def weigh_rows(
    factors: FloatArray, group: int, rows: IntArray, columns: IntArray, parts: FloatArray, part: int
) -> None:
    """Multiply what `part` says of `rows` by the factor (groups, items) that each dish has in `group`."""
    for row in rows:
        parts[row, part] *= factors[group, columns[row]]


def _most_ordered(cells: Rows) -> Rows:
    """Return each row with its `MOST_IN_CELL` largest counts only."""
    kept = np.ones(len(cells.columns), dtype=bool)
    for row in np.flatnonzero(np.diff(cells.start) > MOST_IN_CELL):
        own = slice(cells.start[row], cells.start[row + 1])
        kept[own][np.argpartition(-cells.values[own], MOST_IN_CELL)[MOST_IN_CELL:]] = False
    start = np.concatenate([[0], np.cumsum(kept)])[cells.start]
    return Rows(start, cells.columns[kept], cells.values[kept])


def _moved(zone: IntArray, latitude: FloatArray, longitude: FloatArray) -> npt.NDArray[np.bool_]:
    """Say of each basket whether it went elsewhere than the one before; positions as bits, as NaN equals nothing."""
    moved = np.ones(len(zone), dtype=bool)
    bits = (zone, latitude.view(np.int32), longitude.view(np.int32))
    np.logical_or.reduce([each[1:] != each[:-1] for each in bits], out=moved[1:])
    return moved
