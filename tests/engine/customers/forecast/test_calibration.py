"""AUC, Brier, reliability and calibration against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.customers.forecast.calibration import auc, brier, fit_isotonic, reliability

CASES = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40)


@settings(max_examples=150)
@given(CASES)
def test_auc_is_the_share_of_pairs_in_the_right_order(cases: list[tuple[int, bool]]) -> None:
    score, happened = np.array([c[0] for c in cases], float), np.array([c[1] for c in cases])
    good, bad = score[happened], score[~happened]
    found = auc(score, happened)
    if not len(good) or not len(bad):
        assert np.isnan(found.value)
        return
    pairs = [(g > b) + 0.5 * (g == b) for g in good for b in bad]
    assert found.value == pytest.approx(np.mean(pairs))
    assert found.low <= found.value <= found.high


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(300):
        happened = rng.random(300) < 0.4
        found = auc(rng.normal(happened * 1.0, 1), happened)
        held += found.low <= 0.7602 <= found.high  # the area between two normals one deviation apart
    assert 0.91 <= held / 300 <= 0.985


def test_brier_is_the_mean_squared_error() -> None:
    assert brier(np.array([1.0, 0.5, 0.0]), np.array([True, True, True])) == pytest.approx((0 + 0.25 + 1) / 3)


def test_reliability_groups_are_equal_in_size_and_rise() -> None:
    chance = np.linspace(0, 1, 100)
    found = reliability(chance, chance > 0.5)
    assert [each.n for each in found] == [10] * 10
    assert [each.forecast for each in found] == sorted(each.forecast for each in found)
    assert (found[0].observed, found[-1].observed) == (0.0, 1.0)


def test_calibration_finds_the_true_curve_and_keeps_the_order() -> None:
    rng = np.random.default_rng(1)
    score = rng.normal(0, 2, 20_000)
    truth = 0.05 + 0.6 / (1 + np.exp(-score))
    curve = fit_isotonic(score, rng.random(20_000) < truth)
    middle = (score > np.quantile(score, 0.02)) & (score < np.quantile(score, 0.98))
    assert np.abs(curve(score) - truth)[middle].max() < 0.08
    assert np.abs(curve(score) - truth).mean() < 0.02
    rising = curve(np.sort(score))
    assert (np.diff(rising) >= 0).all()
    assert len(np.unique(rising)) > 15_000


@settings(max_examples=80)
@given(st.lists(st.tuples(st.floats(-5, 5), st.booleans()), min_size=1, max_size=200))
def test_calibrated_chances_are_chances_whatever_was_seen(cases: list[tuple[int, bool]]) -> None:
    score, happened = np.array([c[0] for c in cases]), np.array([c[1] for c in cases])
    found = fit_isotonic(score, happened)(np.array([-100.0, *score, 100.0]))
    assert ((found > 0) & (found < 1)).all()
