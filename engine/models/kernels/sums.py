"""How much of each item the baskets of one group hold together: counting that models share."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.models.arrays import FloatArray, IntArray, LongArray, Rows
from engine.runtime.compiled import compiled

Weights = npt.NDArray[np.floating[Any]]
# Room for so many entries at first; it doubles as often as it must.
ROOM = 1 << 16
# Numbers up to which sorting by insertion is quickest.
SHORT = 64


def sums(groups: LongArray, n_groups: int, weights: Weights, rows: Rows, n_items: int) -> Rows:
    """Return (groups, items): what the rows of each group add up to, each times its weight.

    `groups` (rows) numbers each row's group, -1 for none; `weights` is (rows). Added in float64.
    """
    start, columns, values = (_seen(array) for array in (rows.start, rows.columns, rows.values))
    return Rows(*_sums(_seen(groups), n_groups, _seen(weights), start, columns, values, n_items))


def dense_sums(
    groups: LongArray, n_groups: int, weights: Weights, start: LongArray, items: IntArray, n_items: int
) -> npt.NDArray[np.float64]:
    """Return (groups, items) for few groups: the weights of the baskets of each with the item."""
    return _dense_sums(_seen(groups), n_groups, _seen(weights), _seen(start), _seen(items), n_items)


def held(start: LongArray, items: IntArray) -> Rows:
    """Return baskets as rows: row i holds 1 at each of `items` from start[i] to start[i + 1]."""
    # One number seen from everywhere: ten million ones take no memory.
    return Rows(start, items, np.broadcast_to(np.float32(1), items.shape))


def newest_sums(
    first: LongArray, end: LongArray, by_age: FloatArray, start: LongArray, items: IntArray, n_items: int
) -> Rows:
    """Return (groups, items): what the baskets of each group hold, which lie from first[g] to end[g], newest last.

    A basket weighs `by_age` of how many of its group are newer, the oldest weight from where there are no more. Added
    in float64.
    """
    groups = _seen(first), _seen(end), _seen(by_age)
    return Rows(*_newest_sums(*groups, _seen(start), _seen(items), n_items))


def transitions(
    baskets_of: LongArray, start: LongArray, items: IntArray, since: LongArray, earlier: Rows, total: FloatArray
) -> tuple[Rows, FloatArray]:
    """Return (items, items): how much each item follows each, and (items,) how much each is followed by anything.

    Of two baskets after each other the older gives each of its items an equal share of one vote for all of the newer.
    Customer c has the baskets from baskets_of[c] to baskets_of[c + 1]; only those from since[c] on count as the newer.
    The rest stands in `earlier` and `total`, which are added to.
    """
    given = (baskets_of, start, items, since, earlier.start, earlier.columns, earlier.values, total)
    first, columns, values, total = _transitions(*(_seen(array) for array in given))
    return Rows(first, columns, values), total


def _seen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a read-only view, so that compiled loops meet one kind of array."""
    view = array.view()
    view.setflags(write=False)
    return view


@compiled
def _sums(
    groups: LongArray,
    n_groups: int,
    weights: Weights,
    start: LongArray,
    items: IntArray,
    values: FloatArray,
    n_items: int,
) -> tuple[LongArray, IntArray, FloatArray]:
    first, order = by_number(groups, n_groups)
    found, columns, added = np.zeros(n_groups + 1, np.int64), np.empty(ROOM, np.int32), np.empty(ROOM, np.float32)
    total, touched = np.zeros(n_items, np.float64), np.zeros((n_items + 63) // 64, np.uint64)
    n = 0
    for group in range(n_groups):
        for at in range(first[group], first[group + 1]):
            row = order[at]
            for entry in range(start[row], start[row + 1]):
                item = items[entry]
                total[item] += weights[row] * values[entry]
                touched[item >> 6] |= np.uint64(1) << np.uint64(item & 63)
        columns, added = _with_room(columns, added, n, n_items)
        n = take_touched(total, touched, columns, added, n)
        found[group + 1] = n
    return found, columns[:n].copy(), added[:n].copy()


@compiled
def _newest_sums(
    first: LongArray, end: LongArray, by_age: FloatArray, start: LongArray, items: IntArray, n_items: int
) -> tuple[LongArray, IntArray, FloatArray]:
    total, seen = np.zeros(n_items, np.float64), np.zeros(n_items, np.bool_)
    found, room = np.zeros(len(first) + 1, np.int64), np.int64(0)
    for group in range(len(first)):
        room += start[end[group]] - start[first[group]]
    columns, added = np.empty(room, np.int32), np.empty(room, np.float32)
    n = 0
    for group in range(len(first)):
        begin = n
        for basket in range(first[group], end[group]):
            weight = by_age[min(end[group] - 1 - basket, len(by_age) - 1)]
            for line in range(start[basket], start[basket + 1]):
                item = items[line]
                total[item] += weight
                if not seen[item]:
                    seen[item] = True
                    columns[n] = item
                    n += 1
        own = columns[begin:n]
        _sort(own)
        for at in range(len(own)):
            added[begin + at] = total[own[at]]
            total[own[at]], seen[own[at]] = 0, False
        found[group + 1] = n
    return found, columns[:n].copy(), added[:n].copy()


@compiled
def _sort(own: IntArray) -> None:
    """Sort in place: most are a few dozen, for which nothing beats putting each where it belongs."""
    if len(own) > SHORT:
        own[:] = np.sort(own)
        return
    for at in range(1, len(own)):
        item, place = own[at], at
        while place > 0 and own[place - 1] > item:
            own[place] = own[place - 1]
            place -= 1
        own[place] = item


@compiled
def _dense_sums(
    groups: LongArray, n_groups: int, weights: Weights, start: LongArray, items: IntArray, n_items: int
) -> npt.NDArray[np.float64]:
    total = np.zeros((n_groups, n_items), dtype=np.float64)
    for basket in range(len(groups)):
        own = total[groups[basket]]
        for line in range(start[basket], start[basket + 1]):
            own[items[line]] += weights[basket]
    return total


@compiled
def _transitions(
    baskets_of: LongArray,
    start: LongArray,
    items: IntArray,
    since: LongArray,
    old_start: LongArray,
    old_columns: IntArray,
    old_values: FloatArray,
    old_total: FloatArray,
) -> tuple[LongArray, IntArray, FloatArray, FloatArray]:
    n_items = len(old_total)
    first, order = _followed(baskets_of, start, items, since, n_items)
    found, columns, added = np.zeros(n_items + 1, np.int64), np.empty(ROOM, np.int32), np.empty(ROOM, np.float32)
    total, touched = np.zeros(n_items, np.float64), np.zeros((n_items + 63) // 64, np.uint64)
    votes, n = old_total.copy(), 0
    for item in range(n_items):
        for entry in range(old_start[item], old_start[item + 1]):
            other = old_columns[entry]
            total[other] = old_values[entry]
            touched[other >> 6] |= np.uint64(1) << np.uint64(other & 63)
        given = 0.0
        for at in range(first[item], first[item + 1]):
            basket = order[at]
            vote = 1.0 / (start[basket + 1] - start[basket])
            given += vote
            for line in range(start[basket + 1], start[basket + 2]):
                other = items[line]
                total[other] += vote
                touched[other >> 6] |= np.uint64(1) << np.uint64(other & 63)
        votes[item] += np.float32(given)
        columns, added = _with_room(columns, added, n, n_items)
        n = take_touched(total, touched, columns, added, n)
        found[item + 1] = n
    return found, columns[:n].copy(), added[:n].copy(), votes


@compiled
def _followed(
    baskets_of: LongArray, start: LongArray, items: IntArray, since: LongArray, n_items: int
) -> tuple[LongArray, IntArray]:
    """Return by item the baskets with it after which another counts: those from first[i] to first[i + 1]."""
    first = np.zeros(n_items + 1, np.int64)
    for customer in range(len(since)):
        for newer in range(max(since[customer], baskets_of[customer] + 1), baskets_of[customer + 1]):
            for line in range(start[newer - 1], start[newer]):
                first[items[line] + 1] += 1
    for item in range(n_items):
        first[item + 1] += first[item]
    place, order = first[:-1].copy(), np.empty(first[-1], np.int32)
    for customer in range(len(since)):
        for newer in range(max(since[customer], baskets_of[customer] + 1), baskets_of[customer + 1]):
            for line in range(start[newer - 1], start[newer]):
                order[place[items[line]]] = newer - 1
                place[items[line]] += 1
    return first, order


@compiled
def by_number(groups: LongArray, n_groups: int) -> tuple[LongArray, IntArray]:
    """Return the rows of each group in their own order: those from first[g] to first[g + 1]; group -1 is left out."""
    first = np.zeros(n_groups + 1, np.int64)
    for group in groups:
        if group >= 0:
            first[group + 1] += 1
    for group in range(n_groups):
        first[group + 1] += first[group]
    place, order = first[:-1].copy(), np.empty(first[-1], np.int32)
    for row in range(len(groups)):
        if groups[row] >= 0:
            order[place[groups[row]]] = row
            place[groups[row]] += 1
    return first, order


@compiled
def _with_room(columns: IntArray, added: FloatArray, n: int, more: int) -> tuple[IntArray, FloatArray]:
    """Return both arrays, twice as long where fewer than `more` places are left after the first `n`."""
    if n + more <= len(columns):
        return columns, added
    size = max(2 * len(columns), n + more)
    wider, longer = np.empty(size, np.int32), np.empty(size, np.float32)
    wider[:n], longer[:n] = columns[:n], added[:n]
    return wider, longer


@compiled
def take_touched(
    total: npt.NDArray[np.float64], touched: npt.NDArray[np.uint64], columns: IntArray, added: FloatArray, n: int
) -> int:
    """Write what was touched, in the order of the items, after the first `n`, and forget it; return the new number.

    One bit an item: its own order comes cheaper from looking at all bits than from sorting.
    """
    for word in range(len(touched)):
        bits = touched[word]
        if not bits:
            continue
        touched[word] = 0
        for bit in range(64):
            if bits >> np.uint64(bit) & np.uint64(1):
                item = word * 64 + bit
                columns[n], added[n] = item, total[item]
                total[item] = 0
                n += 1
    return n
