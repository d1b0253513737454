"""Ranking figures against cases worked by hand and against an independent implementation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.models.kernels.top import top_k
from engine.models.query import Query
from tests.present import there
from training.data.split import Target
from training.metrics import (
    coverage,
    exposure,
    gini,
    interval,
    judge,
    lorenz,
    mean_and_error,
    novelty,
    paired_interval,
    popularity,
    popularity_percentiles,
    t_interval,
)

NAN = float("nan")


def target(truth: set[Any], known: tuple[Any, ...] | set[Any] = (), unseen: int = 0) -> Target:
    baskets = (np.array(sorted(known), np.int32),) if known else ()
    return Target(Query.of(baskets, np.zeros(len(baskets), np.int64), 0), np.array(sorted(truth), np.int32), unseen)


def figures(ranked: list[list[int]], *targets: Target, k: int) -> dict[str, list[float]]:
    judged = judge(np.array(ranked, np.int32), targets, k)
    return {name.split("@")[0]: judged.values[:, i].tolist() for i, name in enumerate(judged.metrics)}


def test_a_half_found_basket_by_hand() -> None:
    found = figures([[7, 1, 2]], target({1, 9}, known={1}), k=3)
    gain = 1 / math.log2(3)
    ideal = 1 + 1 / math.log2(3)
    assert found["recall"] == [0.5]
    assert found["hit"] == [1.0]
    assert found["ndcg"] == [pytest.approx(gain / ideal)]
    assert found["repeat_recall"] == [1.0]
    assert found["explore_recall"] == [0.0]


def test_the_ideal_is_cut_at_k_except_for_the_full_one() -> None:
    found = figures([[1]], target({1, 2, 3}), k=1)
    assert found["ndcg"] == [1.0]
    assert found["ndcg_full"] == [pytest.approx(1 / (1 + 1 / math.log2(3) + 0.5))]


def test_items_nobody_can_know_count_as_missed() -> None:
    found = figures([[1, 2]], target({1}, unseen=3), k=2)
    assert found["recall"] == [0.25]
    assert found["explore_recall"] == [0.25]


def test_parts_that_do_not_apply_are_left_out_of_the_mean() -> None:
    judged = judge(np.array([[1], [2]], np.int32), [target({1}, known={1}), target({2})], 1)
    assert judged.means()["repeat_recall@1"] == 1.0
    assert math.isnan(judged.column("repeat_recall@1")[1])


def test_an_empty_truth_has_no_figures_and_none_is_no_number() -> None:
    assert set(judge(np.array([[1]], np.int32), [target(set())], 1).means().values()) == {None}


def test_nan_and_minus_infinity_are_never_shown() -> None:
    scores = np.array([[NAN, 0.5, -np.inf, 0.1]], np.float32)
    assert top_k(scores, 4).tolist() == [[1, 3, -1, -1]]


def test_more_than_there_is_fills_up_with_minus_one() -> None:
    assert top_k(np.array([[1.0, 2.0]], np.float32), 4).tolist() == [[1, 0, -1, -1]]


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, NAN]), min_size=1, max_size=60), st.integers(1, 12))
def test_top_k_equals_a_full_stable_sort(row: list[float], k: int) -> None:
    order = sorted((i for i, s in enumerate(row) if not math.isnan(s)), key=lambda i: -row[i])[:k]
    assert top_k(np.array([row], np.float32), k)[0].tolist() == order + [-1] * (k - len(order))


@given(
    st.permutations(list(range(8))),
    st.sets(st.integers(0, 9), min_size=1),
    st.sets(st.integers(0, 9)),
    st.integers(1, 8),
)
def test_figures_agree_with_a_plain_reading_of_their_definitions(
    ranked: list[int], truth: set[int], known: set[Any], k: int
) -> None:
    found = figures([ranked], target(truth, known), k=k)
    shown = ranked[:k]
    dcg = sum(1 / math.log2(i + 2) for i, item in enumerate(shown) if item in truth)
    ideal = sum(1 / math.log2(i + 2) for i in range(min(k, len(truth))))
    assert found["recall"][0] == pytest.approx(len(truth & set(shown)) / len(truth))
    assert found["ndcg"][0] == pytest.approx(dcg / ideal)
    assert found["hit"][0] == float(bool(truth & set(shown)))
    if truth & known:
        assert found["repeat_recall"][0] == pytest.approx(len(truth & known & set(shown)) / len(truth & known))
    if truth - known:
        assert found["explore_recall"][0] == pytest.approx(len((truth - known) & set(shown)) / len(truth - known))


def test_coverage_counts_distinct_shown_items() -> None:
    assert coverage(np.array([[0, 1], [1, -1]], np.int32), 2, 4) == 0.5


def test_novelty_is_bits_of_surprise() -> None:
    assert novelty(np.array([[0, 1]], np.int32), 2, np.array([4, 1]), 4) == pytest.approx((0 + 2) / 2)
    assert novelty(np.array([[-1]], np.int32), 1, np.array([4]), 4) is None


def test_the_interval_covers_the_mean_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        low, high = there(interval(rng.exponential(1.0, 150), rng))
        covered += low <= 1.0 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_a_paired_interval_sees_what_separate_ones_cannot() -> None:
    rng = np.random.default_rng(1)
    theirs = rng.random(300)
    low, high = there(paired_interval(theirs + 0.02, theirs, rng))
    assert low == pytest.approx(0.02)
    assert high == pytest.approx(0.02)


def test_one_customer_gives_no_interval() -> None:
    assert interval(np.array([0.4]), np.random.default_rng(0)) is None


def test_exposure_counts_the_lists_an_item_is_in_down_to_k() -> None:
    assert exposure(np.array([[0, 1, 3], [1, -1, 3]], np.int32), 2, 4).tolist() == [1, 2, 0, 0]


def test_the_gini_coefficient_by_hand() -> None:
    assert gini(np.array([5, 5, 5, 5])) == 0.0
    assert gini(np.array([0, 0, 0, 8])) == pytest.approx(3 / 4)
    # Mean absolute difference over twice the mean: pairs differ by 1, 3, 2, each twice, over 9 pairs; the mean is 2.
    assert gini(np.array([1, 2, 4])) == pytest.approx((2 * (1 + 3 + 2) / 9) / (2 * 7 / 3))
    assert gini(np.zeros(3, np.int64)) is None


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40).filter(any))
def test_the_gini_coefficient_is_half_the_relative_mean_difference(counts: list[int]) -> None:
    apart = np.abs(np.subtract.outer(counts, counts)).mean()
    assert gini(np.array(counts)) == pytest.approx(apart / (2 * np.mean(counts)))


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40).filter(any))
def test_the_lorenz_curve_hangs_below_the_diagonal_by_the_gini_coefficient(counts: list[int]) -> None:
    curve = np.array(lorenz(np.array(counts), points=len(counts) + 1))
    assert curve[0] == 0
    assert curve[-1] == pytest.approx(1)
    assert (np.diff(curve) >= -1e-12).all()
    assert 1 - 2 * np.trapezoid(curve, dx=1 / len(counts)) == pytest.approx(gini(np.array(counts)))


def test_popularity_places_equals_in_the_middle_of_their_stretch() -> None:
    places = popularity_percentiles(np.array([0, 7, 3, 3]))
    assert places.tolist() == [0.125, 0.875, 0.5, 0.5]
    assert popularity(np.array([[1, 2], [-1, -1]]), places) == pytest.approx((0.875 + 0.5) / 2)
    assert popularity(np.array([[-1]]), places) is None


def test_the_standard_error_by_hand() -> None:
    n, mean, error = mean_and_error(np.array([1.0, 2.0, 3.0, NAN]))
    assert (n, mean) == (3, 2.0)
    assert error == pytest.approx(1 / math.sqrt(3))
    assert mean_and_error(np.array([0.4])) == (1, 0.4, None)
    assert mean_and_error(np.array([NAN])) == (0, None, None)


def test_students_interval_is_the_one_in_the_tables() -> None:
    low, high = t_interval(10.0, 1.0, 10, 0.05)
    assert (low, high) == pytest.approx((10 - 2.262, 10 + 2.262), abs=1e-3)
