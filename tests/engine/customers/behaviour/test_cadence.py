"""Gaps shrink to the population by how many there are; dates follow from them; states follow from the dates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.customers.behaviour import cadence
from engine.customers.behaviour.cadence import (
    PopulationCadence,
    fit_population_cadence,
    gap_quantile,
    gaps_of,
    median_next_gap,
    posterior_log_gap,
)
from engine.customers.behaviour.purchases import OrderDays
from engine.customers.config import Cadence
from tests.engine.customers.behaviour.test_purchases import days_of
from tests.engine.customers.histories import order, orders

WEEKLY = PopulationCadence(float(np.log(7)), 0.25, 0.5, 1000)


def days_with_gaps(gaps: list[list[int]]) -> OrderDays:
    rows = []
    for i, own in enumerate(gaps):
        ago = sum(own)
        rows.append(order(f"c{i:04d}", ago))
        for gap in own:
            ago -= gap
            rows.append(order(f"c{i:04d}", ago))
    return days_of(orders(*rows))


def test_the_variances_of_drawn_customers_are_found() -> None:
    rng = np.random.default_rng(4)
    means = rng.normal(np.log(40), 0.7, 1500)
    gaps = [np.maximum(np.exp(rng.normal(m, 0.5, rng.integers(1, 8))), 1).round().astype(int).tolist() for m in means]
    found = fit_population_cadence(days_with_gaps(gaps))
    assert found.mean == pytest.approx(np.log(40), abs=0.05)
    assert found.within == pytest.approx(0.25, rel=0.1)
    assert found.between == pytest.approx(0.49, rel=0.15)


def test_without_gaps_a_customer_has_the_population_s_and_with_many_their_own() -> None:
    n = np.array([0, 1, 50])
    mean, spread = posterior_log_gap(WEEKLY, n, n * np.log(60.0))
    assert mean[0] == pytest.approx(WEEKLY.mean)
    assert WEEKLY.mean < mean[1] < mean[2] < np.log(60)
    assert mean[2] == pytest.approx(np.log(60), abs=0.05)
    assert spread[0] > spread[1] > spread[2] > np.sqrt(WEEKLY.within)


def test_fewer_than_twenty_gaps_assume_about_a_month() -> None:
    assert fit_population_cadence(days_with_gaps([[3, 4], [5]])) is cadence.DEFAULT_CADENCE
    assert fit_population_cadence(days_of(orders())) is cadence.DEFAULT_CADENCE


def test_customers_all_alike_have_nothing_between_them() -> None:
    found = fit_population_cadence(days_with_gaps([[7, 7, 7]] * 30))
    assert found.between == pytest.approx(0, abs=1e-9)
    assert np.isfinite(posterior_log_gap(found, np.array([0, 3]), np.array([0.0, 3 * np.log(7)]))).all()


def test_gaps_are_counted_between_days_and_the_latest_is_kept() -> None:
    found = gaps_of(days_with_gaps([[10, 3], [5], []]))
    assert found.n.tolist() == [2, 1, 0]
    assert found.day_sum.tolist() == [13, 5, 0]
    assert found.latest.tolist() == [3, 5, 0]
    assert found.log_sum.tolist() == pytest.approx([np.log(30), np.log(5), 0])


@settings(max_examples=100)
@given(st.integers(0, 30), st.floats(0, 6), st.floats(0, 3000))
def test_dates_rise_and_the_next_order_is_never_in_the_past(n: int, level: float, elapsed: float) -> None:
    mean, spread = posterior_log_gap(WEEKLY, np.array([n]), np.array([n * level]))
    config = Cadence()
    dates = [
        gap_quantile(mean, spread, share, config)[0] for share in (config.slowing, config.likely_lapsed, config.lapsed)
    ]
    assert config.min_days <= dates[0] <= dates[1] <= dates[2] <= config.max_days
    gap = median_next_gap(mean, spread, np.array([elapsed]))[0]
    assert np.isfinite(gap)
    assert gap >= elapsed


def test_the_next_order_halves_what_is_left_of_the_gaps() -> None:
    rng = np.random.default_rng(1)
    mean, spread = posterior_log_gap(WEEKLY, np.array([4]), np.array([4 * np.log(20.0)]))
    gaps = np.exp(rng.normal(mean, spread, 200_000))
    for elapsed in (0.5, 15.0, 40.0):
        left = gaps[gaps > elapsed]
        assert median_next_gap(mean, spread, np.array([elapsed]))[0] == pytest.approx(np.median(left), rel=0.02)


def test_states_follow_from_the_dates() -> None:
    dates = (np.full(6, 10.0), np.full(6, 20.0), np.full(6, 30.0))
    elapsed, age = np.array([5.0, 10.0, 25.0, 30.0, 5.0, 5.0]), np.array([90, 90, 90, 90, 29, 90])
    back = np.array([False, False, False, True, False, True])
    assert cadence.lifecycles(elapsed, age, dates, back, Cadence()).tolist() == [
        "active", "slowing", "likely_lapsed", "lapsed", "new", "won_back",
    ]  # fmt: skip


def test_a_return_after_a_gap_long_for_that_customer_is_won_back() -> None:
    found = gaps_of(days_with_gaps([[7, 7, 8, 7, 200], [7, 7, 8, 7, 9], [60], []]))
    back = cadence.was_won_back(WEEKLY, found, Cadence())
    assert back.tolist() == [True, False, True, False]
