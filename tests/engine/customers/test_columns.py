"""Every column of the customer table is declared once, with a unit, a source and a meaning."""

from __future__ import annotations

import polars as pl
import pytest

from engine.customers.columns import CUSTOMER_TABLE, TABLE_COLUMNS, TableColumn, declare_columns
from engine.customers.figures import FIGURES, FROM_REGISTRATION


def test_every_declared_column_is_in_the_schema_in_order() -> None:
    assert [(each.name, each.dtype) for each in TABLE_COLUMNS] == list(CUSTOMER_TABLE.items())
    assert all(each.unit and each.source and each.about.endswith(".") for each in TABLE_COLUMNS)


def test_a_name_is_declared_once() -> None:
    with pytest.raises(ValueError, match="'orders'"):
        declare_columns(TableColumn("orders", pl.Int64, "orders", "orders", "Again."))
    assert len(TABLE_COLUMNS) == len(CUSTOMER_TABLE)


def test_what_history_and_registration_know_is_what_figures_compute() -> None:
    known = [each.name for each in TABLE_COLUMNS if each.known_from != "table"]
    assert list(FIGURES) == ["customer_id", *known]
    assert FROM_REGISTRATION == ["language", "timezone", "birthday", "registered_at", "marketing_consent"]
