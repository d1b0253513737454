"""The ranker's rows, and the facts of items they are made of; `FeatureSlot` says where each figure stands."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from engine.columns import DAY_S, KM_PER_DEGREE
from engine.models.arrays import FloatArray, IntArray, LongArray
from engine.models.kernels.board_rows import COUNT, FIRST, HERE, LAST, RECENT
from engine.runtime.compiled import compiled

LEAST_REACH_KM = 0.3
# Of an item's orders at most so many say where it goes: the median of more is the same.
MOST_PLACED = 1_000
MOST_BITS = np.iinfo(np.int32).max


class FeatureSlot(IntEnum):
    """A feature's place in a candidate's row, after the scores of the models and of the blend and the blend's rank.

    The names, in lower case, are those of the artifact; writer and reader both go by them.
    """

    OWN_COUNT = 0
    OWN_SHARE = 1
    BASKETS_SINCE = 2
    DAYS_SINCE = 3
    GAPS_SINCE = 4
    OWN_RECENT = 5
    OWN_HERE = 6
    OWN_HERE_SHARE = 7
    BASKETS = 8
    MEAN_SIZE = 9
    DAYS_SINCE_LAST = 10
    DISTINCT_SHARE = 11
    BASKETS_HERE = 12
    REBUY_RATE = 13
    LOG_BUYERS = 14
    TREND = 15
    DISTANCE_KM = 16
    DISTANCE_SHARE = 17


SLOTS = len(FeatureSlot)
# Beside the models' scores: the blend's score and its rank.
OF_BLEND = 2


@compiled
def count_buyers(items: IntArray, times: FloatArray, n_items: int) -> tuple[LongArray, LongArray]:
    """Return (items,) how many customers bought each, and how many of them in more than one basket."""
    buyers, again = np.zeros(n_items, np.int64), np.zeros(n_items, np.int64)
    for at in range(len(items)):
        buyers[items[at]] += 1
        again[items[at]] += times[at] > 1
    return buyers, again


@compiled
def count_orders(
    start: LongArray, items: IntArray, at: LongArray, since: int, n_items: int
) -> tuple[LongArray, LongArray]:
    """Return (items,) how many baskets hold each, and how many from second `since` on."""
    overall, recent = np.zeros(n_items, np.int64), np.zeros(n_items, np.int64)
    for basket in range(len(at)):
        new = at[basket] >= since
        for line in range(start[basket], start[basket + 1]):
            overall[items[line]] += 1
            recent[items[line]] += new
    return overall, recent


@compiled
def item_places(
    start: LongArray, items: IntArray, latitude: FloatArray, longitude: FloatArray, n_items: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return float32 (items) latitude, longitude and reach of each item's orders, of many every second, third ..."""
    located = np.zeros(n_items + 1, dtype=np.int64)
    for basket in range(len(latitude)):
        if np.isfinite(latitude[basket]) and np.isfinite(longitude[basket]):
            for line in range(start[basket], start[basket + 1]):
                located[items[line]] += 1
    step = (located[:-1] + MOST_PLACED - 1) // MOST_PLACED
    first = np.zeros(n_items + 1, dtype=np.int64)
    for item in range(n_items):
        first[item + 1] = first[item] + (-(-located[item] // step[item]) if step[item] else 0)
    told, left = np.empty((2, first[-1]), np.float32), np.zeros(n_items, dtype=np.int64)
    place = first[:-1].copy()
    for basket in range(len(latitude)):
        if np.isfinite(latitude[basket]) and np.isfinite(longitude[basket]):
            for line in range(start[basket], start[basket + 1]):
                item = items[line]
                if left[item] == 0:
                    told[0, place[item]], told[1, place[item]] = latitude[basket], longitude[basket]
                    place[item] += 1
                    left[item] = step[item]
                left[item] -= 1
    found = np.full((3, n_items), np.nan, dtype=np.float32)
    for item in range(n_items):
        own = told[:, first[item] : first[item + 1]]
        if own.shape[1]:
            found[0, item], found[1, item] = median_in_place(own[0].copy()), median_in_place(own[1].copy())
            north, east = own[0] - found[0, item], own[1] - found[1, item]
            away = np.sqrt(north**2 + (east * np.cos(np.radians(found[0, item]))) ** 2)
            found[2, item] = np.float32(KM_PER_DEGREE) * median_in_place(away.astype(np.float32))
    return found[0], found[1], found[2]


@compiled
def median_in_place(values: FloatArray) -> np.float32:
    """Return the middle of the values, or between the middle two; the array is used up.

    Halves the range of their bits, which as numbers stand in the values' own order: however many are equal, and as
    orders of one customer go to one place many are, it takes no longer.
    """
    bits = values.view(np.int32)
    for at in range(len(bits)):
        if bits[at] < 0:
            bits[at] ^= np.int32(0x7FFFFFFF)
    wanted = (len(bits) - 1) // 2
    low, high = np.int64(bits.min()), np.int64(bits.max())
    while low < high:
        half = (low + high) // 2
        if count_up_to(bits, np.int32(half)) > wanted:
            high = half
        else:
            low = half + 1
    middle = np.empty(2, dtype=np.int32)
    middle[:] = low
    if len(bits) % 2 == 0 and count_up_to(bits, middle[0]) == wanted + 1:
        middle[1] = MOST_BITS
        for at in range(len(bits)):
            if bits[at] > middle[0]:
                middle[1] = min(middle[1], bits[at])
    for side in range(2):
        if middle[side] < 0:
            middle[side] ^= np.int32(0x7FFFFFFF)
    found = middle.view(np.float32)
    return np.float32((found[0] + found[1]) / np.float32(2))


@compiled
def count_up_to(bits: IntArray, bound: np.int32) -> int:
    """Count the numbers that are no greater than `bound`."""
    below = np.int32(0)
    for at in range(len(bits)):
        below += np.int32(bits[at] <= bound)
    return int(below)


@compiled
def fill_own_features(table: FloatArray, own: FloatArray, at: LongArray, now: int, n_baskets: int, went: int) -> None:
    """Write the slots of the customer's own history with the dish; `table` begins at the first slot."""
    count, last, first = own[COUNT], int(own[LAST]), int(own[FIRST])
    days = (now - at[last]) / DAY_S
    table[FeatureSlot.OWN_COUNT.value] = count
    table[FeatureSlot.OWN_SHARE.value] = count / n_baskets
    table[FeatureSlot.BASKETS_SINCE.value] = n_baskets - last
    table[FeatureSlot.DAYS_SINCE.value] = days
    if count > 1:
        table[FeatureSlot.GAPS_SINCE.value] = days / max((at[last] - at[first]) / DAY_S / (count - 1), 0.5)
    table[FeatureSlot.OWN_RECENT.value] = own[RECENT]
    table[FeatureSlot.OWN_HERE.value] = own[HERE]
    if went:
        table[FeatureSlot.OWN_HERE_SHARE.value] = own[HERE] / went


@compiled
def feature_table(
    columns: IntArray,
    parts: FloatArray,
    own: FloatArray,
    n_own: int,
    rows: IntArray,
    blended: FloatArray,
    start: LongArray,
    at: LongArray,
    here: npt.NDArray[np.bool_],
    now: int,
    rebuy_rate: FloatArray,
    log_buyers: FloatArray,
    trend: FloatArray,
    latitude: float,
    longitude: float,
    to_latitude: FloatArray,
    to_longitude: FloatArray,
    reach_km: FloatArray,
) -> FloatArray:
    """Return (rows, features): the models' scores, the blend's and its rank, then the slots; -1 where none applies."""
    n, n_models, n_baskets = len(rows), parts.shape[1], len(start) - 1
    base = n_models + OF_BLEND
    table = np.full((n, base + SLOTS), -1, dtype=np.float32)
    went = 0
    for basket in range(n_baskets):
        went += here[basket]
    for i in range(n):
        row = rows[i]
        for model in range(n_models):
            table[i, model] = parts[row, model]
        table[i, n_models] = blended[i]
        table[i, n_models + 1] = i
        table[i, base + FeatureSlot.OWN_COUNT.value] = 0
        if row < n_own:
            fill_own_features(table[i, base:], own[row], at, now, n_baskets, went)
        table[i, base + FeatureSlot.BASKETS.value] = n_baskets
        table[i, base + FeatureSlot.BASKETS_HERE.value] = went
        if n_baskets:
            lines = start[-1] - start[0]
            table[i, base + FeatureSlot.MEAN_SIZE.value] = lines / n_baskets
            table[i, base + FeatureSlot.DAYS_SINCE_LAST.value] = (now - at[-1]) / DAY_S
            table[i, base + FeatureSlot.DISTINCT_SHARE.value] = n_own / lines
        column = columns[row]
        table[i, base + FeatureSlot.REBUY_RATE.value] = rebuy_rate[column]
        table[i, base + FeatureSlot.LOG_BUYERS.value] = log_buyers[column]
        table[i, base + FeatureSlot.TREND.value] = trend[column]
        north = latitude - to_latitude[column]
        east = (longitude - to_longitude[column]) * np.cos(np.radians(to_latitude[column]))
        away = KM_PER_DEGREE * np.sqrt(north**2 + east**2)
        if away >= 0:  # neither place is unknown
            table[i, base + FeatureSlot.DISTANCE_KM.value] = away
            table[i, base + FeatureSlot.DISTANCE_SHARE.value] = away / max(reach_km[column], LEAST_REACH_KM)
    return table
