"""Likes and habits against a plain reading of the orders, one customer at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.columns import VENDORS
from engine.customers.behaviour import habits
from engine.customers.behaviour.purchases import Purchases, read_purchases
from engine.customers.columns import DAYPART_NAMES
from engine.history.dayparts import Dayparts
from tests.engine.customers.histories import NOW, customers, items, lines_of, order, orders

MENU = items(
    {"item_id": "dal", "category": "main", "cuisine": "north", "margin_cents": 300},
    {"item_id": "idli", "category": "main", "cuisine": "south", "margin_cents": 200},
    {"item_id": "chai", "category": "drink", "vendor_id": "v1"},
)
KITCHENS = pl.DataFrame({"vendor_id": ["v1"], "cuisine": ["street"]}).cast({"vendor_id": VENDORS["vendor_id"]})
DISHES = ["dal", "idli", "chai", "soup"]
Placed = tuple[str, int, int, str | None, str | None, list[str]]
PLACED = st.tuples(
    st.sampled_from("ab"), st.integers(0, 40), st.integers(0, 23), st.sampled_from(["v1", "v2", None]),
    st.sampled_from(["n", "s", None]), st.lists(st.sampled_from(DISHES), min_size=1, max_size=3),
)  # fmt: skip


def read(drawn: list[Placed]) -> tuple[pl.DataFrame, list[list[str]], Purchases, habits.Lines]:
    rows = [
        order(who, day, ordered_at=NOW.at - timedelta(days=day, hours=hour, seconds=i), vendor_id=v, zone=z)
        for i, (who, day, hour, v, z, _) in enumerate(drawn)
    ]
    placed = orders(*rows)
    kept = [sorted(set(dishes)) for *_, dishes in drawn]
    purchases = read_purchases(placed.lazy(), customers(), NOW)
    lines = habits.read_lines(lines_of(placed, kept).lazy(), purchases)
    return placed, kept, purchases, lines


def most(pairs: Sequence[tuple[str, datetime]]) -> list[str] | None:
    """Return up to three things: most often first, then on the latest day, then by name."""
    times = Counter(thing for thing, _ in pairs)
    last = {thing: max(int(at.timestamp()) // 86_400 for t, at in pairs if t == thing) for thing in times}
    return sorted(times, key=lambda thing: (-times[thing], -last[thing], thing))[:3] or None


@settings(max_examples=60, deadline=None)
@given(st.lists(PLACED, min_size=1, max_size=15))
def test_every_habit_equals_a_plain_reading(drawn: list[Placed]) -> None:
    placed, dishes, purchases, lines = read(drawn)
    menu = habits.read_menu(lines.items, MENU, KITCHENS)
    found = (
        habits.dish_columns(lines, menu, purchases.n)
        | habits.place_columns(purchases)
        | habits.timing_columns(purchases, Dayparts())
    )
    party = habits.party_size(lines, purchases.n)
    for i, who in enumerate(purchases.ids):
        mine = [
            (row, d) for row, d in zip(placed.iter_rows(named=True), dishes, strict=True) if row["customer_id"] == who
        ]
        eaten = [(dish, row["ordered_at"]) for row, ds in mine for dish in ds]
        assert most(eaten) == _list(found["top_items"][i])
        assert found["distinct_items"][i] == len({dish for dish, _ in eaten})
        first = {dish: min(at for d, at in eaten if d == dish) for dish, _ in eaten}
        assert found["last_new_item_at"][i] == max(first.values()).replace(microsecond=0)
        for column, name in (("top_vendors", "vendor_id"), ("zones", "zone")):
            assert most([(row[name], row["ordered_at"]) for row, _ in mine if row[name]]) == _list(found[column][i])
        assert party[i] == median(len(ds) for _, ds in mine)
        hours = [row["ordered_at"].hour for row, _ in mine]
        parts = Counter(_part(hour) for hour in hours)
        assert found["daypart_shares"][i].to_list() == pytest.approx([parts[p] / len(mine) for p in DAYPART_NAMES])
        days = Counter(row["ordered_at"].isoweekday() for row, _ in mine)
        assert found["weekday_shares"][i].to_list() == pytest.approx([days[d] / len(mine) for d in range(1, 8)])
        assert found["favourite_weekday"][i] == max(range(1, 8), key=lambda d: (days[d], -d))
        assert found["weekend_share"][i] == pytest.approx((days[6] + days[7]) / len(mine))
        near = [2 * hours.count(h) + hours.count((h + 1) % 24) + hours.count((h - 1) % 24) for h in range(24)]
        assert found["best_hour"][i] == near.index(max(near))


def _list(value: pl.Series | None) -> list[str] | None:
    return None if value is None else value.to_list()


def _part(hour: int) -> str:
    return "late" if hour < 5 or hour >= 22 else "breakfast" if hour < 11 else "lunch" if hour < 14 else (
        "afternoon" if hour < 17 else "dinner")  # fmt: skip


def test_cuisines_come_from_the_dish_else_from_its_kitchen() -> None:
    _, _, purchases, lines = read([("a", 3, 1, "v1", "n", ["dal", "chai"]), ("a", 1, 1, "v1", "n", ["chai", "soup"])])
    found = habits.dish_columns(lines, habits.read_menu(lines.items, MENU, KITCHENS), purchases.n)
    assert found["top_cuisines"].to_list() == [["street", "north"]]
    assert found["top_categories"].to_list() == [["drink", "main"]]


def test_margin_is_what_the_dishes_earn_less_discounts() -> None:
    placed = orders(order("a", 400, discount_cents=50), order("a", 3, discount_cents=20), order("b", 3))
    purchases = read_purchases(placed.lazy(), customers(), NOW)
    lines = habits.read_lines(lines_of(placed, [["dal"], ["dal", "idli"], ["chai"]]).lazy(), purchases)
    since = int((NOW.at - timedelta(days=365)).timestamp())
    ever, lately = habits.margins(lines, habits.read_menu(lines.items, MENU, KITCHENS), purchases, since)
    assert (ever[0], lately[0]) == (300 + 500 - 70, 500 - 20)
    assert np.isnan(ever[1])


def test_price_bands_are_thirds_and_equals_share_one() -> None:
    assert habits.price_bands(np.array([1.0, 2.0, 3.0, np.nan])).to_list() == ["low", "middle", "high", None]
    assert set(habits.price_bands(np.full(9, 5.0))) == {"low"}
    assert habits.price_bands(np.array([np.nan])).to_list() == [None]


def test_who_never_ordered_has_no_habits() -> None:
    purchases = read_purchases(orders(order("a", 1)).lazy(), customers({"customer_id": "p"}), NOW)
    lines = habits.read_lines(pl.DataFrame(schema=lines_of(orders(), []).schema).lazy(), purchases)
    found = habits.dish_columns(lines, habits.read_menu(lines.items, MENU, KITCHENS), 2) | habits.place_columns(
        purchases
    )
    found |= habits.timing_columns(purchases, Dayparts())
    assert [found[name][1] for name in ("top_items", "top_vendors", "daypart_shares", "best_hour")] == [None] * 4
    assert np.isnan(habits.party_size(lines, 2)).all()
