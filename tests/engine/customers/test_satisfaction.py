"""Who is unhappy is known the day it happens, and a better order mends it."""

from __future__ import annotations

import pytest

from engine.customers.config import CustomerConfig, Satisfaction
from engine.customers.purchases import read_purchases
from engine.customers.satisfaction import satisfaction, satisfaction_by_thing
from engine.customers.table import customer_table
from tests.engine.customers.histories import NOW, customers, lines_of, moment, order, orders, sources


def found_of(*rows: dict[str, object], at=NOW) -> dict[str, dict[str, object]]:
    purchases = read_purchases(orders(*rows).lazy(), customers(), at)
    frame = satisfaction(purchases, Satisfaction())
    return {purchases.ids[row["customer"]]: row for row in frame.iter_rows(named=True)}


def test_ratings_are_counted_and_their_trend_is_newer_less_older_half() -> None:
    row = found_of(*(order("a", 10 - i, rating=r) for i, r in enumerate([2.0, 3.0, 5.0, 4.0, 4.0])))["a"]
    assert (row["ratings"], row["average_rating"], row["last_rating"]) == (5, pytest.approx(3.6), 4.0)
    assert row["rating_trend"] == pytest.approx(4.0 - 2.5)


def test_a_low_rating_or_a_refund_makes_her_unhappy_until_a_better_one() -> None:
    told = found_of(
        order("low", 9, rating=5.0), order("low", 2, rating=2.0),
        order("refund", 9, rating=4.0), order("refund", 3, status="refunded"),
        order("mended", 9, rating=1.0), order("mended", 1, rating=4.0),
        order("worse", 9, rating=5.0), order("worse", 5, status="rejected"), order("worse", 4, rating=1.0),
        order("unrated", 1),
    )  # fmt: skip
    days = {who: None if row["unhappy_at"] is None else row["unhappy_at"].day for who, row in told.items()}
    assert days == {"low": 27, "refund": 26, "mended": None, "worse": 25}


def test_an_unhappy_valuable_customer_is_found_that_very_day_and_not_before() -> None:
    rows = [order(f"c{i}", 5 + i, order_cents=1000 + i) for i in range(40)]
    rows += [order("best", d, order_cents=50_000) for d in (20, 10)] + [order("best", 0, rating=1.0)]
    data = sources(orders(*rows))
    built = {
        day: customer_table(data, moment(day), horizon_days=30, config=CustomerConfig()).table
        for day in ("2026-02-28", "2026-03-01")
    }
    unhappy = {day: frame.filter("unhappy_valuable")["customer_id"].to_list() for day, frame in built.items()}
    assert unhappy == {"2026-02-28": [], "2026-03-01": ["best"]}


def test_vendors_and_dishes_are_ranked_worst_first_with_their_trend() -> None:
    rows = [order("a", d, vendor_id="good", rating=5.0) for d in (60, 5)]
    rows += [order("a", 50, vendor_id="bad", rating=4.0), order("b", 5, vendor_id="bad", rating=1.0)]
    rows += [order("b", -1, vendor_id="bad", rating=5.0), order("b", 4, vendor_id="bad")]
    placed = orders(*rows)
    data = sources(placed, lines_of(placed, [["dal"], ["dal", "naan"], ["naan"], ["naan"], ["naan"], ["naan"]]))
    found = satisfaction_by_thing(data.orders, data.lines, data.items, NOW, Satisfaction())
    assert found.rows() == [
        ("vendor", "bad", 2, 2.5, 0.5, -3.0),
        ("dish", "naan", 3, pytest.approx(10 / 3), pytest.approx(1 / 3), pytest.approx(-1.0)),
        ("dish", "dal", 2, 5.0, 0.0, 0.0),
        ("vendor", "good", 2, 5.0, 0.0, 0.0),
    ]
