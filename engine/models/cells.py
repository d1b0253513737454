"""The map as cells within larger cells, and zones: equal places have equal keys, and what went to each is counted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from engine.columns import DAY_S
from engine.models.arrays import FloatArray, IntArray, LongArray, Rows, read_only
from engine.models.baskets import Baskets
from engine.models.kernels.cells import CELL_DEGREES, tiles_around
from engine.models.kernels.sums import dense_sums, held, sums

# Stands in front of a zone's key, as 1 to 6 stand in front of a cell's.
ZONE_LEVEL = 15
# A cell, and a time of day in a zone, keeps at most so many dishes, those ordered there most.
MOST_IN_CELL = 300
FORGOTTEN = 2.0**-10


@dataclass(frozen=True, slots=True)
class Level:
    """Places of one size by ascending key: `baskets` (places) float64 that went there, `ordered` (places, items)."""

    keys: LongArray
    baskets: npt.NDArray[np.float64]
    ordered: Rows

    def most_ordered(self) -> Level:
        """Return each place with its `MOST_IN_CELL` largest counts only."""
        return replace(self, ordered=_most_ordered(self.ordered))


@dataclass(frozen=True, slots=True)
class Counted:
    """Baskets counted by item, everywhere and by place, an older one less.

    `weight` is all of them together, `overall` (items) the share of it with the item, `zones` None where none is named.
    """

    weight: float
    overall: FloatArray
    cells: list[Level]
    zones: Level | None

    @classmethod
    def of(cls, baskets: Baskets, weight: FloatArray, *, on_map: bool) -> Self:
        """Count; map cells only where `on_map`. Zones come out equal to the bit either way."""
        total, everywhere = float(weight.sum()), np.zeros(baskets.n_baskets, np.int64)
        overall = dense_sums(everywhere, 1, weight, baskets.basket_start, baskets.items, baskets.n_items)[0]
        levels = dict(_levels(baskets, weight, on_map=on_map))
        zones = levels.pop(ZONE_LEVEL, None)
        return cls(total, read_only((overall / total).astype(np.float32)), list(levels.values()), zones)


def weights_of(at: LongArray, now: int, half_life_days: float) -> FloatArray:
    """Return what baskets of these instants (seconds) count: half after `half_life_days`, the newest of them 1."""
    age = np.maximum(now - at, 0)
    # Counted from the newest: where all are so old that all weights vanish, sums of them would divide by zero.
    return np.asarray(np.exp2(((age - age.min()) / (-DAY_S * half_life_days)).astype(np.float32)))


def cell_of(latitude: float, longitude: float) -> tuple[int, int]:
    """Return row and column of the smallest cell."""
    # History keeps positions in float32, and a place on the edge of a cell must fall to the same side.
    size = CELL_DEGREES[-1]
    return (
        math.floor((float(np.float32(latitude)) + 90) / size),
        math.floor((float(np.float32(longitude)) + 180) / size),
    )


def cells_around(y: int, x: int) -> tuple[LongArray, npt.NDArray[np.float64]]:
    """Return keys of cells that tile the map around a smallest cell, small ones near, and degrees to their middles.

    Of each size those whose parents touch the parent around the place, but which do not touch the cell around it
    themselves, because what does is counted more finely: the interaction lists of Greengard and Rokhlin (1987).
    Together they reach at least 0.32 degrees far. Distances are on a flat map.
    """
    return tiles_around(y, x)


def place_keys(
    zone: npt.NDArray[np.int32], latitude: FloatArray, longitude: FloatArray
) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Yield by level one int64 key a row: its map cell from coarse to fine, its zone; 0 where that is unknown."""
    located = np.isfinite(latitude) & np.isfinite(longitude)
    lat, lon = (np.where(located, degrees, 0).astype(np.float64) for degrees in (latitude, longitude))
    # Rows and columns are halved from the smallest, so that each cell is exactly four of the next.
    y = np.floor((lat + 90) / CELL_DEGREES[-1]).astype(np.int64)
    x = np.floor((lon + 180) / CELL_DEGREES[-1]).astype(np.int64)
    for level in range(1, len(CELL_DEGREES) + 1):
        halvings = len(CELL_DEGREES) - level
        yield level, np.where(located, (np.int64(level) << 48) | (y >> halvings) << 24 | x >> halvings, 0)
    yield ZONE_LEVEL, np.where(zone >= 0, (np.int64(ZONE_LEVEL) << 48) | zone.astype(np.int64), 0)


def _levels(baskets: Baskets, weight: FloatArray, *, on_map: bool) -> Iterator[tuple[int, Level]]:
    """Yield by level what went to each of its places, from large cells to small ones, then zones."""
    # Baskets lie sorted by customer, and most of one customer's go to one place: stays are far fewer than baskets.
    stay = np.flatnonzero(_moved(baskets.zone, baskets.latitude, baskets.longitude))
    where = list(place_keys(baskets.zone[stay], baskets.latitude[stay], baskets.longitude[stay]))
    # Each smallest cell's part of each zone is counted once; larger cells, and zones, are sums of those.
    zone, cell = baskets.zone[stay].astype(np.int64) + 1, np.unique(where[-2][1], return_inverse=True)[1]
    parts, part = np.unique(cell * (zone.max() + 1) + zone, return_inverse=True)
    lengths = np.diff(stay, append=baskets.n_baskets)
    part_of = np.where(weight > FORGOTTEN, np.repeat(part, lengths), -1)
    ordered = sums(part_of, len(parts), weight, held(baskets.basket_start, baskets.items), baskets.n_items)
    placed = np.bincount(part_of + 1, weights=weight, minlength=len(parts) + 1)[1:]
    one_of = np.empty(len(parts), np.int64)
    one_of[part] = np.arange(len(stay))
    for level, keys in where:
        own = np.where(placed > 0, keys[one_of], 0)
        if not own.any() or not (on_map or level == ZONE_LEVEL):
            continue
        here, place = np.unique(own, return_inverse=True)
        unknown = int(here[0] == 0)
        here, place = here[unknown:], place - unknown
        total = np.bincount(place + 1, placed, len(here) + 1)[1:].astype(np.float64)
        there = sums(place, len(here), np.ones(len(place), np.float32), ordered, baskets.n_items)
        found = Level(here, total, there)
        yield level, found if level == ZONE_LEVEL else found.most_ordered()


def _most_ordered(cells: Rows) -> Rows:
    """Return each row with its `MOST_IN_CELL` largest counts only."""
    kept = np.ones(len(cells.columns), dtype=bool)
    for row in np.flatnonzero(np.diff(cells.start) > MOST_IN_CELL):
        own = slice(cells.start[row], cells.start[row + 1])
        kept[own][np.argpartition(-cells.values[own], MOST_IN_CELL)[MOST_IN_CELL:]] = False
    start = np.concatenate([[0], np.cumsum(kept)])[cells.start]
    return Rows(start, cells.columns[kept], cells.values[kept])


def _moved(zone: IntArray, latitude: FloatArray, longitude: FloatArray) -> npt.NDArray[np.bool_]:
    """Return for each basket whether it went elsewhere than the one before; positions as bits, for NaN."""
    moved = np.ones(len(zone), dtype=bool)
    bits = (zone, latitude.view(np.int32), longitude.view(np.int32))
    np.logical_or.reduce([each[1:] != each[:-1] for each in bits], out=moved[1:])
    return moved
