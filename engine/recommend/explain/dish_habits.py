"""When a customer orders a dish: on which weekday, at which time of day, and how long apart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from engine.columns import DAY_S
from engine.history.dayparts import Dayparts
from engine.models.arrays import IntArray, LongArray, read_only
from engine.models.query import Query
from engine.recommend.explain.reasons import DAYPARTS, WEEKDAYS, Reason, reason
from engine.recommend.kernels.habits import (
    HOUR_S,
    LEAST_ORDERS,
    MOST_WEEKDAYS,
    NO_HABIT,
    USUAL_DAYPART,
    dish_habit,
    dish_habits,
)

YEAR_S, EPOCH_YEAR = 31_556_952, 1970
# 1970 began on a Thursday; Monday is 0.
FIRST_WEEKDAY = 3


@dataclass(frozen=True, slots=True)
class Shifts:
    """How far a clock runs ahead of UTC: from the instant `since[i]` on by `ahead[i]` seconds; both int64."""

    since: LongArray
    ahead: LongArray

    def local(self, at: int) -> int:
        """Return `at` as the clock shows it, in seconds."""
        return at + int(self.ahead[max(int(self.since.searchsorted(at, side="right")) - 1, 0)])


NO_SHIFTS = Shifts(read_only(np.empty(0, np.int64)), read_only(np.empty(0, np.int64)))


def shifts_of(clock: ZoneInfo, first: int, last: int) -> Shifts:
    """Return the clock's shifts, good from a year before `first` to a year after `last` (seconds since 1970).

    Baskets may be a little out of order: an order can arrive late.
    """
    # Mean years will do: there is a year to spare on both sides.
    years = sorted((EPOCH_YEAR + first // YEAR_S, EPOCH_YEAR + last // YEAR_S))
    return _shifts(clock, years[0] - 1, years[1] + 1)


@lru_cache(maxsize=256)
def _shifts(clock: ZoneInfo, first_year: int, last_year: int) -> Shifts:
    def ahead(at: int) -> int:
        return int((datetime.fromtimestamp(at, clock).utcoffset() or timedelta()).total_seconds())

    begin, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (first_year, last_year + 1))
    since, shifts = [begin], [ahead(begin)]
    # No clock is moved twice within a day.
    for noon in range(begin, end, DAY_S):
        if ahead(noon + DAY_S) == shifts[-1]:
            continue
        low, high = noon, noon + DAY_S
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if ahead(middle) == shifts[-1] else (low, middle)
        since.append(high)
        shifts.append(ahead(high))
    return Shifts(read_only(np.array(since, np.int64)), read_only(np.array(shifts, np.int64)))


@lru_cache(maxsize=16)
def _part_of_hour(dayparts: Dayparts) -> IntArray:
    found: IntArray = read_only(np.array(dayparts.part_of_hour(), np.int32))
    return found


def habit(
    instants: LongArray, now: int, clock: ZoneInfo, language: str, dayparts: Dayparts = Dayparts()
) -> Reason | None:
    """Return what today has to do with the orders of a dish at `instants` (ascending seconds), None where nothing.

    A weekday is a habit when three orders or more, on as many days, fell on it and they are at least 60 % of all; it
    is told on that weekday alone, and "most Fridays" only where at least half of the Fridays since the first had one.
    A time of day likewise. Local by `clock`.
    """
    if len(instants) < LEAST_ORDERS:
        return None
    shifts = shifts_of(clock, int(instants[0]), now)
    code = dish_habit(read_only(instants), now, shifts.since, shifts.ahead, _part_of_hour(dayparts))
    return worded(code, shifts.local(now), language, dayparts) if code else None


def habits(
    columns: IntArray, query: Query, clock: ZoneInfo | None, dayparts: Dayparts, *, hours: bool = True
) -> tuple[IntArray, IntArray, int]:
    """Return, by dish, how many of their baskets hold it and the code of its habit, and what their clock shows now.

    Without a clock nothing is a habit, and without `hours` no time of day.
    """
    shifts = NO_SHIFTS if clock is None or not len(query.at) else shifts_of(clock, int(query.at[0]), query.now)
    times, codes, local = dish_habits(
        columns, query.items, query.start, query.at, query.now, shifts.since, shifts.ahead, _part_of_hour(dayparts)
    )
    if not hours:
        codes[codes == USUAL_DAYPART] = NO_HABIT
    return times, codes, local


def worded(code: int, local: int, language: str, dayparts: Dayparts) -> Reason:
    """Return the habit with this code in words, told at `local` seconds by their clock."""
    told = "zh" if language == "zh" else "en"
    if code == USUAL_DAYPART:
        return reason("usual_daypart", language, daypart=DAYPARTS[told][dayparts.at(local % DAY_S // HOUR_S)])
    name = "most_weekdays" if code == MOST_WEEKDAYS else "mostly_weekday"
    return reason(name, language, weekday=WEEKDAYS[told][(local // DAY_S + FIRST_WEEKDAY) % 7])
