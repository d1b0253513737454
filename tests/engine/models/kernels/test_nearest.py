"""The best items of many customers by their factors: exact, whatever is cut short and however many threads look."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.models.als import Als
from engine.models.arrays import Rows
from engine.models.kernels.nearest import TILE, Nearest
from engine.runtime.threads import one_blas_thread


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    one_blas_thread()


def by_sorting(
    customers: npt.NDArray[np.float32],
    factors: npt.NDArray[np.float32],
    columns: npt.NDArray[np.int32],
    k: int,
    had: list[set[int]],
) -> list[list[tuple[int, float]]]:
    """The same by looking at everything: for each customer the first k by (falling product, column)."""
    products = customers @ factors[columns].T
    found = []
    for row, own in zip(products, had, strict=True):
        ranked = sorted((-value, column) for value, column in zip(row.tolist(), columns.tolist(), strict=True))
        found.append([(column, -value) for value, column in ranked if column not in own][:k])
    return found


@settings(deadline=None)  # the first example compiles
@given(
    seed=st.integers(0, 2**32 - 1),
    customers=st.integers(0, 70),
    items=st.integers(1, 90),
    k=st.integers(1, 40),
    shown=st.floats(0, 1),
)
def test_lists_are_those_that_sorting_everything_gives_ties_included(
    seed: int, customers: int, items: int, k: int, shown: float
) -> None:
    rng = np.random.default_rng(seed)
    # Small whole numbers: products are exact, and many are equal.
    vectors = rng.integers(-2, 3, (customers, 3)).astype(np.float32)
    factors = rng.integers(-3, 4, (items, 3)).astype(np.float32)
    columns = np.flatnonzero(rng.random(items) < shown).astype(np.int32)
    had = [np.flatnonzero(rng.random(items) < 0.2).astype(np.int32) for _ in range(customers)]
    start = np.cumsum([0, *(len(own) for own in had)]).astype(np.int64)
    without = (start, np.concatenate([np.empty(0, np.int32), *had]))
    found, values = Nearest.of(factors, columns).best(vectors, k, without=without)
    assert found.shape == values.shape == (customers, k)
    expected = by_sorting(vectors, factors, columns, k, [set(own.tolist()) for own in had])
    for row in range(customers):
        listed = [(c, v) for c, v in zip(found[row].tolist(), values[row].tolist(), strict=True) if c >= 0]
        assert listed == expected[row]
        assert (found[row, len(listed) :] == -1).all()
        assert np.isneginf(values[row, len(listed) :]).all()


def test_looking_stops_early_and_misses_nothing_in_a_catalogue_of_several_tiles() -> None:
    rng = np.random.default_rng(5)
    # Lengths fall fast, as those of real dishes do, so that later tiles are never looked at.
    factors = (rng.standard_normal((5 * TILE + 37, 16)) * np.geomspace(1, 1e-6, 5 * TILE + 37)[:, None]).astype(
        np.float32
    )
    rng.shuffle(factors)
    customers = rng.standard_normal((150, 16)).astype(np.float32)
    nearest = Nearest.of(factors)
    found, values = nearest.best(customers, 20)
    products = customers @ factors.T
    assert np.array_equal(np.sort(found), np.sort(np.argsort(-products, axis=1, kind="stable")[:, :20]))
    assert np.allclose(values, np.take_along_axis(products, found.astype(np.int64), axis=1), rtol=1e-4)
    unread = Nearest(
        nearest.columns, (*nearest.tiles[:2], *(tile * np.nan for tile in nearest.tiles[2:])), nearest.longest
    )
    assert np.array_equal(unread.best(customers, 20)[0], found), "tiles that cannot matter were read"


def test_any_number_of_threads_gives_equal_bits() -> None:
    rng = np.random.default_rng(6)
    nearest = Nearest.of(rng.standard_normal((1500, 8)).astype(np.float32))
    customers = rng.standard_normal((300, 8)).astype(np.float32)
    for one, three in zip(nearest.best(customers, 10), nearest.best(customers, 10, threads=3), strict=True):
        assert one.tobytes() == three.tobytes()


def test_vectors_folded_in_together_are_those_folded_in_one_by_one() -> None:
    rng = np.random.default_rng(7)
    model = Als.from_arrays(
        {"item_factors": rng.standard_normal((30, 6)).astype(np.float32), "settings": np.array([2.0, 10.0, 15.0])}
    )
    baskets = [rng.choice(30, n, replace=False).astype(np.int32) for n in (3, 0, 7, 1)]
    start = np.cumsum([0, *(len(each) for each in baskets)]).astype(np.int64)
    counts = rng.integers(1, 5, start[-1]).astype(np.float32)
    found = model.fold_in_all(Rows(start, np.concatenate(baskets), counts))
    for row, own in enumerate(baskets):
        one = model.fold_in(own, counts[start[row] : start[row + 1]])
        assert np.array_equal(found[row], one)
    assert not found[1].any()
    # The equations themselves, by a solver that has nothing in common with ours.
    weight = 10 * counts[start[2] : start[3]]
    own = model.item_factors[baskets[2]].astype(np.float64)
    left = (
        model.item_factors.T.astype(np.float64) @ model.item_factors
        + 2 * np.eye(6)
        + own.T @ ((weight - 1)[:, None] * own)
    )
    assert np.allclose(found[2], np.linalg.solve(left, own.T @ weight), rtol=1e-3, atol=1e-5)
