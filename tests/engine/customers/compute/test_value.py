"""Value in the window and cadence, customer by customer."""

from __future__ import annotations

from datetime import timedelta

from engine.customers.compute.value import cadence_figures, value_figures
from engine.customers.config import CustomerConfig, Rfm
from tests.engine.customers.compute.given import inputs_of, rows
from tests.engine.customers.histories import NOW, customers, order, orders, sources


def test_the_window_bounds_frequency_and_monetary_but_not_recency() -> None:
    placed = orders(order("a", 100), order("b", 3, order_cents=2500), order("b", 3), order("b", 200))
    inputs = inputs_of(sources(placed), CustomerConfig(rfm=Rfm(window_days=30)))
    columns = value_figures(inputs, {}).columns
    assert rows(inputs, columns, "order_days", "recency_days", "frequency", "monetary", "abcd", "tier_value") == {
        "a": (1, 100, 0, 0.0, "D", 0.0),
        "b": (2, 3, 2, 35.0, "A", 35.0),
    }


def test_money_taken_back_lowers_the_window_and_is_no_order() -> None:
    inputs = inputs_of(sources(orders(order("a", 3), order("a", 2, order_cents=-400))))
    assert rows(inputs, value_figures(inputs, {}).columns, "frequency", "monetary") == {"a": (1, 6.0)}


def test_the_dates_of_a_silence_follow_each_other_and_decide_the_lifecycle() -> None:
    placed = orders(*(order("kept", day) for day in range(0, 70, 7)), *(order("gone", 300 + day) for day in (0, 7, 14)))
    inputs = inputs_of(sources(placed, known=customers({"customer_id": "p"})))
    columns = cadence_figures(inputs, {}).columns
    found = rows(inputs, columns, "lifecycle", "own_gap_days")
    assert found == {"kept": ("active", 7.0), "gone": ("lapsed", 7.0), "p": ("prospect", None)}
    for slowing, likely, lapsed in rows(inputs, columns, "slowing_at", "likely_lapsed_at", "lapsed_at").values():
        assert slowing is None or slowing <= likely <= lapsed  # type: ignore[operator]
    due = rows(inputs, columns, "next_order_at")["kept"][0]
    assert NOW.at <= due <= NOW.at + timedelta(days=14)  # type: ignore[operator]
