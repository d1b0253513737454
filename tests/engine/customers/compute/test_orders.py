"""What was ordered ever, what the registration holds, and habits in time and place."""

from __future__ import annotations

import pytest

from engine.customers.compute.orders import dish_figures, dish_margins, habit_figures, order_figures
from tests.engine.customers.compute.given import inputs_of, rows
from tests.engine.customers.histories import customers, items, lines_of, order, orders, sources


def test_counts_sums_and_the_zone_come_from_orders_and_the_rest_from_the_registration() -> None:
    placed = orders(
        order("a", 2, order_cents=3000, zone="north", discount_cents=100), order("a", 1, order_cents=1000),
        order("b", 1, order_cents=None),
    )  # fmt: skip
    known = customers({"customer_id": "a", "zone": "home", "language": "en"},
                      {"customer_id": "p", "zone": "east", "push_token": "sealed"})  # fmt: skip
    inputs = inputs_of(sources(placed, known=known))
    columns = order_figures(inputs, {}).columns
    names = (
        "orders",
        "revenue_cents",
        "average_order_cents",
        "discounted_orders",
        "zone",
        "language",
        "push_reachable",
    )
    assert rows(inputs, columns, *names) == {
        "a": (2, 4000, 2000.0, 0.5, "north", "en", False),
        "b": (1, None, None, 0.0, None, None, False),
        "p": (0, 0, None, None, "east", None, True),
    }


def test_price_bands_are_thirds_of_customers_by_mean_amount() -> None:
    placed = orders(*(order(f"c{i}", 1, order_cents=1000 * (i + 1)) for i in range(3)), order("x", 1, order_cents=None))
    inputs = inputs_of(sources(placed))
    bands = rows(inputs, order_figures(inputs, {}).columns, "price_band")
    assert bands == {"c0": ("low",), "c1": ("middle",), "c2": ("high",), "x": (None,)}


def test_margins_alone_are_those_of_the_dish_columns() -> None:
    placed = orders(order("a", 40, discount_cents=30), order("a", 1), order("b", 1))
    data = sources(placed, lines_of(placed, [["dal"], ["dal", "naan"], ["tea"]]), menu=items(
        {"item_id": "dal", "margin_cents": 200}, {"item_id": "naan", "margin_cents": 50}, {"item_id": "tea"},
    ))  # fmt: skip
    inputs = inputs_of(data)
    since = inputs.window_start_s
    columns, margin, window_margin = dish_figures(data, inputs.purchases, since)
    assert margin.tolist() == pytest.approx([420.0, float("nan")], nan_ok=True)
    for alone, whole in zip(dish_margins(data, inputs.purchases, since), (margin, window_margin), strict=True):
        assert alone.tolist() == pytest.approx(whole.tolist(), nan_ok=True)
    assert rows(inputs, columns, "distinct_items", "top_items", "party_size") == {
        "a": (2, ["dal", "naan"], 1.5),
        "b": (1, ["tea"], 1.0),
    }


def test_habits_hold_the_favourite_daypart_and_vendor() -> None:
    inputs = inputs_of(sources(orders(order("a", 1, vendor_id="v1"), order("a", 8, vendor_id="v1"))))
    columns = habit_figures(inputs, {}).columns
    assert rows(inputs, columns, "favourite_daypart", "top_vendors", "lunch_share") == {"a": ("lunch", ["v1"], 1.0)}
