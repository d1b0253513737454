"""Counting that models share, against the same written as sparse matrix products."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import sparse

from engine.models.arrays import Rows
from engine.models.baskets import Baskets
from engine.models.kernels.sums import dense_sums, held, newest_sums, sums, transitions
from tests.baskets import learned_from, random_town

SEEDS = [1, 2, 3]


def town(seed: int) -> tuple[Baskets, npt.NDArray[np.int64], npt.NDArray[np.float64], sparse.csr_array]:
    baskets = learned_from(random_town(60, 150, seed=seed)).baskets
    rng = np.random.default_rng(seed)
    groups = rng.integers(-1, 7, baskets.n_baskets)
    weights = rng.random(baskets.n_baskets)
    ones = np.ones(len(baskets.items))
    return baskets, groups, weights, sparse.csr_array((ones, baskets.items, baskets.basket_start))


def dense(rows: Rows, n_items: int) -> npt.NDArray[np.float32]:
    return sparse.csr_array((rows.values, rows.columns, rows.start), shape=(len(rows.start) - 1, n_items)).toarray()


@pytest.mark.parametrize("seed", SEEDS)
def test_baskets_of_a_group_add_up_and_those_of_none_do_not_count(seed: int) -> None:
    baskets, groups, weights, holds = town(seed)
    went = sparse.csr_array(
        (weights * (groups >= 0), (np.maximum(groups, 0), np.arange(len(groups)))), shape=(7, len(groups))
    )
    found = sums(groups, 7, weights, held(baskets.basket_start, baskets.items), baskets.n_items)
    np.testing.assert_allclose(dense(found, baskets.n_items), (went @ holds).toarray(), rtol=1e-6)
    assert all((np.diff(found.columns[a:b]) > 0).all() for a, b in zip(found.start, found.start[1:], strict=False))


@pytest.mark.parametrize("seed", SEEDS)
def test_few_groups_add_up_to_the_same(seed: int) -> None:
    baskets, groups, weights, _ = town(seed)
    found = dense_sums(groups + 1, 8, weights, baskets.basket_start, baskets.items, baskets.n_items)
    told = sums(groups, 7, weights, held(baskets.basket_start, baskets.items), baskets.n_items)
    np.testing.assert_allclose(found[1:], dense(told, baskets.n_items), rtol=1e-6)


def test_more_entries_than_there_was_room_for_are_all_kept() -> None:
    n = 300_000
    rows = Rows(np.arange(n + 1), np.arange(n, dtype=np.int32) % 5, np.ones(n, np.float32))
    found = sums(np.arange(n), n, np.full(n, 2.0), rows, 5)
    assert len(found.columns) == n
    assert (found.values == 2).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_what_follows_is_what_the_product_of_baskets_and_those_after_says(seed: int) -> None:
    baskets, _, _, holds = town(seed)
    customer = np.repeat(np.arange(baskets.n_customers), np.diff(baskets.customer_start))
    followed = np.flatnonzero(customer[:-1] == customer[1:])
    votes = sparse.diags_array(1 / np.diff(baskets.basket_start)[followed]) @ holds[followed]
    nothing = Rows(np.zeros(baskets.n_items + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
    none = np.zeros(baskets.n_items, np.float32)
    given = (baskets.customer_start, baskets.basket_start, baskets.items)
    found, total = transitions(*given, baskets.customer_start[:-1], nothing, none)
    np.testing.assert_allclose(dense(found, baskets.n_items), (votes.T @ holds[followed + 1]).toarray(), rtol=1e-5)
    np.testing.assert_allclose(total, np.asarray(votes.sum(axis=0)).ravel(), rtol=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
def test_newest_baskets_of_a_group_add_up_each_weighed_by_how_many_are_newer(seed: int) -> None:
    baskets, _, _, holds = town(seed)
    end = baskets.customer_start[1:]
    first = np.maximum(baskets.customer_start[:-1], end - 4)
    by_age = np.array([1, 0.5, 0.25], np.float32)
    wanted = np.zeros((len(end), baskets.n_items))
    for group, (begin, stop) in enumerate(zip(first.tolist(), end.tolist(), strict=True)):
        for basket in range(begin, stop):
            wanted[group] += by_age[min(stop - 1 - basket, 2)] * holds[[basket]].toarray()[0]
    found = newest_sums(first, end, by_age, baskets.basket_start, baskets.items, baskets.n_items)
    np.testing.assert_allclose(dense(found, baskets.n_items), wanted, rtol=1e-6)
    assert all((np.diff(found.columns[a:b]) > 0).all() for a, b in zip(found.start, found.start[1:], strict=False))


def test_a_group_with_many_items_is_sorted_too() -> None:
    items = np.random.default_rng(1).permutation(500).astype(np.int32)
    one, start = np.ones(1, np.float32), np.arange(501)
    found = newest_sums(np.array([0]), np.array([500]), one, start, items, 500)
    assert found.columns.tolist() == list(range(500))
    assert found.values.tolist() == [1] * 500
