"""The tables of customers, items, vendors and offers: full schema, upsert by key."""

from __future__ import annotations

import polars as pl
import pytest

from engine.columns import ITEMS, OFFERS
from engine.errors import BadColumns, BadFile
from engine.history.tables import read_table, table_file, upsert_rows, upsert_table
from engine.settings import Settings

DISHES = pl.DataFrame({"item_id": ["soup", "rice"], "name": ["Soup", None], "price_cents": [500, 200]})


def test_a_table_nobody_wrote_is_empty_with_the_full_schema(settings: Settings) -> None:
    table = read_table(settings, "offers")
    assert table.height == 0
    assert table.schema == pl.Schema(OFFERS)


def test_rows_are_added_changed_or_left_by_key(settings: Settings) -> None:
    assert upsert_table(settings, "items", DISHES) == (2, 0, 0)
    assert upsert_table(settings, "items", DISHES) == (0, 0, 2)
    dearer = pl.DataFrame({"item_id": ["rice", "tea", "soup"], "price_cents": [250, 100, 500]})
    assert upsert_rows(settings, "items", dearer).to_list() == ["updated", "new", "same"]
    table = read_table(settings, "items")
    assert table.schema == pl.Schema(ITEMS)
    assert dict(table.select("item_id", "price_cents").iter_rows()) == {"soup": 500, "rice": 250, "tea": 100}


def test_null_keeps_what_was_known(settings: Settings) -> None:
    upsert_table(settings, "items", DISHES)
    upsert_table(settings, "items", pl.DataFrame({"item_id": ["soup"], "name": [None], "cuisine": ["thai"]}))
    row = read_table(settings, "items").row(by_predicate=pl.col("item_id") == "soup", named=True)
    assert (row["name"], row["price_cents"], row["cuisine"]) == ("Soup", 500, "thai")


def test_the_last_row_of_a_repeated_key_wins(settings: Settings) -> None:
    twice = pl.DataFrame({"item_id": ["soup", "soup"], "name": ["Old", "New"]})
    assert upsert_table(settings, "items", twice) == (1, 0, 1)
    assert read_table(settings, "items")["name"].to_list() == ["New"]


def test_a_missing_key_is_refused(settings: Settings) -> None:
    with pytest.raises(BadColumns, match="item_id"):
        upsert_table(settings, "items", DISHES.drop("item_id"))
    with pytest.raises(BadColumns, match="item_id"):
        upsert_table(settings, "items", DISHES.with_columns(item_id=pl.lit(None, pl.String)))


def test_a_broken_table_is_named(settings: Settings) -> None:
    upsert_table(settings, "items", DISHES)
    table_file(settings, "items").write_bytes(b"not parquet")
    with pytest.raises(BadFile, match=r"items\.parquet"):
        read_table(settings, "items")
