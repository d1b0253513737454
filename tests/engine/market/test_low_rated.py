"""Vendors and dishes by ratings, survey answers and complaints: whose each opinion is, and in which order they come."""

from __future__ import annotations

import polars as pl
import pytest

from engine.customers.config import Satisfaction
from engine.market.low_rated import by_complaints, vendor_and_dish_ratings
from tests.engine.customers.histories import NOW, feedback, items, lines_of, opinion, order, orders, sources


def test_vendors_and_dishes_share_the_opinions_of_their_orders() -> None:
    placed = orders(order("a", 60, vendor_id="v1"), order("b", 5, vendor_id="v2"))
    data = sources(placed, lines_of(placed, [["dal", "naan"], ["dal"]]), menu=items(
        {"item_id": "dal", "name": "Dal"}, {"item_id": "tea", "vendor_id": "v3"},
    ))  # fmt: skip
    given = feedback(
        opinion("a", 59, "nps", 9, order_id="o0"), opinion("b", 4, "nps", 4, order_id="o1"),
        opinion("a", 40, "complaint", order_id="o0", item_id="naan"),
        opinion("b", 3, "complaint", item_id="tea"), opinion("b", 2, "complaint", item_id="tea"),
        opinion("b", 2, "csat", 3, vendor_id="v1"), opinion("b", 1, "csat", 1),
        opinion("b", -1, "complaint", vendor_id="v1"), opinion("b", 1, "complaint", order_id="unknown"),
    )  # fmt: skip
    found = vendor_and_dish_ratings(data.orders, data.lines, data.items, given, NOW, Satisfaction())
    assert found.filter(pl.col("ratings") > 0).is_empty()
    assert by_complaints(found).rows() == [
        ("dish", "tea", 2, 2, None, None, None, None),
        ("vendor", "v3", 2, 2, None, None, None, None),
        ("vendor", "v1", 1, -1, 100.0, None, 3.0, None),
        ("dish", "naan", 1, -1, 100.0, None, None, None),
        ("vendor", "v2", 0, 0, -100.0, None, None, None),
        ("dish", "Dal", 0, 0, 0.0, -200.0, None, None),
    ]


def test_vendors_and_dishes_are_ranked_worst_first_with_their_trend() -> None:
    rows = [order("a", d, vendor_id="good", rating=5.0) for d in (60, 5)]
    rows += [order("a", 50, vendor_id="bad", rating=4.0), order("b", 5, vendor_id="bad", rating=1.0)]
    rows += [order("b", -1, vendor_id="bad", rating=5.0), order("b", 4, vendor_id="bad")]
    placed = orders(*rows)
    data = sources(placed, lines_of(placed, [["dal"], ["dal", "naan"], ["naan"], ["naan"], ["naan"], ["naan"]]))
    found = vendor_and_dish_ratings(data.orders, data.lines, data.items, data.feedback, NOW, Satisfaction())
    assert by_complaints(found).is_empty()
    assert found.select("kind", "name", "ratings", "average_rating", "low_share", "trend").rows() == [
        ("vendor", "bad", 2, 2.5, 0.5, -3.0),
        ("dish", "naan", 3, pytest.approx(10 / 3), pytest.approx(1 / 3), pytest.approx(-1.0)),
        ("dish", "dal", 2, 5.0, 0.0, 0.0),
        ("vendor", "good", 2, 5.0, 0.0, 0.0),
    ]
