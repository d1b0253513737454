"""Which model brought each dish, and what else must hold before a reason may be given."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.models.arrays import FloatArray, IntArray, LongArray
from engine.runtime.compiled import compiled


@compiled
def has_opinion(
    scores: FloatArray, model: IntArray, adds: npt.NDArray[np.bool_], least: FloatArray
) -> npt.NDArray[np.bool_]:
    """Say of each row whether the model that brought it adds to its score, and scores it at `least`."""
    found = np.zeros(len(model), dtype=np.bool_)
    for row in range(len(model)):
        found[row] = adds[row] and scores[row, model[row]] >= least[model[row]]
    return found


@compiled
def rare_since(
    columns: IntArray, baskets: FloatArray, first_at: LongArray, rare: float, since: int
) -> npt.NDArray[np.bool_]:
    """Say of each column whether fewer than `rare` baskets hold it and none from before second `since`."""
    found = np.zeros(len(columns), dtype=np.bool_)
    for row in range(len(columns)):
        found[row] = baskets[columns[row]] < rare and first_at[columns[row]] >= since
    return found


@compiled
def brought_by(
    columns: IntArray, model: IntArray, adds: npt.NDArray[np.bool_], times: IntArray, number: int
) -> tuple[IntArray, bool]:
    """Return the columns that model `number` brought and they never ordered, -1 for others, and whether any is."""
    wanted, some = np.full(len(columns), -1, dtype=np.int32), False
    for row in range(len(columns)):
        if adds[row] and model[row] == number and not times[row]:
            wanted[row], some = columns[row], True
    return wanted, some


@compiled
def top_contributor(parts: FloatArray, weights: FloatArray) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """Return, by row, the model whose weighted score is greatest, of equals the first, and whether it is over 0."""
    n = len(parts)
    model, adds = np.zeros(n, dtype=np.int32), np.zeros(n, dtype=np.bool_)
    for row in range(n):
        most = parts[row, 0] * weights[0]
        for each in range(1, len(weights)):
            if parts[row, each] * weights[each] > most:
                most, model[row] = parts[row, each] * weights[each], each
        adds[row] = most > 0
    return model, adds
