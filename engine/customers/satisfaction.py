"""Who is content and who is not: ratings of orders, and refunded or rejected orders as the complaints we can see.

Survey answers (NPS, CSAT) are no event type yet; they join here when they are.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.columns import UTC_INSTANT
from engine.customers.config import Satisfaction
from engine.customers.moment import Moment
from engine.customers.purchases import Purchases

Bools = npt.NDArray[np.bool_]
TREND_DAYS = 28


def satisfaction(purchases: Purchases, config: Satisfaction) -> pl.DataFrame:
    """Return customer, ratings, average_rating, last_rating, rating_trend, refunds, unhappy_at of who has any."""
    place = pl.int_range(pl.len()).over("customer")
    # The middle rating of an odd number belongs to neither half.
    half = pl.len().over("customer") // 2
    rated = purchases.orders.lazy().filter(pl.col("rating").is_not_null())
    ratings = (
        rated.with_columns(
            pl.when(place < half).then("rating").alias("older"),
            pl.when(pl.len().over("customer") - 1 - place < half).then("rating").alias("newer"),
            pl.when(pl.col("rating") <= config.low_rating).then("at").alias("low_at"),
            pl.when(pl.col("rating") > config.low_rating).then("at").alias("good_at"),
        )
        .group_by("customer")
        .agg(
            pl.len().cast(pl.Int64).alias("ratings"),
            pl.col("rating").mean().cast(pl.Float64).alias("average_rating"),
            pl.col("rating").last().cast(pl.Float64).alias("last_rating"),
            (pl.col("newer").mean() - pl.col("older").mean()).cast(pl.Float64).alias("rating_trend"),
            pl.col("low_at").max(),
            pl.col("good_at").max(),
        )
    )
    complaints = (
        purchases.complaints.lazy()
        .group_by("customer")
        .agg(pl.len().cast(pl.Int64).alias("refunds"), pl.col("at").max().alias("complained_at"))
    )
    both = ratings.join(complaints, on="customer", how="full", coalesce=True)
    bad_at = pl.max_horizontal("low_at", "complained_at")
    mended = (pl.col("good_at") > bad_at).fill_null(False)
    return both.with_columns(pl.when(~mended).then(bad_at).alias("unhappy_at")).collect()


def unhappy_valuable(table: pl.DataFrame, moment: Moment, config: Satisfaction) -> pl.Series:
    """Return who is worth much (platinum, gold or A) and was made unhappy lately; columns unhappy_at, tier, abcd."""
    since = pl.lit(moment.at - timedelta(days=config.unhappy_days)).cast(UTC_INSTANT)
    worth = pl.col("tier").is_in(["platinum", "gold"]) | (pl.col("abcd") == "A")
    return table.select(((pl.col("unhappy_at") > since) & worth).fill_null(False).alias("unhappy_valuable")).to_series()


def satisfaction_by_thing(
    orders: pl.LazyFrame, lines: pl.LazyFrame, items: pl.DataFrame, moment: Moment, config: Satisfaction
) -> pl.DataFrame:
    """Return kind (vendor or dish), name, ratings, average_rating, low_share, trend; worst average first.

    A dish shares the ratings of the orders it was in. `trend` is the mean of the newest 28 days less that of before,
    null where either has no rating; `low_share` the share of ratings that make unhappy.
    """
    rated = orders.filter(
        (pl.col("status") == "delivered")
        & (pl.col("ordered_at") <= pl.lit(moment.at).cast(UTC_INSTANT))
        & pl.col("rating").is_not_null()
    ).select("order_id", "vendor_id", pl.col("rating").cast(pl.Float64), "ordered_at")
    named = items.lazy().unique("item_id").select("item_id", "name")
    dishes = (
        lines.select("order_id", "item_id")
        .unique()
        .join(rated, on="order_id")
        .join(named, on="item_id", how="left")
        .with_columns(pl.coalesce("name", "item_id").alias("thing"), pl.lit("dish").alias("kind"))
    )
    vendors = rated.with_columns(pl.col("vendor_id").alias("thing"), pl.lit("vendor").alias("kind"))
    recent = pl.col("ordered_at") > pl.lit(moment.back(TREND_DAYS).at).cast(UTC_INSTANT)
    both = pl.concat([each.select("kind", "thing", "rating", "ordered_at") for each in (vendors, dishes)])
    return (
        both.filter(pl.col("thing").is_not_null())
        .group_by("kind", pl.col("thing").alias("name"))
        .agg(
            pl.len().alias("ratings"),
            pl.col("rating").mean().alias("average_rating"),
            (pl.col("rating") <= config.low_rating).mean().alias("low_share"),
            (pl.col("rating").filter(recent).mean() - pl.col("rating").filter(~recent).mean()).alias("trend"),
        )
        .sort("average_rating", "kind", "name")
        .collect()
    )
