"""What qualification asks of a customer's orders: how many, the usual one, and what was redeemed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from engine.columns import ORDERS
from engine.offers.facts import LATEST, CustomerFacts, customer_facts

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def orders(*rows: dict[str, object]) -> pl.LazyFrame:
    shared = {"customer_id": "mei", "status": "delivered"}
    full = [{"order_id": str(i), "ordered_at": NOW + timedelta(days=i)} | shared | row for i, row in enumerate(rows)]
    return pl.LazyFrame([{name: row.get(name) for name in ORDERS} for row in full], schema=ORDERS)


def facts(*rows: dict[str, object], **codes: str) -> CustomerFacts:
    return customer_facts(orders(*rows), "mei", offer_of_code=codes)


def test_a_customer_without_orders_has_no_usual_order() -> None:
    assert facts({"customer_id": "bo", "order_cents": 900}) == CustomerFacts(customer_id="mei", orders=0)


def test_orders_that_stand_count() -> None:
    assert facts({"order_cents": 900}, {"order_cents": 100, "status": "cancelled"}).orders == 1


def test_an_order_on_its_way_holds_what_it_used_and_is_not_yet_usual() -> None:
    found = facts({"order_cents": 100, "status": "placed", "offer_id": "five"})
    assert (found.orders, found.usual_basket_cents, found.redemptions_by_offer) == (1, None, {"five": 1})


@pytest.mark.parametrize("status", ["cancelled", "rejected", "refunded"])
def test_an_order_that_came_to_nothing_gives_back_what_it_used(status: str) -> None:
    assert facts({"status": status, "offer_id": "five"}) == CustomerFacts(customer_id="mei", orders=0)


def test_the_usual_order_is_the_median_of_dishes_before_discounts_and_without_the_fee() -> None:
    found = facts(
        {"order_cents": 1000, "discount_cents": 200, "delivery_fee_cents": 300},
        {"order_cents": 1500},
        {"order_cents": 5000},
        {},
    )
    assert (found.orders, found.usual_basket_cents, found.usual_delivery_fee_cents) == (4, 1500, 0)


def test_only_the_latest_orders_make_the_usual_one() -> None:
    usual: dict[str, object] = {"order_cents": 1000}
    found = facts({"order_cents": 90_000}, *[usual] * LATEST)
    assert found.usual_basket_cents == 1000


def test_a_code_counts_as_a_redemption_of_its_offer() -> None:
    found = facts({"offer_id": "five"}, {"offer_id": "ABCD"}, {"offer_id": "other"}, ABCD="five")
    assert found.redemptions_by_offer == {"five": 2, "other": 1}
