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
from engine.runtime.compiled import compiled

LEAST_ORDERS = 3
MOST_OF = 0.6
HOUR_S, YEAR_S = 3600, 31_556_952
EPOCH_YEAR = 1970
# 1970 began on a Thursday; Monday is 0.
FIRST_WEEKDAY = 3
ANY_PART, NEVER = -1, 2**62
NO_HABIT, MOST_WEEKDAYS, MOSTLY_WEEKDAY, USUAL_DAYPART = range(4)


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
    code = _habit(read_only(instants), now, shifts.since, shifts.ahead, _part_of_hour(dayparts))
    return worded(code, shifts.local(now), language, dayparts) if code else None


def habits(
    columns: IntArray, query: Query, clock: ZoneInfo | None, dayparts: Dayparts, *, hours: bool = True
) -> tuple[IntArray, IntArray, int]:
    """Return, by dish, how many of their baskets hold it and the code of its habit, and what their clock shows now.

    Without a clock nothing is a habit, and without `hours` no time of day.
    """
    shifts = NO_SHIFTS if clock is None or not len(query.at) else shifts_of(clock, int(query.at[0]), query.now)
    times, codes, local = _habits(
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


@compiled
def _habits(
    columns: IntArray,
    items: IntArray,
    start: LongArray,
    at: LongArray,
    now: int,
    since: LongArray,
    ahead: LongArray,
    part_of_hour: IntArray,
) -> tuple[IntArray, IntArray, int]:
    """Return what `habits` does; `since` is empty where habits are not to be told."""
    times, codes = np.zeros(len(columns), dtype=np.int32), np.zeros(len(columns), dtype=np.int32)
    instants = np.empty(len(at), dtype=np.int64)
    for i in range(len(columns)):
        n = 0
        for basket in range(len(at)):
            for line in range(start[basket], start[basket + 1]):
                if items[line] == columns[i]:
                    instants[n] = at[basket]
                    n += 1
                    break
        times[i] = n
        if n >= LEAST_ORDERS and len(since):
            codes[i] = _habit(instants[:n], now, since, ahead, part_of_hour)
    return times, codes, _local(now, since, ahead) if len(since) else 0


@compiled
def _habit(instants: LongArray, now: int, since: LongArray, ahead: LongArray, part_of_hour: IntArray) -> int:
    """Return the code of what `instants` (ascending) are to `now`; see `habit`."""
    n = len(instants)
    days, parts = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    for i in range(n):
        local = _local(instants[i], since, ahead)
        days[i], parts[i] = local // DAY_S, part_of_hour[local % DAY_S // HOUR_S]
    today = _local(now, since, ahead)
    day, part = today // DAY_S, part_of_hour[today % DAY_S // HOUR_S]
    on_weekday, in_part, same_days, part_days, first = 0, 0, 0, 0, np.int64(NEVER)
    for i in range(n):
        if (day - days[i]) % 7 == 0:
            on_weekday += 1
            first = min(first, days[i])
            same_days += _new_day(days, parts, i, ANY_PART)
        if parts[i] == part:
            in_part += 1
            part_days += _new_day(days, parts, i, part)
    if same_days >= LEAST_ORDERS and on_weekday >= MOST_OF * n:
        return MOST_WEEKDAYS if 2 * same_days >= (day - first) // 7 + 1 else MOSTLY_WEEKDAY
    return USUAL_DAYPART if part_days >= LEAST_ORDERS and in_part >= MOST_OF * n else NO_HABIT


@compiled
def _new_day(days: LongArray, parts: LongArray, i: int, part: int) -> bool:
    """Say whether no earlier order (in this part of the day) fell on the day of the i-th."""
    for j in range(i):  # noqa: SIM110 - a generator is slower compiled
        if days[j] == days[i] and part in (ANY_PART, parts[j]):
            return False
    return True


@compiled
def _local(at: int, since: LongArray, ahead: LongArray) -> int:
    for i in range(len(since) - 1, 0, -1):
        if at >= since[i]:
            return int(at + ahead[i])
    return int(at + ahead[0])
