"""A launch may be looked at every day: its intervals keep their promise where a sequence over customers does not."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.experiments.group_sequential import (
    FEWEST_PER_LOOK,
    Bools,
    Floats,
    calibrated_bounds,
    looks_at,
    spending,
)
from engine.experiments.simulation import SimulationPlan, simulate_promise
from engine.experiments.statistics import Difference, compare_arms


def launch(seed: int, *, customers: int = 1_500, days: int = 10, rate: float = 0.05) -> tuple[Floats, Bools]:
    rng = np.random.default_rng(seed)
    outcomes = rng.poisson(rate, (customers, days)).astype(float).cumsum(axis=1)
    return outcomes, rng.random(customers) < 0.2


def test_the_level_is_spent_at_the_end_and_hardly_before() -> None:
    spent = spending(14, 0.025)
    assert spent[-1] == pytest.approx(0.025)
    assert (np.diff(spent) > 0).all()
    # Lan and DeMets' first function: 2 (1 - Phi(z_(alpha/2) / sqrt t)).
    half = 2 * (1 - NormalDist().cdf(NormalDist().inv_cdf(1 - 0.0125) / np.sqrt(0.5)))
    assert spent[6] == pytest.approx(half)
    assert spent[0] < 1e-12


@given(st.integers(0, 1_000), st.integers(1, 20))
def test_no_more_paths_cross_than_were_spent(seed: int, days: int) -> None:
    drawn = np.random.default_rng(seed).standard_t(3, (500, days)).cumsum(axis=1)
    spent = spending(days, 0.2)
    bounds = calibrated_bounds(drawn, spent, level=0.2, days=days)
    crossed = (drawn > bounds).cumsum(axis=1) > 0
    assert (crossed.sum(axis=0) <= spent * 501 + 1e-9).all()


def test_bounds_of_independent_increments_are_those_of_obrien_and_fleming() -> None:
    rng = np.random.default_rng(1)
    days = np.arange(1, 6)
    drawn = rng.standard_normal((200_000, 5)).cumsum(axis=1) / np.sqrt(days)
    bounds = calibrated_bounds(drawn, spending(5, 0.025), level=0.025, days=5)
    # Published for five equal looks, two-sided .05 (Lan and DeMets spending): 4.877, 3.357, 2.680, 2.290, 2.031.
    assert bounds[2:] == pytest.approx([2.680, 2.290, 2.031], abs=0.03)
    assert bounds[1] == pytest.approx(3.357, abs=0.15)


def test_the_last_look_is_the_difference_of_means() -> None:
    outcomes, held = launch(1)
    looks = looks_at(outcomes, held, days=10)
    assert looks[-1].estimate == pytest.approx(outcomes[~held, -1].mean() - outcomes[held, -1].mean())
    for look in looks:
        if look.low is not None and look.high is not None and look.estimate is not None:
            assert look.low < look.estimate < look.high


def test_more_days_leave_the_looks_before_them_as_they_were() -> None:
    outcomes, held = launch(2)
    assert looks_at(outcomes[:, :6], held, days=10, seed=4) == looks_at(outcomes, held, days=10, seed=4)[:6]


def test_the_same_launch_gives_the_same_looks() -> None:
    outcomes, held = launch(3)
    assert looks_at(outcomes, held, days=10, seed=1) == looks_at(outcomes, held, days=10, seed=1)


def test_there_is_no_number_before_each_arm_has_five_customers_with_an_outcome() -> None:
    outcomes, held = np.zeros((200, 4)), np.arange(200) < 40
    outcomes[: FEWEST_PER_LOOK - 1, 1:] = 1
    outcomes[FEWEST_PER_LOOK - 1, 2:] = 1
    outcomes[40:80, :] = 1
    looks = looks_at(outcomes, held, days=4)
    assert [look.enough for look in looks] == [False, False, True, True]
    assert looks[0].estimate is None


def test_what_was_known_before_narrows_the_interval_and_keeps_the_effect() -> None:
    rng = np.random.default_rng(5)
    own = rng.gamma(1, 0.2, 4_000)
    held = rng.random(4_000) < 0.3
    outcomes = rng.poisson((own + 0.1 * ~held)[:, np.newaxis], (4_000, 7)).astype(float).cumsum(axis=1)
    before = np.column_stack([rng.poisson(own * 60), np.full(4_000, 3)]).astype(float)
    with_it, without = looks_at(outcomes, held, days=7, before=before)[-1], looks_at(outcomes, held, days=7)[-1]
    assert with_it.variance_kept is not None
    assert with_it.variance_kept < 0.6
    assert without.variance_kept == 1
    assert with_it.plain_half_width is not None
    assert without.plain_half_width is not None
    assert with_it.plain_half_width < 0.8 * without.plain_half_width
    assert with_it.estimate == pytest.approx(0.7, abs=0.1)


@pytest.mark.parametrize(
    ("outcomes", "held", "days"),
    [
        (np.zeros((3, 2)), np.array([True, False]), 2),
        (np.zeros((3, 3)), np.array([True, False, False]), 2),
        (np.zeros((3, 1)), np.array([True, True, True]), 2),
    ],
)
def test_what_is_no_launch_is_refused(outcomes: Floats, held: Bools, days: int) -> None:
    with pytest.raises(ValueError):
        looks_at(outcomes, held, days=days)


def test_daily_looks_at_nothing_raise_few_false_alarms_where_the_sequence_over_customers_raises_many() -> None:
    plan = SimulationPlan(customers=600, holdout=0.1, days=14, rate=0.01)
    kept = simulate_promise(plan, campaigns=200, seed=7)
    assert kept.false_positive_any_look <= 0.085  # .05 and two standard errors of 200 campaigns
    alarms = 0
    for number in range(200):
        rng = np.random.default_rng([7, number])
        outcomes = rng.poisson(rng.exponential(0.01, 600)[:, np.newaxis], (600, 14)).cumsum(axis=1).astype(float)
        held = rng.random(600) < 0.1
        looks = [compare_arms(outcomes[~held, day], outcomes[held, day], fewest_with_outcome=0) for day in range(14)]
        alarms += any(isinstance(look, Difference) and not look.low <= 0 <= look.high for look in looks)
    assert alarms / 200 > 0.12, "the sequence over customers must fail here, or this test is blind"


def test_a_true_effect_is_inside_at_all_looks_and_found_at_the_end() -> None:
    plan = SimulationPlan(customers=6_000, holdout=0.2, days=10, rate=0.05, effect=0.4)
    kept = simulate_promise(plan, campaigns=80, seed=3)
    assert kept.coverage_all_looks >= 0.9
    assert kept.false_positive_last > 0.9
    assert kept.width_ratio is not None
    assert kept.width_ratio <= 1.25
