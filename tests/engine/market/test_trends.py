"""Trends are robust, weekdays are no trend, and a drop is measured against its own past."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from engine.market.trends import LEAST_WEEKS, forecast_next_week, market_trends, theil_sen_slopes
from tests.engine.customers.histories import NOW, lines_of, order, orders, sources


@settings(max_examples=60)
@given(st.lists(st.floats(0, 100), min_size=6, max_size=14))
def test_the_slope_is_theil_sens(counts: list[float]) -> None:
    slope, low, high = theil_sen_slopes(np.array([counts]))
    assert slope[0] == pytest.approx(stats.theilslopes(counts).slope, abs=1e-9)
    assert low[0] <= slope[0] <= high[0]


def test_one_odd_week_makes_no_trend_and_its_interval_holds_the_truth() -> None:
    rng = np.random.default_rng(0)
    odd = np.full((1, 12), 50.0)
    odd[0, 3] = 5000
    assert theil_sen_slopes(odd)[0][0] == 0.0
    drawn = 100 + 2.0 * np.arange(12) + rng.normal(0, 10, (2000, 12))
    _, low, high = theil_sen_slopes(drawn)
    assert 0.86 <= ((low <= 2.0) & (high >= 2.0)).mean() <= 0.97


def test_a_steady_line_is_carried_on_and_only_a_real_drop_alarms() -> None:
    rng = np.random.default_rng(1)
    steady = rng.poisson(50, (3000, 12)).astype(float)
    expected, least = forecast_next_week(steady[:, :-1])
    assert expected.mean() == pytest.approx(50, rel=0.02)
    assert (steady[:, -1] < least).mean() < 0.03
    assert (least > 10).mean() > 0.9
    rising, _ = forecast_next_week((20 + 5.0 * np.arange(11, dtype=np.float64))[None, :])
    assert rising[0] == pytest.approx(20 + 5 * 11)


def town(dropped: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows, dishes = [], []
    for day in range(84):
        weekend = NOW.back(day).date.isoweekday() >= 6
        for i in range(6 if weekend else 3):
            rows.append(order(f"c{i}", day, vendor_id="v1", zone="z"))
            fading = i < round(3 * day / 84)
            dishes.append(["naan" if day >= 7 or not dropped else "dal", *(["old dish"] if fading else [])])
    placed = orders(*rows)
    return placed, lines_of(placed, dishes)


def test_weekends_are_no_trend_and_a_fading_dish_falls() -> None:
    placed, lines = town(dropped=False)
    data = sources(placed, lines)
    found = market_trends(data.orders, data.lines, data.items, data.vendors, NOW)
    trends = {(trend.kind, trend.name): trend for trend in found.trends}
    assert found.weeks == 12
    assert trends["vendor", "v1"].direction == trends["zone", "z"].direction == "steady"
    assert trends["dish", "old dish"].direction == "falls"
    assert trends["dish", "old dish"].high < 0
    assert trends["dish", "old dish"].against_market < 0
    assert not [drop for drop in found.drops if drop.name == "naan"]


def test_a_dish_that_vanished_this_week_raises_an_alarm() -> None:
    placed, lines = town(dropped=True)
    data = sources(placed, lines)
    found = market_trends(data.orders, data.lines, data.items, data.vendors, NOW)
    alarm = next(drop for drop in found.drops if drop.name == "naan")
    assert alarm.orders == 0
    assert alarm.expected > 20


def test_too_few_weeks_show_no_trend() -> None:
    placed = orders(*(order("a", day) for day in range(7 * LEAST_WEEKS - 8)))
    data = sources(placed)
    found = market_trends(data.orders, data.lines, data.items, data.vendors, NOW)
    assert not found.trends
    assert not found.drops
    nothing = sources(orders())
    assert market_trends(nothing.orders, nothing.lines, nothing.items, nothing.vendors, NOW).weeks == 0
