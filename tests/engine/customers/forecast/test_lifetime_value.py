"""The model is chosen by the likelihood of what it had not seen, and its forecasts are put together rightly."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from engine.customers.behaviour.purchases import OrderDays
from engine.customers.config import LifetimeValue
from engine.customers.forecast import bg_nbd, gamma_gamma
from engine.customers.forecast.bg_nbd import BgNbd
from engine.customers.forecast.lifetime_value import (
    fit_lifetime_model,
    forecast_lifetime,
    held_out_log_likelihood,
    recency_frequency_at,
)
from engine.errors import NoHistory
from tests.engine.customers.behaviour.test_purchases import days_of
from tests.engine.customers.histories import NOW, drawn_days, drawn_town, order, orders


def town(drops_out_at_once: bool, seed: int = 4) -> OrderDays:
    drawn = drawn_days(4000, r=0.9, alpha=3, a=0.8, b=1.2, weeks=60, seed=seed, drops_out_at_once=drops_out_at_once)
    start = NOW.at - timedelta(weeks=60)
    return days_of(orders(*(order(f"c{i:04d}", 0, ordered_at=start + timedelta(days=float(day)), order_cents=500 + i)
                            for i, own in enumerate(drawn) for day in own)))  # fmt: skip


@pytest.mark.parametrize(("at_once", "name"), [(True, "mbg_nbd"), (False, "bg_nbd")])
def test_the_model_the_customers_were_drawn_from_is_chosen(at_once: bool, name: str) -> None:
    model = fit_lifetime_model(town(at_once), NOW.day, LifetimeValue())
    assert model.bg_nbd.model == name
    assert model.held_out[name] == max(model.held_out.values())
    assert model.backtest is not None
    assert model.backtest.mae < model.backtest.mae_same_rate
    assert model.backtest.forecast == pytest.approx(model.backtest.actual, rel=0.12)


def test_a_named_model_is_fitted_without_a_choice() -> None:
    model = fit_lifetime_model(town(True), NOW.day, LifetimeValue(model="bg_nbd"))
    assert model.bg_nbd.model == "bg_nbd"
    assert model.held_out == {}
    assert set(model.as_json()) == {"model", "parameters", "gamma_gamma", "log_likelihood", "customers"}


def test_the_held_out_likelihood_is_that_of_all_less_that_of_before() -> None:
    model = BgNbd("mbg_nbd", 0.7, 2.5, 0.9, 1.4)
    days = days_of(orders(order("a", 90), order("a", 60), order("a", 10), order("b", 70), order("c", 5)))
    before, after = recency_frequency_at(days, NOW.day - 30), recency_frequency_at(days, NOW.day)

    def one(x: int, tx: int, t: int) -> float:
        return float(bg_nbd.bg_nbd_log_likelihoods(model, bg_nbd.summarise(*(np.array([v]) for v in (x, tx, t)))[0])[0])

    expected = ((one(2, 80, 90) - one(1, 30, 60)) + (one(0, 0, 70) - one(0, 0, 40))) / 2
    assert held_out_log_likelihood(model, before, after) == pytest.approx(expected)


def test_the_mean_value_is_that_of_repeat_days_alone() -> None:
    days = days_of(orders(order("a", 9, order_cents=9900), order("a", 5, order_cents=1000), order("a", 2)))
    known = recency_frequency_at(days, NOW.day)
    assert (known.x[0], known.valued[0], known.mean_value[0]) == (2, 2, 10.0)


def test_revenue_is_orders_times_the_value_of_one_for_every_horizon() -> None:
    days = days_of(drawn_town(400, seed=6))
    model = fit_lifetime_model(days, NOW.day, LifetimeValue())
    now = recency_frequency_at(days, NOW.day)
    found = forecast_lifetime(model, now, [7, 90])
    assert model.gamma_gamma is not None
    worth = gamma_gamma.expected_order_value(model.gamma_gamma, now.valued, now.mean_value)
    for horizon in (7, 90):
        np.testing.assert_allclose(found.revenue[horizon], found.orders[horizon] * worth)
        assert ((found.silent[horizon] >= 0) & (found.silent[horizon] <= 1)).all()
    assert (found.orders[90] > found.orders[7]).all()


def test_without_amounts_orders_are_forecast_and_the_reason_is_told() -> None:
    days = days_of(drawn_town(200, seed=6).with_columns(order_cents=None))
    model = fit_lifetime_model(days, NOW.day, LifetimeValue(model="bg_nbd"))
    assert model.gamma_gamma is None
    assert "import order amounts" in str(model.as_json()["note"])
    assert np.isnan(forecast_lifetime(model, recency_frequency_at(days, NOW.day), [30]).revenue[30]).all()


def test_a_history_too_short_to_hold_any_back_takes_bg_nbd_and_says_so() -> None:
    rows = [order(f"c{i}", 5) for i in range(12)] + [order(f"c{i}", 1, order_cents=500 + i) for i in range(12)]
    model = fit_lifetime_model(days_of(orders(*rows)), NOW.day, LifetimeValue())
    assert model.bg_nbd.model == "bg_nbd"
    assert model.held_out == {}


def test_nobody_is_refused() -> None:
    with pytest.raises(NoHistory, match="at least 10 customers"):
        fit_lifetime_model(days_of(orders()), NOW.day, LifetimeValue())
