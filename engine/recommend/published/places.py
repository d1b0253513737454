"""Where the customer asks from, and which of their orders went there: home and office are ordered to differently."""

from __future__ import annotations

from math import isfinite
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.models.arrays import LongArray
from engine.models.baskets import Baskets
from engine.models.query import Place
from engine.recommend.kernels.places import NEAR_DEGREES, baskets_and_place


class TrainedBaskets(NamedTuple):
    """Their baskets in the history trained on, and where the customer asks from.

    They are `first` to `end` of all baskets and lie in `line` to `line_end` of all lines; `start` (baskets + 1) counts
    from their own first line, `here` says which went to the place.
    """

    first: int
    end: int
    line: int
    line_end: int
    start: LongArray
    here: npt.NDArray[np.bool_]
    place: Place


def trained_baskets(baskets: Baskets, row: int, place: Place) -> TrainedBaskets:
    """Return the baskets of customer `row` (-1: none), asked for from `place` or, where it says nothing, from the last.

    A request that says where the customer is now knows better than history; the vendor is never guessed.
    """
    first, end, line, line_end, start, here, zone, latitude, longitude = baskets_and_place(
        row,
        baskets.customer_start,
        baskets.basket_start,
        baskets.zone,
        baskets.latitude,
        baskets.longitude,
        place.zone,
        place.latitude,
        place.longitude,
    )
    if first < end and place.zone < 0 and not (isfinite(place.latitude) and isfinite(place.longitude)):
        place = Place(zone, place.vendor, latitude, longitude)
    return TrainedBaskets(first, end, line, line_end, start, here, place)


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
