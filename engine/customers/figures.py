"""What is known of each customer as of an instant: one row of figures per customer."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from engine.columns import DAY_S, UTC_INSTANT
from engine.customers.columns import TABLE_COLUMNS, DType

_KNOWN = [each for each in TABLE_COLUMNS if each.known_from != "table" or each.name == "customer_id"]
FIGURES: dict[str, DType] = {each.name: each.dtype for each in _KNOWN}
FROM_REGISTRATION = [each.name for each in _KNOWN if each.known_from == "registration"]


def customer_figures(orders: pl.LazyFrame, customers: pl.DataFrame, *, as_of: datetime) -> pl.DataFrame:
    """Return one row (schema FIGURES, sorted by customer_id) per customer known at `as_of`.

    `orders` has schema ORDERS and `customers` schema CUSTOMERS; only delivered orders up to and including `as_of`
    count. A customer who registered but never ordered is there with 0 orders and 0 revenue; instants, days, average and
    share are null. `discounted_orders` is a share from 0 to 1. Revenue is null where there are orders but no amount is
    known. `zone` is that of the latest order that names one, else the home zone.
    """
    query = figures_query(orders, customers.lazy().unique("customer_id", keep="last"), as_of=as_of)
    return query.sort("customer_id").collect()


def figures_query(orders: pl.LazyFrame, customers: pl.LazyFrame, *, as_of: datetime) -> pl.LazyFrame:
    """Return `customer_figures` unsorted and uncollected, so that a reader of few columns computes only those.

    `customers` names each customer once.
    """
    counted = orders.filter((pl.col("status") == "delivered") & (pl.col("ordered_at") <= as_of))
    known_amounts = pl.col("order_cents").count()
    # A delivered amount below zero takes money back and is no order.
    order = ~(pl.col("order_cents") < 0).fill_null(False)
    figures = counted.group_by("customer_id").agg(
        order.sum().cast(pl.Int64).alias("orders"),
        pl.when(known_amounts > 0).then(pl.col("order_cents").sum()).alias("revenue_cents"),
        pl.col("order_cents").filter(order).mean().alias("average_order_cents"),
        pl.col("ordered_at").filter(order).min().alias("first_order_at"),
        pl.col("ordered_at").filter(order).max().alias("last_order_at"),
        (pl.col("discount_cents").fill_null(0) > 0).filter(order).mean().alias("discounted_orders"),
        pl.col("zone").sort_by("ordered_at", "order_id").drop_nulls().last().alias("order_zone"),
    )
    joined = figures.join(
        customers.select(
            "customer_id", *FROM_REGISTRATION, pl.col("zone").alias("home_zone"), pl.lit(True).alias("known")
        ),
        on="customer_id",
        how="full",
        coalesce=True,
    )
    # Someone who registers later than `as_of` is not known yet, unless they have orders.
    present = pl.col("orders").is_not_null() | pl.col("registered_at").is_null() | (pl.col("registered_at") <= as_of)
    return (
        joined.filter(present)
        .with_columns(
            pl.when(pl.col("orders").is_null()).then(0).otherwise(pl.col("revenue_cents")).alias("revenue_cents"),
            pl.col("orders").fill_null(0),
            _days_between("first_order_at", as_of).alias("days_since_first_order"),
            _days_between("last_order_at", as_of).alias("days_since_last_order"),
            pl.coalesce("order_zone", "home_zone").alias("zone"),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in FIGURES.items())
    )


def _days_between(column: str, as_of: datetime) -> pl.Expr:
    moment = pl.lit(as_of).cast(UTC_INSTANT)
    return (moment - pl.col(column)).dt.total_microseconds() / (DAY_S * 1e6)
