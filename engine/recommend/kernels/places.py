"""A customer's baskets of the history trained on, and which of them went to the place asked from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.models.arrays import FloatArray, IntArray, LongArray
from engine.runtime.compiled import compiled

# About 300 m: the same building whatever the phone says.
NEAR_DEGREES = 0.003


@compiled
def baskets_and_place(
    row: int,
    customer_start: LongArray,
    basket_start: LongArray,
    zones: IntArray,
    latitudes: FloatArray,
    longitudes: FloatArray,
    zone: int,
    latitude: float,
    longitude: float,
) -> tuple[int, int, int, int, LongArray, npt.NDArray[np.bool_], int, float, float]:
    """Return the fields of `TrainedBaskets` but the place, and the place's zone, latitude and longitude."""
    first = end = np.int64(0)
    if row >= 0:
        first, end = customer_start[row], customer_start[row + 1]
    start, here = np.empty(end - first + 1, dtype=np.int64), np.zeros(end - first, dtype=np.bool_)
    line = basket_start[first]
    for basket in range(first, end + 1):
        start[basket - first] = basket_start[basket] - line
    if end > first and zone < 0 and not (np.isfinite(latitude) and np.isfinite(longitude)):
        zone, latitude, longitude = zones[end - 1], latitudes[end - 1], longitudes[end - 1]
    located, near = np.isfinite(latitude) and np.isfinite(longitude), np.float32(NEAR_DEGREES)
    # History keeps positions in float32 and is compared in it.
    north, east = np.float32(latitude), np.float32(longitude)
    for basket in range(first, end):
        if located:
            close = abs(latitudes[basket] - north) < near and abs(longitudes[basket] - east) < near
            here[basket - first] = close
        elif zone >= 0:
            here[basket - first] = zones[basket] == zone
    line_end = line + start[end - first]
    return first, end, line, line_end, start, here, zone, latitude, longitude  # type: ignore[return-value]
