"""What everybody orders, here: popularity in the zone, or around a place on the map, backed off to everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from engine.columns import KM_PER_DEGREE
from engine.errors import NoHistory
from engine.models.arrays import Arrays, FloatArray, IntArray, LongArray, read_only
from engine.models.base import Opinion, Recommender, Tunable
from engine.models.baskets import Baskets
from engine.models.board import Board
from engine.models.cells import ZONE_LEVEL, Counted, cell_of, cells_around, weights_of
from engine.models.kernels.best import best_of
from engine.models.kernels.popular import add_everywhere, add_places, largest_counts
from engine.models.kernels.top import top_k
from engine.models.query import Place, Query

# How far the rest of the world is taken to be, in degrees.
FAR_DEGREES = 1.0
# How many of the best of a place are candidates, and how many are ranked so that enough remain after the filters.
MOST, MOST_RANKED = 200, 2_000
MOST_LINKS = 4_096
ALL = 2**31 - 1
ENOUGH = 100.0


# Of the share that the most popular dish of a place has, what makes another popular.
POPULAR = 0.2


@dataclass(frozen=True, slots=True)
class Links:
    """What one place's shares are made of: counted places, what a basket of each counts and everywhere's shares.

    Once the first place has brought `enough` dishes, the others bring none of their own: where a zone decides, what is
    only ordered around it says less than what was ordered in it. `top` holds, once computed, the share of the
    most popular item there, or a little more where several places are counted.
    """

    places: LongArray
    weights: FloatArray
    everywhere: float
    enough: int = ALL
    top: list[float] = field(default_factory=list)


NO_CELL = (-1, -1)
NOWHERE = Links(read_only(np.empty(0, np.int64)), read_only(np.empty(0, np.float32)), 1.0)


@dataclass(slots=True)
class Popular(Recommender):
    """Share of recent baskets that hold the item, near the place of the query.

    Around a place on the map a basket counts 1 / (1 + km / reach_km)^2: a kernel estimate of the density of orders, in
    which what is near decides where much is near, and what is far where nothing is. Near baskets are added up in small
    cells, far ones in large cells, as in a quadtree. In a named zone the shares are its own counts, shrunk towards
    those around by `shrink` baskets; from a hundred times `shrink` on, it stands for itself. Counts halve every
    `half_life_days` and are forgotten after ten half-lives. Nothing is personal here.
    """

    name: ClassVar[str] = "popular"
    default_weight: ClassVar[float] = 0.1
    impersonal: ClassVar[bool] = True
    scores_everything: ClassVar[bool] = True
    reason: ClassVar[str] = "popular"
    reason_nearby: ClassVar[str | None] = "popular_nearby"
    tunables: ClassVar[Mapping[str, Tunable]] = {
        "half_life_days": Tunable("An order counts half after this.", 2, 1000, log=True),
        "shrink": Tunable("Baskets a zone needs to count by itself.", 1, 500, log=True),
        "reach_km": Tunable("Twice as far away as this, an order on the map counts a ninth.", 0.2, 20, log=True),
    }
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
        counted = baskets.shared.get((Counted, self.half_life_days, now))
        if not isinstance(counted, Counted) or self.on_map:
            weights = self._weights(baskets, now)
            counted = Counted.of(baskets, weights, on_map=self.on_map)
            # Models of a time of day or a language begin with the same counts: without the map, which takes room.
            baskets.shared[Counted, self.half_life_days, now] = replace(counted, cells=[])
        self.weight, self.overall = counted.weight, counted.overall
        self._best = self._ranked()
        self._take(counted)
        self._links.clear()
        self._zones.clear()
        return self

    def propose(self, query: Query, board: Board, part: int, mask: npt.NDArray[np.bool_]) -> None:
        """Write what is ordered at the place, and give what is liked everywhere a row for `score_candidates`."""
        links = self._links_of(query.place)
        board.n, found = add_places(
            self.start,
            self.items,
            self.counts,
            links.places,
            links.weights,
            links.enough,
            mask,
            part,
            board.n,
            board.row_of,
            board.columns,
            board.model_scores,
        )
        if found < MOST and not board.add_columns(self._best, mask, MOST):
            # At night little of what is liked everywhere may be shown: only what may be is looked at, not all there is.
            shown = np.flatnonzero(mask).astype(np.int32)
            best = best_of(self.overall[shown], shown, MOST, -np.inf)
            board.add_columns(read_only(shown[best]), mask, MOST)

    def score_candidates(self, query: Query, board: Board, part: int, rows: IntArray) -> None:
        """Add the share of everywhere's baskets with the dish, as far as the place does not know better."""
        everywhere = np.float32(self._links_of(query.place).everywhere)
        add_everywhere(self.overall, everywhere, rows, board.columns, board.model_scores, part)

    def top(self, place: Place) -> tuple[float, bool]:
        """Return about the share of the most popular item at the place, and whether anybody ordered near there."""
        links = self._links_of(place)
        if not links.top:
            everywhere = links.everywhere * float(self.overall.max(initial=0.0))
            largest = largest_counts(self.start, self.counts, links.places)
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

    def opinion(self, query: Query) -> Opinion:
        """Return what makes a dish popular at the place: a share of what the most popular one there has."""
        top, nearby = self.top(query.place)
        return Opinion(POPULAR * top, nearby)

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

    def _weights(self, baskets: Baskets, now: int) -> FloatArray:
        """Return (baskets,) what each counts; not to be changed."""
        found = baskets.shared.get((weights_of, self.half_life_days, now))
        if not isinstance(found, np.ndarray):
            found = read_only(weights_of(baskets.at, now, self.half_life_days))
            baskets.shared[weights_of, self.half_life_days, now] = found
        return found

    def _take(self, counted: Counted) -> None:
        zones = [counted.zones] if counted.zones else []
        levels = counted.cells + zones if self.on_map else [zone.most_ordered() for zone in zones]
        # A key's level stands in front, so keys of all levels one after another are in order.
        self.keys = read_only(np.concatenate([np.empty(0, np.int64), *(level.keys for level in levels)]))
        self.baskets = read_only(np.concatenate([np.empty(0), *(level.baskets for level in levels)]).astype(np.float32))
        sizes = [np.diff(level.ordered.start) for level in levels]
        self.start = read_only(np.cumsum(np.concatenate([np.zeros(1, np.int64), *sizes])))
        self.items = read_only(np.concatenate([np.empty(0, np.int32), *(level.ordered.columns for level in levels)]))
        self.counts = read_only(np.concatenate([np.empty(0, np.float32), *(level.ordered.values for level in levels)]))

    def _ranked(self) -> IntArray:
        return read_only(top_k(self.overall[None], MOST_RANKED)[0])

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
        return Links(read_only(places.astype(np.int64)), read_only((counted / total).astype(np.float32)), far / total)

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
            read_only(np.append(at, around.places)),
            read_only(np.append(np.float32(1 / (own + self.shrink)), around.weights * left)),
            float(left * around.everywhere),
            MOST,
        )


@dataclass(slots=True)
class Trending(Popular):
    """Popularity of the last days: what has just become liked, or new on the menu."""

    name: ClassVar[str] = "trending"
    default_weight: ClassVar[float] = 0.05
    scores_everything: ClassVar[bool] = False
    tunables: ClassVar[Mapping[str, Tunable]] = {
        "half_life_days": Tunable("An order counts half after this.", 0.5, 60, log=True),
        "reach_km": Tunable("Twice as far away as this, an order on the map counts a ninth.", 0.2, 20, log=True),
    }
    half_life_days: float = 7.0
