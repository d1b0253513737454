"""Factors come as near to who ordered what as those of a known library, whatever the number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from threadpoolctl import threadpool_limits

from engine.models.arrays import FloatArray
from engine.models.kernels.factorise import CLOSE, factorise, first_guess
from engine.runtime import threads

REGULARIZATION, ALPHA = 2.0, 10.0


def orders(customers: int, items: int, seed: int) -> sparse.csr_matrix:
    """Return counts in which everybody ordered item 0, and the last customer nothing."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 4, (customers, items)) * (rng.random((customers, items)) < 0.1)
    counts[:, 0] = 1
    counts[-1] = 0
    return sparse.csr_matrix(counts.astype(np.float32))


def loss(counts: sparse.csr_matrix, users: FloatArray, items: FloatArray) -> float:
    """Return what alternating least squares makes small, summed over every cell."""
    confidence = 1 + (ALPHA * counts.toarray() - 1) * (counts.toarray() > 0)
    away = (counts.toarray() > 0) - users.astype(float) @ items.T
    return float((confidence * away**2).sum() + REGULARIZATION * ((users**2).sum() + (items**2).sum()))


def fitted(counts: sparse.csr_matrix, rounds: int) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(1)
    start = first_guess(counts.shape[0], 8, rng), first_guess(counts.shape[1], 8, rng)
    return factorise(counts, start, regularization=REGULARIZATION, alpha=ALPHA, rounds=rounds)


@pytest.mark.parametrize("customers", [300, CLOSE + 300])
def test_the_loss_is_as_small_as_that_of_implicit(customers: int) -> None:
    from implicit.cpu.als import AlternatingLeastSquares

    counts = orders(customers, 40, seed=3)
    with threadpool_limits(1, user_api="blas"):
        peer = AlternatingLeastSquares(
            factors=8, regularization=REGULARIZATION, alpha=ALPHA, iterations=15, num_threads=1, random_state=1
        )
        peer.fit(counts, show_progress=False)

    ours = loss(counts, *fitted(counts, 15))

    assert ours == pytest.approx(loss(counts, peer.user_factors, peer.item_factors), rel=0.01)


def test_any_number_of_threads_gives_equal_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = orders(400, 50, seed=4)
    found = []
    for number in (1, 2, 5):
        monkeypatch.setattr(threads, "cores", lambda number=number: number)
        found.append(fitted(counts, 3))

    for users, items in found[1:]:
        assert np.array_equal(users, found[0][0])
        assert np.array_equal(items, found[0][1])


def test_every_round_comes_nearer_and_a_customer_without_orders_is_nowhere() -> None:
    counts = orders(200, 30, seed=5)
    losses = [loss(counts, *fitted(counts, rounds)) for rounds in (1, 2, 4, 8)]

    assert losses == sorted(losses, reverse=True)
    assert not fitted(counts, 2)[0][-1].any()
