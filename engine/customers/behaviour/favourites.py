"""The dish each customer comes back for, by name."""

from __future__ import annotations

from datetime import datetime

import polars as pl


def favourite_items(
    lines: pl.LazyFrame, items: pl.DataFrame, customers: pl.DataFrame, *, as_of: datetime
) -> pl.DataFrame:
    """Return customer_id, name and name_zh of the dish each of `customers` (column customer_id) ordered most.

    `lines` has schema LINES, of which delivered ones up to `as_of` count; `items` schema ITEMS. Ties go to the dish
    ordered last, then to the item_id. A dish without a name or no longer available is no favourite; customers without
    one are not in the answer. `name_zh` may be null.
    """
    known = items.lazy().filter(pl.col("name").is_not_null() & pl.col("available").fill_null(True))
    return (
        lines.filter((pl.col("status") == "delivered") & (pl.col("ordered_at") <= as_of))
        .join(customers.lazy().select("customer_id"), on="customer_id", how="semi")
        .group_by("customer_id", "item_id")
        .agg(pl.col("order_id").n_unique().alias("times"), pl.col("ordered_at").max().alias("last"))
        .join(known.select("item_id", "name", "name_zh"), on="item_id")
        .sort("customer_id", "times", "last", "item_id", descending=[False, True, True, False])
        .unique("customer_id", keep="first", maintain_order=True)
        .select("customer_id", "name", "name_zh")
        .collect()
    )
