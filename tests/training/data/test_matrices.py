"""Baskets from orders: which count, in which order, under which numbers."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.columns import ITEMS, LINES, ORDERS
from engine.errors import NoHistory
from engine.history.parquet import ParquetHistory
from tests.baskets import dishes_by_customer, learned_from, random_town, tables, without_clock
from training.data.matrices import keep_baskets, training_set, training_set_of


def test_baskets_keep_every_delivered_order_in_time_order() -> None:
    told = {"bob": [(3, ["tea"]), (1, ["soup", "rice"])], "ann": [(2, ["soup"])]}
    assert dishes_by_customer(learned_from(told)) == {"ann": [["soup"]], "bob": [["rice", "soup"], ["tea"]]}


def test_orders_not_delivered_teach_nothing() -> None:
    orders, lines = tables({"ann": [(0, ["soup"]), (1, ["tea"])]})
    cancelled = pl.when(pl.col("order_id") == "ann-1").then(pl.lit("cancelled")).otherwise("status").alias("status")
    data = training_set(
        orders.with_columns(cancelled).lazy(), lines.with_columns(cancelled).lazy(), pl.DataFrame(schema=ITEMS)
    )
    assert dishes_by_customer(data) == {"ann": [["soup"]]}


def test_equal_instants_keep_the_order_of_basket_numbers() -> None:
    orders, lines = tables({"ann": [(0, ["a"]), (0, ["b"]), (0, ["c"])]})
    orders = orders.with_columns(basket_no=pl.Series([3, 1, 2], dtype=pl.Int32))
    data = training_set(orders.lazy(), lines.lazy(), pl.DataFrame(schema=ITEMS))
    assert dishes_by_customer(data) == {"ann": [["b"], ["c"], ["a"]]}


def test_a_listed_dish_nobody_ordered_has_a_column() -> None:
    orders, lines = tables({"ann": [(0, ["soup"])]})
    items = pl.DataFrame([{"item_id": "new", "vendor_id": "v1"}], schema=ITEMS)
    assert training_set(orders.lazy(), lines.lazy(), items).items.to_list() == ["new", "soup"]


def test_history_read_month_by_month_is_the_history_read_whole(tmp_path: Path) -> None:
    town = random_town(30, 12, seed=3)
    spread = {name: [(day, dishes) for day, dishes in placed] for name, placed in town.items()}
    orders, lines = tables(spread, zones={name: f"z{len(name) % 3}" for name in spread}, vendors={"d01": "v1"})
    history = ParquetHistory(tmp_path)
    history.append(orders, lines.with_columns(quantity=pl.col("quantity") + 1))
    items = pl.DataFrame([{"item_id": "new", "vendor_id": "v2"}], schema=ITEMS)
    assert len(list(history.months())) > 2

    parts, whole = training_set_of(history.months(), items), training_set(history.orders(), history.lines(), items)

    for field in [field for field in fields(whole.baskets) if field.init]:
        np.testing.assert_array_equal(getattr(parts.baskets, field.name), getattr(whole.baskets, field.name))
    for name in ("customers", "items", "zones", "vendors", "vendor_items"):
        assert getattr(parts, name).equals(getattr(whole, name)), name


def test_history_without_items_says_what_to_do() -> None:
    with pytest.raises(NoHistory, match="item_id"):
        training_set(pl.LazyFrame(schema=ORDERS), pl.LazyFrame(schema=LINES), pl.DataFrame(schema=ITEMS))


def test_keeping_all_baskets_changes_nothing() -> None:
    data = learned_from(random_town(10, 5, seed=2))
    kept = keep_baskets(data.baskets, np.ones(data.baskets.n_baskets, bool))
    assert dishes_by_customer(data, kept) == dishes_by_customer(data)


def test_baskets_without_a_clock_are_four_weeks_apart_and_all_end_now() -> None:
    data = without_clock({"ann": ["a", "b", "c"], "bob": ["a"]})
    ages = (data.last_at - data.baskets.at) / 86_400
    assert ages.tolist() == [56, 28, 0, 0]
