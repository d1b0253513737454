"""On which weekday and at which time of day the baskets with a dish came, by the customer's clock."""

from __future__ import annotations

import numpy as np

from engine.columns import DAY_S
from engine.models.arrays import IntArray, LongArray
from engine.runtime.compiled import compiled

LEAST_ORDERS = 3
MOST_OF = 0.6
HOUR_S = 3600
ANY_PART, NEVER = -1, 2**62
NO_HABIT, MOST_WEEKDAYS, MOSTLY_WEEKDAY, USUAL_DAYPART = range(4)


@compiled
def dish_habits(
    columns: IntArray,
    items: IntArray,
    start: LongArray,
    at: LongArray,
    now: int,
    since: LongArray,
    ahead: LongArray,
    part_of_hour: IntArray,
) -> tuple[IntArray, IntArray, int]:
    """Return, by dish, the baskets that hold it and its habit's code, and the local time; `since` empty: no habits."""
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
            codes[i] = dish_habit(instants[:n], now, since, ahead, part_of_hour)
    return times, codes, clock_time(now, since, ahead) if len(since) else 0


@compiled
def dish_habit(instants: LongArray, now: int, since: LongArray, ahead: LongArray, part_of_hour: IntArray) -> int:
    """Return the code of what `instants` (ascending) are to `now`; `explain/dish_habits.py` says in words which."""
    n = len(instants)
    days, parts = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    for i in range(n):
        local = clock_time(instants[i], since, ahead)
        days[i], parts[i] = local // DAY_S, part_of_hour[local % DAY_S // HOUR_S]
    today = clock_time(now, since, ahead)
    day, part = today // DAY_S, part_of_hour[today % DAY_S // HOUR_S]
    on_weekday, in_part, same_days, part_days, first = 0, 0, 0, 0, np.int64(NEVER)
    for i in range(n):
        if (day - days[i]) % 7 == 0:
            on_weekday += 1
            first = min(first, days[i])
            same_days += is_new_day(days, parts, i, ANY_PART)
        if parts[i] == part:
            in_part += 1
            part_days += is_new_day(days, parts, i, part)
    if same_days >= LEAST_ORDERS and on_weekday >= MOST_OF * n:
        return MOST_WEEKDAYS if 2 * same_days >= (day - first) // 7 + 1 else MOSTLY_WEEKDAY
    return USUAL_DAYPART if part_days >= LEAST_ORDERS and in_part >= MOST_OF * n else NO_HABIT


@compiled
def is_new_day(days: LongArray, parts: LongArray, i: int, part: int) -> bool:
    """Say whether no earlier order (in this part of the day) fell on the day of the i-th."""
    for j in range(i):  # noqa: SIM110 - a generator is slower compiled
        if days[j] == days[i] and part in (ANY_PART, parts[j]):
            return False
    return True


@compiled
def clock_time(at: int, since: LongArray, ahead: LongArray) -> int:
    """Return `at` (seconds) as the clock shows it whose shifts are `since` and `ahead`."""
    for i in range(len(since) - 1, 0, -1):
        if at >= since[i]:
            return int(at + ahead[i])
    return int(at + ahead[0])
