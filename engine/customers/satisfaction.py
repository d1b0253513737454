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


def satisfaction_of(purchases: Purchases, column: str) -> pl.DataFrame:
    """Return ratings, average and trend per value of an order column such as vendor_id, worst average first.

    `trend` is the mean of the newest 28 days less that of before; null where either has no rating.
    """
    recent = pl.col("day") > purchases.moment.day - TREND_DAYS
    mean = pl.col("rating").cast(pl.Float64)
    return (
        purchases.orders.lazy()
        .filter(pl.col("rating").is_not_null() & pl.col(column).is_not_null())
        .group_by(pl.col(column).cast(pl.String))
        .agg(
            pl.len().alias("ratings"),
            mean.mean().alias("average_rating"),
            (mean.filter(recent).mean() - mean.filter(~recent).mean()).alias("trend"),
        )
        .sort("average_rating", column)
        .collect()
    )
