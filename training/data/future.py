"""A file of what customers ordered next, to judge models by: customer_id, item_id and the context of that order."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from engine.errors import BadColumns, BadFile, did_you_mean
from engine.imports.fields import Refusals, identifier, instant, number, text
from engine.imports.shape.read import read_source
from engine.imports.shape.source import LINE
from engine.models.query import Place
from training.data.matrices import TrainingSet, queries_for
from training.data.split import Target

NEEDED = ("customer_id", "item_id")
CONTEXT = ("ordered_at", "zone", "latitude", "longitude", "vendor_id")


def read_future(path: Path, data: TrainingSet, *, timezone: str) -> list[Target]:
    """Return one target a customer: their first order in the file in its context, with all of history as past.

    Without `ordered_at` all rows of a customer are one order at the end of history. Instants without an offset are
    local to `timezone`. Items history does not know count as missed; customers it does not know are queried as new.
    Raises BadColumns when a needed column is missing, BadFile naming the first row that cannot be read.
    """
    source = read_source(path)
    for name in NEEDED:
        if name not in source.columns:
            raise BadColumns(f"column {name!r} is missing{did_you_mean(name, source.columns)}", where=str(path))
    if source.broken.height:
        raise BadFile("the row cannot be read", where=f"{path}:{source.broken[LINE][0]}")
    orders = _first_orders(_rows(path, source.rows, timezone))
    return _targets(orders, data)


def _rows(path: Path, rows: pl.DataFrame, timezone: str) -> pl.DataFrame:
    now = datetime.now(UTC)
    refusals = Refusals(rows.height)
    zones = pl.Series([timezone]).new_from_index(0, rows.height)
    columns = {
        "customer_id": identifier(rows["customer_id"]),
        "item_id": identifier(rows["item_id"]),
        "ordered_at": instant(rows["ordered_at"], zones, refusals, "ordered_at", now)
        if "ordered_at" in rows.columns
        else None,
        "zone": text(rows["zone"]) if "zone" in rows.columns else None,
        "vendor_id": identifier(rows["vendor_id"]) if "vendor_id" in rows.columns else None,
    }
    for name in ("latitude", "longitude"):
        degrees = number(rows[name], refusals, name, three_is_decimal=True) if name in rows.columns else None
        columns[name] = degrees
    for name in NEEDED:
        empty = columns[name]
        if empty is not None:
            refusals.add(empty.is_null(), f"missing_{name}" if name == "customer_id" else "unreadable_number")
    bad = rows[LINE].filter(~refusals.accepted)
    if len(bad):
        raise BadFile(
            "a needed cell is empty or not what its column says; mend the row or drop it", where=f"{path}:{bad[0]}"
        )
    return pl.DataFrame({name: column for name, column in columns.items() if column is not None})


def _first_orders(rows: pl.DataFrame) -> pl.DataFrame:
    """Return one row a customer: the items (distinct) and the context of their first order."""
    if "ordered_at" in rows.columns:
        rows = rows.filter(
            (pl.col("ordered_at") == pl.col("ordered_at").min().over("customer_id"))
            | pl.col("ordered_at").is_null().all().over("customer_id")
        )
    context = [pl.col(name).drop_nulls().first() for name in CONTEXT if name in rows.columns]
    return rows.group_by("customer_id", maintain_order=True).agg(
        pl.col("item_id").unique(maintain_order=True), *context
    )


def _targets(orders: pl.DataFrame, data: TrainingSet) -> list[Target]:
    item_of = {name: column for column, name in enumerate(data.items)}
    row_of = {name: row for row, name in enumerate(data.customers)}
    zone_of = {name: number for number, name in enumerate(data.zones)}
    vendor_of = {name: number for number, name in enumerate(data.vendors)}
    rows, instants, places, truths = [], [], [], []
    nowhere = float("nan")
    for order in orders.iter_rows(named=True):
        rows.append(row_of.get(order["customer_id"], -1))
        at = order.get("ordered_at")
        instants.append(int(at.timestamp()) if at is not None else data.last_at + 1)
        latitude, longitude = order.get("latitude"), order.get("longitude")
        places.append(
            Place(
                zone_of.get(order.get("zone"), -1),
                vendor_of.get(order.get("vendor_id"), -1),
                nowhere if latitude is None else latitude,
                nowhere if longitude is None else longitude,
            )
        )
        truths.append(order["item_id"])
    queries = queries_for(data.baskets, np.array(rows, np.int64), np.array(instants, np.int64), places)
    targets = []
    for query, names in zip(queries, truths, strict=True):
        known = [item_of[name] for name in names if name in item_of]
        targets.append(Target(query, np.array(sorted(known), dtype=np.int32), len(names) - len(known)))
    return targets
