"""The loops of the board: rows are added and cleared by undoing only what was written."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.models.arrays import FloatArray, IntArray, LongArray
from engine.runtime.compiled import compiled

# What is kept of each dish the customer ordered: baskets with it, number of the first and of the last such basket, how
# many of the newest three, how many that went to the place of the request.
COUNT, FIRST, LAST, RECENT, HERE = range(5)
RECENT_BASKETS = 3


@compiled
def clear(row_of: IntArray, columns: IntArray, n: int) -> None:
    """Take the rows of the customer before off the board."""
    for row in range(n):
        row_of[columns[row]] = -1


@compiled
def own_dishes(
    items: IntArray,
    start: LongArray,
    here: npt.NDArray[np.bool_],
    row_of: IntArray,
    columns: IntArray,
    model_scores: FloatArray,
    own: FloatArray,
) -> int:
    """Give each dish the customer ordered a row, with its figures; return how many rows there are."""
    n, n_baskets = 0, len(start) - 1
    for basket in range(n_baskets):
        newer = n_baskets - 1 - basket
        for line in range(start[basket], start[basket + 1]):
            item = items[line]
            row = row_of[item]
            if row < 0:
                row = n
                n += 1
                row_of[item] = row
                columns[row] = item
                model_scores[row, :] = 0
                own[row, :] = 0
                own[row, FIRST] = basket
            own[row, COUNT] += 1
            own[row, LAST] = basket
            if newer < RECENT_BASKETS:
                own[row, RECENT] += 1
            if here[basket]:
                own[row, HERE] += 1
    return n


@compiled
def add_rows(
    start: LongArray,
    items: IntArray,
    values: FloatArray,
    seeds: IntArray,
    weights: FloatArray,
    part: int,
    n: int,
    row_of: IntArray,
    columns: IntArray,
    model_scores: FloatArray,
) -> int:
    """Add the rows `seeds` of a sparse matrix, each times its weight, to one model's scores; return the rows now."""
    for at in range(len(seeds)):
        weight = weights[at]
        for entry in range(start[seeds[at]], start[seeds[at] + 1]):
            item = items[entry]
            row = row_of[item]
            if row < 0:
                row = n
                n += 1
                row_of[item] = row
                columns[row] = item
                model_scores[row, :] = 0
            model_scores[row, part] += weight * values[entry]
    return n


@compiled
def add_columns(
    wanted: IntArray,
    mask: npt.NDArray[np.bool_],
    most: int,
    n: int,
    row_of: IntArray,
    columns: IntArray,
    model_scores: FloatArray,
) -> tuple[int, bool]:
    """Give the first `most` columns that the mask lets through a row; return the rows now, and whether all were."""
    found = 0
    for item in wanted:
        if found == most:
            break
        if item < 0 or not mask[item]:
            continue
        found += 1
        if row_of[item] < 0:
            row_of[item] = n
            columns[n] = item
            model_scores[n, :] = 0
            n += 1
    return n, found == most
