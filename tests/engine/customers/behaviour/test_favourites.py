"""A favourite is the named dish a customer ordered most often, the latest where two tie."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from engine.columns import ITEMS, LINES
from engine.customers.behaviour.favourites import favourite_items

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def lines(*rows: tuple[str, str, str, float]) -> pl.LazyFrame:
    full = [
        {"order_id": order, "line_no": 0, "customer_id": who, "item_id": item, "quantity": 1.0, "status": "delivered"}
        | {"ordered_at": NOW - timedelta(days=days)}
        for who, order, item, days in rows
    ]
    return pl.DataFrame([{name: row.get(name) for name in LINES} for row in full], schema=LINES).lazy()


def items(**available: bool | None) -> pl.DataFrame:
    rows = [{"item_id": each, "name": each.upper(), "available": known} for each, known in available.items()]
    rows.append({"item_id": "nameless"})
    return pl.DataFrame([{name: row.get(name) for name in ITEMS} for row in rows], schema=ITEMS)


def favourites(frame: pl.LazyFrame, table: pl.DataFrame, *who: str) -> dict[str, str]:
    found = favourite_items(frame, table, pl.DataFrame({"customer_id": who}), as_of=NOW)
    return dict(found.select("customer_id", "name").iter_rows())


def test_the_dish_ordered_most_often_wins_and_ties_go_to_the_latest() -> None:
    frame = lines(("a", "1", "soup", 9), ("a", "2", "soup", 8), ("a", "3", "rice", 1), ("b", "4", "soup", 5))
    tied = lines(("c", "5", "soup", 3), ("c", "6", "rice", 2))
    both = pl.concat([frame, tied])
    assert favourites(both, items(soup=None, rice=None), "a", "b", "c") == {"a": "SOUP", "b": "SOUP", "c": "RICE"}


def test_two_portions_in_one_order_count_once() -> None:
    frame = lines(("a", "1", "soup", 9), ("a", "1", "soup", 9), ("a", "2", "rice", 8))
    assert favourites(frame, items(soup=None, rice=None), "a") == {"a": "RICE"}


def test_dishes_without_a_name_or_off_the_menu_and_other_people_are_left_out() -> None:
    frame = lines(("a", "1", "nameless", 1), ("a", "2", "gone", 2), ("b", "3", "soup", 3), ("a", "4", "soup", -1))
    assert favourites(frame, items(soup=None, gone=False), "a") == {}
