"""The chance of return: judged on time it never saw, better than its parts, honest where history is short."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.customers.behaviour.cadence import fit_population_cadence
from engine.customers.behaviour.purchases import OrderDays, order_days, read_purchases
from engine.customers.config import CustomerConfig, LifetimeValue
from engine.customers.forecast.churn import (
    CHURN_FEATURES,
    churn_features,
    evaluate_churn,
    fit_churn_model,
    ordered_after,
)
from engine.customers.forecast.lifetime_value import fit_lifetime_model
from tests.engine.customers.behaviour.test_purchases import days_of
from tests.engine.customers.histories import NOW, customers, drawn_town, moment, order, orders


@pytest.fixture(scope="module")
def town() -> OrderDays:
    return days_of(drawn_town(2500, seed=9))


def test_on_drawn_customers_it_is_calibrated_and_beats_recency_alone(town: OrderDays) -> None:
    model = fit_churn_model(town, NOW.day, 60, CustomerConfig(), "bg_nbd")
    quality = model.quality
    assert quality is not None
    assert quality.cut_day == NOW.day - 60
    assert quality.model.value > quality.recency_alone.value + 0.02
    # Nothing knows more than the very model the customers were drawn from; it must not lose what that knows.
    assert quality.model.value > quality.expected_orders_alone.value - 0.015
    assert quality.brier < quality.brier_base_rate
    assert max(abs(each.forecast - each.observed) for each in quality.reliability) < 0.12


def test_nothing_after_the_moment_is_looked_at(town: OrderDays) -> None:
    day = NOW.day - 60
    cut, whole = town.until(day), town
    population = fit_population_cadence(cut)
    a, b = (churn_features(each, day, 30, None, population).features for each in (cut, whole))
    np.testing.assert_array_equal(a, b)
    assert a.shape[1] == len(CHURN_FEATURES)


def test_equal_data_give_equal_chances(town: OrderDays) -> None:
    known = churn_features(town, NOW.day, 60, None, fit_population_cadence(town))
    one, two = (fit_churn_model(town, NOW.day, 60, CustomerConfig(), "bg_nbd") for _ in "ab")
    np.testing.assert_array_equal(one.p_no_order(known), two.p_no_order(known))


def test_who_ordered_within_the_horizon_returned() -> None:
    days = days_of(orders(order("a", 40), order("a", 10), order("b", 40), order("b", 9), order("c", 40), order("d", 9)))
    known = churn_features(days, NOW.day - 30, 20, None, fit_population_cadence(days))
    assert ordered_after(days, known, 20).tolist() == [True, False, False]


def test_a_short_history_falls_back_to_the_bg_nbd_model_and_says_so() -> None:
    days = days_of(drawn_town(120, seed=2, weeks=8))
    model = fit_churn_model(days, NOW.day, 60, CustomerConfig(), "bg_nbd")
    assert model.quality is None
    assert "too little history" in (model.note or "")
    known = churn_features(days, NOW.day, 60, None, fit_population_cadence(days))
    chance = model.p_no_order(known)
    assert ((chance >= 0) & (chance <= 1)).all()


def ncr_days(path: Path) -> OrderDays:
    raw = pl.read_parquet(path)
    at = pl.col("placed_at").dt.replace_time_zone("Asia/Kolkata").dt.convert_time_zone("UTC")
    placed = raw.select(
        pl.col("order_id").cast(pl.String), "customer_id", at.alias("ordered_at"),
        pl.col("status").replace_strict({"Delivered": "delivered"}, default="rejected").alias("status"),
        (pl.col("total") * 100).round().cast(pl.Int64).alias("order_cents"),
        (pl.col("discount_total") * 100).round().cast(pl.Int64).alias("discount_cents"),
    )  # fmt: skip
    full = pl.concat([orders(), placed], how="diagonal_relaxed").lazy()
    return order_days(read_purchases(full, customers(), moment("2025-01-03", "Asia/Kolkata")))


def test_return_within_28_days_of_real_diners_is_foretold_better_than_by_its_parts(
    shared_data: Callable[..., Path], show_figure: Callable[[str], None]
) -> None:
    days = ncr_days(shared_data("ncr_food_orders", "orders.parquet"))
    today = moment("2025-01-03", "Asia/Kolkata").day
    name = fit_lifetime_model(days, today - 28, LifetimeValue()).bg_nbd.model
    quality = evaluate_churn(days, today, 28, name)
    show_figure(
        f"ncr 28-day return {quality.customers:,} customers, {quality.returned:,} came: AUC {quality.model.value:.3f} "
        f"({quality.model.low:.3f} to {quality.model.high:.3f}), recency {quality.recency_alone.value:.3f}, expected "
        f"orders {quality.expected_orders_alone.value:.3f}; Brier {quality.brier:.4f} of {quality.brier_base_rate:.4f}"
    )
    assert quality.model.value > quality.expected_orders_alone.value
    assert quality.model.value > quality.recency_alone.value + 0.05
    assert quality.brier < 0.9 * quality.brier_base_rate
    assert quality.model.value >= 0.72
