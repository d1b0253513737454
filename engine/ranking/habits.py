"""When she orders a dish: her weekday, her time of day, her own gap between two orders of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from engine.customers.config import Dayparts
from engine.models.base import IntArray, LongArray, Query
from engine.ranking.reasons import DAYPARTS, WEEKDAYS, Reason, reason

LEAST_ORDERS = 3
MOST_OF = 0.6
DAY_S = 86_400
DAYPART_STARTS = tuple(
    sorted((start, name) for name, start in ((each, getattr(Dayparts(), each)) for each in Dayparts.__slots__))
)


@dataclass(frozen=True, slots=True)
class OwnLines:
    """Her lines: `items` and the number of the basket each lies in, oldest first."""

    items: IntArray
    basket: LongArray

    @classmethod
    def of(cls, query: Query) -> OwnLines:
        """Lay her baskets end to end."""
        return cls(query.items, np.repeat(np.arange(len(query.at)), np.diff(query.start)))

    def times(self, columns: IntArray) -> LongArray:
        """Return how many of her baskets hold each of `columns`."""
        return np.asarray((self.items[:, None] == columns[None, :]).sum(axis=0))

    def orders_of(self, column: int) -> LongArray:
        """Return the numbers of her baskets with `column`, ascending."""
        return np.asarray(self.basket[self.items == column])


def daypart(hour: int) -> str:
    """Return the part of the day a local hour belongs to; before breakfast it is still late."""
    name = "late"
    for start, each in DAYPART_STARTS:
        if hour >= start:
            name = each
    return name


def habit(instants: LongArray, now: int, clock: ZoneInfo, language: str) -> Reason | None:
    """Return what today has to do with the orders of a dish at `instants` (ascending seconds), None where nothing.

    A weekday is a habit when three orders or more, on as many days, fell on it and they are at least 60 % of all; it
    is told on that weekday alone, and "most Fridays" only where at least half of the Fridays since the first had one.
    A time of day likewise. Local by `clock`.
    """
    if len(instants) < LEAST_ORDERS:
        return None
    told = "zh" if language == "zh" else "en"
    local = [datetime.fromtimestamp(at, clock) for at in instants.tolist()]
    here = datetime.fromtimestamp(now, clock)
    same_day = {each.date() for each in local if each.weekday() == here.weekday()}
    on_weekday = sum(each.weekday() == here.weekday() for each in local)
    if len(same_day) >= LEAST_ORDERS and on_weekday >= MOST_OF * len(local):
        weeks = (here.date() - min(same_day)).days // 7 + 1
        code = "most_weekdays" if 2 * len(same_day) >= weeks else "mostly_weekday"
        return reason(code, language, weekday=WEEKDAYS[told][here.weekday()])
    part = daypart(here.hour)
    in_part = [each for each in local if daypart(each.hour) == part]
    if len({each.date() for each in in_part}) >= LEAST_ORDERS and len(in_part) >= MOST_OF * len(local):
        return reason("usual_daypart", language, daypart=DAYPARTS[told][part])
    return None
