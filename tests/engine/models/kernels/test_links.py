"""Whose row speaks most for a dish."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from engine.models.arrays import Rows
from engine.models.kernels.links import strongest

N = 12


@given(
    st.lists(st.tuples(st.integers(0, N - 1), st.integers(0, N - 1), st.sampled_from([0.25, 0.5, 1.0])), max_size=60),
    st.lists(st.integers(0, N - 1), max_size=8),
    st.lists(st.integers(-1, N - 1), max_size=8),
)
def test_the_strongest_seed_is_the_first_of_those_that_weigh_a_dish_most(
    cells: list[tuple[int, int, float]], seeds: list[int], wanted: list[int]
) -> None:
    matrix = np.zeros((N, N), np.float32)
    for row, column, value in cells:
        matrix[row, column] = value
    rows = Rows.of(sparse.csr_array(matrix))
    found = strongest(rows.start, rows.columns, rows.values, np.array(seeds, np.int32), np.array(wanted, np.int32))
    for column, seed in zip(wanted, found.tolist(), strict=True):
        others = [each for each in seeds if each != column and matrix[each, column] > 0] if column >= 0 else []
        assert seed == max(others, key=lambda each: matrix[each, column], default=-1)
