"""The best of many values, found by looking closely at few."""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engine.models.kernels.best import best_of, bound_of

VALUES = st.floats(-2, 2, width=32) | st.sampled_from([0.0, -0.0, 0.5, 1.0, 2**-126])


@given(arrays.arrays(np.float32, st.integers(0, 200), elements=VALUES), st.integers(1, 60), st.randoms())
def test_over_its_bound_the_best_are_the_same_as_over_zero(
    values: npt.NDArray[np.float32], most: int, random: random.Random
) -> None:
    numbers = list(range(len(values)))
    random.shuffle(numbers)
    columns = np.array(numbers, np.int32)
    bound = bound_of(values, most)
    assert bound >= 0
    assert best_of(values, columns, most, bound).tolist() == best_of(values, columns, most, 0.0).tolist()


@given(arrays.arrays(np.float32, st.integers(0, 60), elements=VALUES), st.integers(1, 70))
def test_the_best_fall_and_equals_stand_by_number(values: npt.NDArray[np.float32], most: int) -> None:
    columns = np.arange(len(values), dtype=np.int32)[::-1].copy()
    wanted = sorted((at for at in range(len(values)) if values[at] > 0), key=lambda at: (-values[at], columns[at]))
    assert best_of(values, columns, most, 0.0).tolist() == wanted[:most]
