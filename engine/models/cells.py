"""The map as cells within larger cells, and zones: numbered so that equal places have equal keys."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from engine.compiled import compiled
from engine.models.board import FloatArray, LongArray

# In degrees, from about 18 km down to 550 m; each cell holds two by two of the next.
CELL_DEGREES = (0.16, 0.08, 0.04, 0.02, 0.01, 0.005)
# Stands in front of a zone's key, as 1 to 6 stand in front of a cell's.
ZONE_LEVEL = 15


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
    themselves, because what does is told more finely: the interaction lists of Greengard and Rokhlin (1987). Together
    they reach at least 0.32 degrees far. Distances are on a flat map.
    """
    return _around(y, x)


@compiled
def _around(y: int, x: int) -> tuple[LongArray, npt.NDArray[np.float64]]:
    size = CELL_DEGREES[-1]
    latitude, longitude = (y + 0.5) * size - 90, (x + 0.5) * size - 180
    narrower = math.cos(math.radians(min(abs(latitude), 89.0)))
    keys, degrees = np.empty(36 * len(CELL_DEGREES), np.int64), np.empty(36 * len(CELL_DEGREES), np.float64)
    n = 0
    for level in range(len(CELL_DEGREES), 0, -1):
        size = CELL_DEGREES[level - 1]
        # The children of three by three parents.
        for row in range(y // 2 * 2 - 2, y // 2 * 2 + 4):
            for column in range(x // 2 * 2 - 2, x // 2 * 2 + 4):
                if level < len(CELL_DEGREES) and max(abs(row - y), abs(column - x)) <= 1:
                    continue
                north = (row + 0.5) * size - 90 - latitude
                east = ((column + 0.5) * size - 180 - longitude) * narrower
                keys[n], degrees[n] = np.int64(level) << 48 | np.int64(row) << 24 | column, math.hypot(north, east)
                n += 1
        y, x = y // 2, x // 2
    return keys[:n], degrees[:n]


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
