"""Customers, items, vendors and offers: one Parquet table each in the home folder."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import polars as pl

from engine.columns import CUSTOMERS, ITEMS, OFFERS, VENDORS
from engine.errors import BadColumns, BadFile
from engine.files.atomic import locked, replace
from engine.history.merge import CHANGE, count, merge
from engine.settings import Settings

TableName = Literal["customers", "items", "vendors", "offers"]
TABLE_SCHEMAS = {"customers": CUSTOMERS, "items": ITEMS, "vendors": VENDORS, "offers": OFFERS}
TABLE_KEYS = {"customers": "customer_id", "items": "item_id", "vendors": "vendor_id", "offers": "offer_id"}


class Upserted(NamedTuple):
    """How many rows of an upsert were new, changed something, or changed nothing."""

    new: int
    updated: int
    unchanged: int


def table_file(settings: Settings, name: TableName) -> Path:
    """Return where a table lies, whether or not it exists."""
    return settings.tables_folder / f"{name}.parquet"


def read_table(settings: Settings, name: TableName) -> pl.DataFrame:
    """Return a table with its full schema, sorted by key; no rows when nothing was imported.

    Personal columns of customers come sealed (`engine.files.encryption`). Raises BadFile when the file is broken.
    """
    path = table_file(settings, name)
    schema = TABLE_SCHEMAS[name]
    if not path.exists():
        return pl.DataFrame(schema=schema)
    try:
        frame = pl.read_parquet(path, glob=False)
    except pl.exceptions.PolarsError as error:
        raise BadFile("is not a table of ours; import it again or restore a backup", where=str(path)) from error
    # A table written before a column existed reads as if that column were unknown.
    return _conform(frame, name)


def upsert_table(settings: Settings, name: TableName, frame: pl.DataFrame) -> Upserted:
    """Add or change rows by key; null keeps what was known, a repeated key counts once and its last row wins.

    Raises BadColumns for a missing or null required column, Conflict when another writer holds the tables.
    """
    changes = upsert_rows(settings, name, frame)
    return Upserted(*count(changes.to_physical()))


def upsert_rows(settings: Settings, name: TableName, frame: pl.DataFrame) -> pl.Series:
    """Do as `upsert_table` does and return `new`, `updated` or `same` for each row of `frame`."""
    key = TABLE_KEYS[name]
    if key not in frame.columns or frame[key].null_count():
        raise BadColumns(f"column {key!r} is missing or has empty values", where=name)
    new = _conform(frame, name)
    with locked(settings.tables_folder):
        merged, changes = merge(read_table(settings, name), new, [key], [c for c in new.columns if c != key])
        new_rows, updated, _ = count(changes)
        if new_rows or updated:
            replace(table_file(settings, name), merged.sort(key).write_parquet)
    return changes.cat.to(CHANGE)


def _conform(frame: pl.DataFrame, name: TableName) -> pl.DataFrame:
    return frame.select(
        (pl.col(column) if column in frame.columns else pl.lit(None)).cast(dtype).alias(column)
        for column, dtype in TABLE_SCHEMAS[name].items()
    )
