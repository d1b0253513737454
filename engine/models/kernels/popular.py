"""Counts of places added up on a board."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.models.arrays import FloatArray, IntArray, LongArray
from engine.runtime.compiled import compiled


@compiled
def largest_counts(start: LongArray, counts: FloatArray, places: LongArray) -> FloatArray:
    """Return each place's largest count, 0 where it has none."""
    found = np.zeros(len(places), dtype=np.float32)
    for i in range(len(places)):
        for entry in range(start[places[i]], start[places[i] + 1]):
            found[i] = max(found[i], counts[entry])
    return found


@compiled
def add_places(
    start: LongArray,
    items: IntArray,
    counts: FloatArray,
    places: LongArray,
    weights: FloatArray,
    enough: int,
    mask: npt.NDArray[np.bool_],
    part: int,
    n: int,
    row_of: IntArray,
    columns: IntArray,
    parts: FloatArray,
) -> tuple[int, int]:
    """Add each place's counts times its weight; return the rows there are, and how many of them may be shown here."""
    found, full = 0, False
    for at in range(len(places)):
        full = full or (at == 1 and found >= enough)
        for entry in range(start[places[at]], start[places[at] + 1]):
            item = items[entry]
            row = row_of[item]
            if row < 0:
                if full or not mask[item]:
                    continue
                row = n
                n += 1
                row_of[item] = row
                columns[row] = item
                parts[row, :] = 0
            if parts[row, part] == 0 and mask[item]:
                found += 1
            parts[row, part] += weights[at] * counts[entry]
    return n, found


@compiled
def add_everywhere(
    share: FloatArray, times: np.float32, rows: IntArray, columns: IntArray, parts: FloatArray, part: int
) -> None:
    """Add to each of `rows` everywhere's share of its dish, `times` over."""
    for row in rows:
        parts[row, part] += times * share[columns[row]]


@compiled
def weigh_rows(
    factors: FloatArray, group: int, rows: IntArray, columns: IntArray, parts: FloatArray, part: int
) -> None:
    """Multiply the scores of `part` for `rows` by the factor (groups, items) that each dish has in `group`."""
    for row in rows:
        parts[row, part] *= factors[group, columns[row]]
