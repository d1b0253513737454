"""The map in cells."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.models.cells import cell_of, cells_around, place_keys
from engine.models.kernels.cells import CELL_DEGREES

LEVELS = len(CELL_DEGREES)


def smallest_in(key: int) -> list[tuple[int, int]]:
    """Return the smallest cells that the cell of `key` holds."""
    level, y, x = key >> 48, key >> 24 & 0xFFFFFF, key & 0xFFFFFF
    times = 2 ** (LEVELS - level)
    return [(y * times + i, x * times + j) for i in range(times) for j in range(times)]


@settings(max_examples=25)
@given(st.integers(2_000, 30_000), st.integers(2_000, 70_000))
def test_cells_around_a_place_cover_the_map_around_it_once(y: int, x: int) -> None:
    covered = Counter(cell for key in cells_around(y, x)[0].tolist() for cell in smallest_in(key))
    assert set(covered.values()) == {1}
    times = 2**LEVELS
    assert len(covered) == (3 * times) ** 2
    assert {(y + i, x + j) for i in (-times, 0, times) for j in (-times, 0, times)} <= set(covered)


@given(st.floats(-85, 85, width=32), st.floats(-179, 179, width=32))
def test_a_place_lies_in_exactly_one_of_the_cells_around_itself(latitude: float, longitude: float) -> None:
    around, degrees = cells_around(*cell_of(latitude, longitude))
    nowhere = np.array([-1], np.int32)
    spot = (np.array([latitude], np.float32), np.array([longitude], np.float32))
    own = {int(keys[0]) for level, keys in place_keys(nowhere, *spot) if level <= LEVELS}
    found = [key for key in around.tolist() if key in own]
    assert len(found) == 1
    assert degrees[around == found[0]][0] < CELL_DEGREES[-1] / 2


def test_distances_to_the_east_shrink_towards_the_poles() -> None:
    for latitude in (0.0, 60.0):
        around, degrees = cells_around(*cell_of(latitude, 10.0))
        y, x = cell_of(latitude, 10.0)
        next_east = LEVELS << 48 | y << 24 | x + 1
        assert math.isclose(
            degrees[around == next_east][0], CELL_DEGREES[-1] * math.cos(math.radians(latitude)), rel_tol=1e-3
        )
