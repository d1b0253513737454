"""The loops over one customer's baskets and factors, against plain arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from engine.models.arrays import read_only
from engine.models.kernels.daypart import QUARTER_S, look_up
from engine.models.kernels.fold_in import fold_in_all, fold_in_one
from engine.models.kernels.next_item import seed_weights
from engine.models.kernels.repeat import basket_shares


@pytest.mark.parametrize("n_baskets", [1, 2, 7])
def test_shares_of_baskets_sum_to_one_and_older_ones_count_less(n_baskets: int) -> None:
    shares = basket_shares(n_baskets, 0.8)
    assert shares.sum() == pytest.approx(1)
    assert np.allclose(shares[:-1], 0.8 * shares[1:])


def test_weights_of_lines_sum_to_one_and_a_baskets_lines_share_its_weight() -> None:
    weights = seed_weights(read_only(np.array([0, 2, 3], np.int64)), 0.5)
    assert weights.tolist() == pytest.approx([1 / 6, 1 / 6, 2 / 3])


def test_instants_are_looked_up_by_their_quarter_of_an_hour() -> None:
    at = read_only(np.array([100, 102], np.int64) * QUARTER_S + 5)
    assert look_up(at, 100, read_only(np.array([7, 8, 9], np.int64))).tolist() == [7, 9]


def test_folding_in_solves_the_weighted_least_squares() -> None:
    rng = np.random.default_rng(2)
    factors = read_only(rng.normal(size=(6, 3)).astype(np.float32))
    gram = read_only((factors.T @ factors + np.eye(3)).astype(np.float32))
    columns = read_only(np.array([1, 4], np.int32))
    counts = read_only(np.array([2.0, 1.0], np.float32))
    confidence = 10 * counts
    own = factors[columns]
    left = gram + (own * (confidence - 1)[:, None]).T @ own
    expected = np.linalg.solve(left, own.T @ confidence)
    assert np.allclose(fold_in_one(gram, factors, columns, counts, np.float32(10)), expected, rtol=1e-3)
    start = read_only(np.array([0, 2, 2], np.int64))
    both = fold_in_all(gram, factors, start, columns, counts, np.float32(10))
    assert np.allclose(both[0], expected, rtol=1e-3)
    assert not both[1].any()
