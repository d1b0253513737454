"""Cells that an export writes on the first line of an order only, given to its other lines."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import polars as pl

from engine.imports.fields import identifier, text

# What every line of an order needs to be read.
OF_EVERY_LINE = ("customer_id", "ordered_at", "ordered_time", "basket_no", "timezone", "currency")
# What is said of the order once; a constant of the map must not stand in for it on the other lines.
SAID_ONCE = ("status", "vendor_id", "zone", "channel", "payment_method", "offer_id")


def with_order_cells(cells: Mapping[str, pl.Series], constants: Collection[str]) -> dict[str, pl.Series]:
    """Fill the empty cells of what belongs to an order from the first line of the same order_id that has them.

    `constants` are the names that the map fills where they are empty. Amounts count once and are not repeated.

    Files without order ids or without items are returned as they are: there every row is an order of its own.
    """
    filled = dict(cells)
    if "order_id" not in cells or "item_id" not in cells:
        return filled
    order = identifier(cells["order_id"])
    for name in (*OF_EVERY_LINE, *(name for name in SAID_ONCE if name in constants)):
        if name not in cells:
            continue
        empty = text(cells[name]).is_null()
        missing = order.filter(empty).drop_nulls().unique()
        if not missing.len():
            continue
        known = pl.DataFrame({"order": order, "at": pl.int_range(len(order), dtype=pl.UInt32, eager=True)})
        firsts = (
            known.filter(~empty)
            .join(missing.to_frame("order"), on="order", how="semi")
            .unique("order", keep="first", maintain_order=True)
        )
        if not firsts.height:
            continue
        source = known.filter(empty).join(firsts.rename({"at": "from"}), on="order", how="inner")
        filled[name] = cells[name].clone().scatter(source["at"], cells[name].gather(source["from"]))
    return filled
