"""The figures of a customer are those of their delivered orders up to the instant asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from engine.columns import CUSTOMERS, ORDERS
from engine.customers.figures import FIGURES, customer_figures

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def orders(*rows: dict[str, object]) -> pl.LazyFrame:
    full = [{"order_id": f"o{i}", "status": "delivered", **row} for i, row in enumerate(rows)]
    return pl.DataFrame([{name: row.get(name) for name in ORDERS} for row in full], schema=ORDERS).lazy()


def customers(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in CUSTOMERS} for row in rows], schema=CUSTOMERS)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def row_of(frame: pl.DataFrame, customer_id: str) -> dict[str, object]:
    (row,) = frame.filter(pl.col("customer_id") == customer_id).iter_rows(named=True)
    return row


def test_orders_revenue_and_days_come_from_delivered_orders() -> None:
    found = row_of(
        customer_figures(
            orders(
                {
                    "customer_id": "a",
                    "ordered_at": ago(10),
                    "order_cents": 1000,
                    "discount_cents": 100,
                    "zone": "north",
                },
                {"customer_id": "a", "ordered_at": ago(2.5), "order_cents": 3000, "zone": "south"},
                {"customer_id": "a", "ordered_at": ago(1), "order_cents": 9999, "status": "cancelled", "zone": "x"},
                {"customer_id": "a", "ordered_at": ago(1), "order_cents": 9999, "status": "refunded"},
            ),
            customers(),
            as_of=NOW,
        ),
        "a",
    )
    assert found["orders"] == 2
    assert found["revenue_cents"] == 4000
    assert found["average_order_cents"] == 2000
    assert found["days_since_last_order"] == 2.5
    assert found["days_since_first_order"] == 10
    assert found["discounted_orders"] == 0.5
    assert found["zone"] == "south"


def test_what_is_later_than_the_instant_does_not_exist() -> None:
    frame = customer_figures(
        orders(
            {"customer_id": "a", "ordered_at": ago(5), "order_cents": 100},
            {"customer_id": "a", "ordered_at": NOW + timedelta(seconds=1), "order_cents": 100},
            {"customer_id": "b", "ordered_at": NOW + timedelta(days=1), "order_cents": 100},
        ),
        customers({"customer_id": "late", "registered_at": NOW + timedelta(days=1)}),
        as_of=NOW,
    )
    assert frame["customer_id"].to_list() == ["a"]
    assert frame["orders"].to_list() == [1]


def test_a_customer_without_orders_is_there_with_zeros_and_unknown_days() -> None:
    found = row_of(
        customer_figures(orders(), customers({"customer_id": "new", "language": "zh", "zone": "home"}), as_of=NOW),
        "new",
    )
    assert (found["orders"], found["revenue_cents"]) == (0, 0)
    assert found["days_since_last_order"] is None
    assert (found["language"], found["zone"]) == ("zh", "home")


def test_revenue_is_unknown_when_no_amount_is_known() -> None:
    found = row_of(customer_figures(orders({"customer_id": "a", "ordered_at": ago(1)}), customers(), as_of=NOW), "a")
    assert (found["orders"], found["revenue_cents"]) == (1, None)


def test_the_latest_zone_that_is_known_wins() -> None:
    found = row_of(
        customer_figures(
            orders(
                {"customer_id": "a", "ordered_at": ago(2), "zone": "north"}, {"customer_id": "a", "ordered_at": ago(1)}
            ),
            customers({"customer_id": "a", "zone": "home"}),
            as_of=NOW,
        ),
        "a",
    )
    assert found["zone"] == "north"


@pytest.mark.parametrize("table", [customers(), customers({"customer_id": "a"})])
def test_the_frame_always_has_the_schema(table: pl.DataFrame) -> None:
    assert dict(customer_figures(orders(), table, as_of=NOW).schema) == FIGURES
