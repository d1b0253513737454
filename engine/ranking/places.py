"""Where she asks from, and which of her orders went there: home and office are ordered to differently."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.models.base import Baskets, Place

# About 300 m: the same building whatever the phone says.
NEAR_DEGREES = 0.003


def default_place(baskets: Baskets, row: int, place: Place) -> Place:
    """Return `place`, or the place of the customer's last basket where the request names none.

    The vendor is never guessed.
    """
    if row < 0 or baskets.customer_start[row] == baskets.customer_start[row + 1]:
        return place
    if place.zone >= 0 or (np.isfinite(place.latitude) and np.isfinite(place.longitude)):
        return place  # a request that says where she is now knows better than history
    last = int(baskets.customer_start[row + 1]) - 1
    return Place(int(baskets.zone[last]), place.vendor, float(baskets.latitude[last]), float(baskets.longitude[last]))


def went_to(
    place: Place,
    zone: npt.NDArray[np.integer],
    latitude: npt.NDArray[np.floating],
    longitude: npt.NDArray[np.floating],
) -> npt.NDArray[np.bool_]:
    """Return, per basket, whether it went to `place`: within 300 m, or to its zone where no position is known."""
    if np.isfinite(place.latitude) and np.isfinite(place.longitude):
        near: npt.NDArray[np.bool_] = (np.abs(latitude - place.latitude) < NEAR_DEGREES) & (
            np.abs(longitude - place.longitude) < NEAR_DEGREES
        )
        return near
    if place.zone >= 0:
        return np.asarray(zone == place.zone)
    return np.zeros(len(zone), dtype=bool)
