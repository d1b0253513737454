"""What incoming rows change in a table that is already known."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

CHANGE = pl.Enum(["new", "updated", "same"])
NEW, UPDATED, SAME = range(3)


def merge(
    old: pl.DataFrame, new: pl.DataFrame, key: Sequence[str], values: Sequence[str]
) -> tuple[pl.DataFrame, pl.Series]:
    """Return the union of rows by `key`, and NEW, UPDATED or SAME (uint8) for each row of `new`.

    Both have the same columns. A given value wins, null keeps what was known. A key repeated in `new` counts once: its
    last row wins and the others are SAME.
    """
    if not new.height:
        return old, same(0)
    keys, given = list(key), list(values)
    last = new.with_row_index("_row").unique(subset=keys, keep="last", maintain_order=True)
    joined = last.join(old.with_columns(_known=True), on=keys, how="left", suffix="_old", maintain_order="left")
    merged = joined.with_columns(pl.coalesce(name, f"{name}_old").alias(name) for name in given).with_columns(
        _change=pl.when(pl.col("_known").is_null())
        .then(pl.lit(NEW, pl.UInt8))
        .when(pl.any_horizontal([pl.col(name).ne_missing(pl.col(f"{name}_old")) for name in given]))
        .then(pl.lit(UPDATED, pl.UInt8))
        .otherwise(pl.lit(SAME, pl.UInt8))
    )
    changes = same(new.height).scatter(merged["_row"], merged["_change"])
    kept = old.join(last, on=keys, how="anti")
    return pl.concat([kept, merged.select(old.columns)]), changes


def same(height: int) -> pl.Series:
    """Return `height` rows that change nothing."""
    return pl.Series([SAME], dtype=pl.UInt8).new_from_index(0, height)


def count(changes: pl.Series) -> tuple[int, int, int]:
    """Return how many rows are new, updated and the same."""
    return int((changes == NEW).sum()), int((changes == UPDATED).sum()), int((changes == SAME).sum())
