"""Map cells around a place, small ones near and large ones far."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from engine.models.arrays import LongArray
from engine.runtime.compiled import compiled

# In degrees, from about 18 km down to 550 m; each cell holds two by two of the next.
CELL_DEGREES = (0.16, 0.08, 0.04, 0.02, 0.01, 0.005)


@compiled
def tiles_around(y: int, x: int) -> tuple[LongArray, npt.NDArray[np.float64]]:
    """Return keys of the cells that tile the map around a smallest cell, and degrees to their middles."""
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
