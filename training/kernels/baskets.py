"""Order lines laid out as baskets, customer after customer."""

from __future__ import annotations

import numpy as np

from engine.models.arrays import FloatArray, IntArray, LongArray
from engine.runtime.compiled import compiled


@compiled
def in_order(start: LongArray, order: IntArray, at: LongArray, basket_no: LongArray) -> bool:
    """Return whether each customer's orders are sorted by instant, then by basket number, -1 last."""
    for customer in range(len(start) - 1):
        for place in range(start[customer] + 1, start[customer + 1]):
            before, after = order[place - 1], order[place]
            if at[before] > at[after]:
                return False
            # A number below 0 counts as the greatest.
            if at[before] == at[after] and np.uint64(basket_no[before]) > np.uint64(basket_no[after]):
                return False
    return True


@compiled
def lay_baskets(
    order: IntArray, source: LongArray, item: IntArray, quantity: FloatArray, vendor: IntArray
) -> tuple[LongArray, IntArray, FloatArray, IntArray]:
    """Return where baskets begin, their items in ascending order with quantities, and the vendor of the first line.

    A dish named on two lines of one order is one line of the basket with both quantities.
    """
    start, vendors = np.zeros(len(order) + 1, np.int64), np.empty(len(order), np.int32)
    items, quantities = np.empty(len(item), np.int32), np.empty(len(item), np.float32)
    lines = np.empty(np.diff(source).max(), np.int64)
    n = 0
    for basket in range(len(order)):
        first = source[order[basket]]
        size = source[order[basket] + 1] - first
        for i in range(size):
            place = i
            while place > 0 and item[lines[place - 1]] > item[first + i]:
                lines[place] = lines[place - 1]
                place -= 1
            lines[place] = first + i
        vendors[basket] = vendor[lines[0]]
        for i in range(size):
            line = lines[i]
            if i and items[n - 1] == item[line]:
                quantities[n - 1] += quantity[line]
            else:
                items[n], quantities[n] = item[line], quantity[line]
                n += 1
        start[basket + 1] = n
    return start, items[:n].copy(), quantities[:n].copy(), vendors
