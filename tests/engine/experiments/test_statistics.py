"""Intervals cover the truth however often one looks, CUPED only narrows them, and broken splits raise the alarm."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from engine.experiments.statistics import (
    ALPHA,
    FEWEST_WITH_OUTCOME,
    TIGHTEST_AT,
    Difference,
    NotEnoughData,
    compare_arms,
    cuped,
    sample_ratio,
    sequence_radius,
)


def arm(rng: np.random.Generator, n: int, mean: float) -> np.ndarray:
    return rng.poisson(mean, n).astype(float)


def test_the_estimate_is_the_difference_of_means() -> None:
    rng = np.random.default_rng(1)
    treated, held = arm(rng, 900, 0.5), arm(rng, 600, 0.3)
    found = compare_arms(treated, held)
    assert isinstance(found, Difference)
    assert found.estimate == pytest.approx(treated.mean() - held.mean())
    assert found.high - found.estimate == pytest.approx(found.estimate - found.low)


def test_the_interval_is_the_papers_formula_and_wider_than_a_single_look() -> None:
    rng = np.random.default_rng(2)
    treated, held = arm(rng, 1500, 0.5), arm(rng, 500, 0.5)
    found = compare_arms(treated, held)
    assert isinstance(found, Difference)
    single = stats.ttest_ind(treated, held, equal_var=False).confidence_interval(1 - ALPHA)
    assert found.low < single.low < single.high < found.high
    n = 2000
    rho2 = (-2 * math.log(0.05) + math.log(-2 * math.log(0.05) + 1)) / TIGHTEST_AT
    sigma = math.sqrt(n * (treated.var(ddof=1) / 1500 + held.var(ddof=1) / 500))
    radius = math.sqrt(2 * (n * rho2 + 1) / (n**2 * rho2) * math.log(math.sqrt(n * rho2 + 1) / 0.05))
    assert found.high - found.estimate == pytest.approx(sigma * radius)


def test_the_truth_is_covered_at_all_looks_at_once() -> None:
    rng = np.random.default_rng(3)
    looks, missed, single_missed, rounds = range(400, 3001, 100), 0, 0, 300
    for _ in range(rounds):
        treated, held = arm(rng, 3000, 0.4), arm(rng, 3000, 0.4)
        found = [compare_arms(treated[:n], held[:n]) for n in looks]
        missed += any(isinstance(each, Difference) and not each.low <= 0 <= each.high for each in found)
        p_values = [stats.ttest_ind(treated[:n], held[:n]).pvalue for n in looks]
        single_missed += min(p_values) < ALPHA
    assert missed / rounds <= ALPHA
    assert single_missed / rounds > 3 * ALPHA, (
        "looking thirty times at a plain interval must fail, or this test is blind"
    )


def test_a_real_effect_is_found() -> None:
    rng = np.random.default_rng(4)
    found = compare_arms(arm(rng, 4000, 0.5), arm(rng, 1000, 0.3))
    assert isinstance(found, Difference)
    assert found.low > 0


def test_the_radius_is_tightest_relative_to_a_single_look_near_its_design_point() -> None:
    relative = {n: sequence_radius(n) * math.sqrt(n) for n in (50, 500, TIGHTEST_AT, 20_000, 200_000)}
    assert min(relative, key=relative.__getitem__) == TIGHTEST_AT


def test_cuped_narrows_the_interval_and_keeps_the_effect() -> None:
    rng = np.random.default_rng(5)
    before_t, before_h = arm(rng, 2000, 5), arm(rng, 500, 5)
    treated = before_t * 0.5 + rng.normal(0.3, 0.5, 2000)
    held = before_h * 0.5 + rng.normal(0.0, 0.5, 500)
    plain, adjusted = (
        compare_arms(treated, held),
        compare_arms(treated, held, treated_before=before_t, held_out_before=before_h),
    )
    assert isinstance(plain, Difference)
    assert isinstance(adjusted, Difference)
    assert adjusted.high - adjusted.low < 0.6 * (plain.high - plain.low)
    assert adjusted.variance_kept < 0.4
    assert adjusted.low < 0.3 < adjusted.high


def test_cuped_is_least_squares_within_arms() -> None:
    rng = np.random.default_rng(6)
    before_t, before_h = arm(rng, 300, 3), arm(rng, 200, 3)
    treated, held = before_t + rng.normal(1, 1, 300), before_h + rng.normal(0, 1, 200)
    adjusted_t, adjusted_h = cuped(treated, held, before_t, before_h)
    design = np.column_stack(
        [np.r_[np.ones(300), np.zeros(200)], np.r_[np.zeros(300), np.ones(200)], np.r_[before_t, before_h]]
    )
    effect_t, effect_h, _ = np.linalg.lstsq(design, np.r_[treated, held], rcond=None)[0]
    assert adjusted_t.mean() - adjusted_h.mean() == pytest.approx(effect_t - effect_h)


def test_a_covariate_that_says_nothing_changes_nothing() -> None:
    rng = np.random.default_rng(7)
    treated, held = arm(rng, 300, 1), arm(rng, 300, 1)
    assert compare_arms(treated, held, treated_before=np.ones(300), held_out_before=np.ones(300)) == compare_arms(
        treated, held
    )


@pytest.mark.parametrize(
    ("treated", "held"), [(FEWEST_WITH_OUTCOME - 1, 500), (500, FEWEST_WITH_OUTCOME - 1), (500, 0)]
)
def test_too_few_customers_with_an_outcome_give_no_number(treated: int, held: int) -> None:
    arms = [np.r_[np.ones(found), np.zeros(900 - found)] for found in (treated, held)]
    found = compare_arms(*arms)
    assert isinstance(found, NotEnoughData)
    assert found.reason.startswith("not enough data")
    assert isinstance(compare_arms(np.r_[arms[0], np.ones(100)], np.r_[arms[1], np.ones(100)]), Difference) or held == 0


def test_outcomes_that_do_not_vary_give_no_number() -> None:
    assert isinstance(compare_arms(np.zeros(500), np.zeros(500)), NotEnoughData)


def test_the_sample_ratio_check_is_the_chi_square_test() -> None:
    found = sample_ratio(880, 120, expected_held_share=0.1)
    assert found is not None
    expected = stats.chisquare([880, 120], [900, 100]).pvalue
    assert found.p_value == pytest.approx(expected)
    assert not found.alarm


def test_the_sample_ratio_alarm_rings_for_a_broken_split_and_rarely_for_a_sound_one() -> None:
    broken = sample_ratio(9400, 600, expected_held_share=0.1)
    assert broken is not None
    assert broken.alarm
    rng = np.random.default_rng(9)
    alarms = 0
    for held in rng.binomial(1000, 0.1, 2000):
        found = sample_ratio(1000 - int(held), int(held), expected_held_share=0.1)
        alarms += found is not None and found.alarm
    assert alarms <= 8


def test_there_is_nothing_to_check_without_a_holdout() -> None:
    assert sample_ratio(100, 0, expected_held_share=0) is None
    assert sample_ratio(0, 0, expected_held_share=0.1) is None
