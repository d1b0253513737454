"""Which vendors and dishes are rated low: ratings, survey answers and complaints of each, with trends."""

from __future__ import annotations

import polars as pl

from engine.columns import UTC_INSTANT
from engine.customers.behaviour.satisfaction import feedback_as_of
from engine.customers.config import Satisfaction
from engine.customers.moment import Moment

TREND_DAYS = 28
# Of the net promoter score as published: 9 and 10 promote, 0 to 6 detract.
PROMOTERS, DETRACTORS = 9, 6


def vendor_and_dish_ratings(
    orders: pl.LazyFrame,
    lines: pl.LazyFrame,
    items: pl.DataFrame,
    feedback: pl.DataFrame,
    moment: Moment,
    config: Satisfaction,
) -> pl.DataFrame:
    """Return opinions by kind (vendor or dish) and name as of `moment`; worst average rating first.

    ratings, average_rating, low_share (of ratings that make unhappy), trend; nps (share of promoters less that of
    detractors, -100 to 100), nps_trend; csat (mean), csat_trend; complaints, complaints_trend. A trend is the newest
    28 days less all before, null where either has nothing; of complaints, less the 28 days before. A dish shares the
    opinions of orders it was in; feedback (schema FEEDBACK) that names a dish is about that dish alone, and about the
    vendor it names, else its order's, else its dish's.
    """
    rated = orders.filter(
        (pl.col("status") == "delivered")
        & (pl.col("ordered_at") <= pl.lit(moment.at).cast(UTC_INSTANT))
        & pl.col("rating").is_not_null()
    ).select(
        "order_id",
        "vendor_id",
        pl.lit(None, pl.String).alias("item_id"),
        pl.lit("rating").alias("what"),
        pl.col("rating").cast(pl.Float64).alias("score"),
        pl.col("ordered_at").alias("at"),
    )
    opinions = pl.concat([rated, _with_vendor(feedback_as_of(feedback, moment), orders, items)])
    about_order = opinions.filter(pl.col("item_id").is_null() & pl.col("order_id").is_not_null())
    eaten = (
        lines.select("order_id", "item_id").join(about_order.select("order_id").unique(), on="order_id", how="semi")
    ).unique()
    dishes = pl.concat(
        [
            about_order.drop("item_id").join(eaten, on="order_id").select("item_id", "what", "score", "at"),
            opinions.filter(pl.col("item_id").is_not_null()).select("item_id", "what", "score", "at"),
        ]
    ).join(items.lazy().unique("item_id").select("item_id", "name"), on="item_id", how="left")
    both = pl.concat(
        [
            opinions.select(pl.lit("vendor").alias("kind"), pl.col("vendor_id").alias("name"), "what", "score", "at"),
            dishes.select(
                pl.lit("dish").alias("kind"), pl.coalesce("name", "item_id").alias("name"), "what", "score", "at"
            ),
        ]
    )
    return (
        both.filter(pl.col("name").is_not_null())
        .group_by("kind", "name")
        .agg(*_figures(moment, config))
        .sort("average_rating", "kind", "name", nulls_last=True)
        .collect()
    )


def by_complaints(content: pl.DataFrame) -> pl.DataFrame:
    """Return kind, name and feedback figures of those with any complaint or survey answer, most complaints first."""
    names = ("kind", "name", "complaints", "complaints_trend", "nps", "nps_trend", "csat", "csat_trend")
    found = content.filter((pl.col("complaints") > 0) | pl.col("nps").is_not_null() | pl.col("csat").is_not_null())
    keys = (-pl.col("complaints"), "nps", "csat", "kind", "name")
    return found.sort(*keys, nulls_last=True).select(names)


def _with_vendor(feedback: pl.DataFrame, orders: pl.LazyFrame, items: pl.DataFrame) -> pl.LazyFrame:
    """Return feedback with the vendor it is about, columns as ratings have them."""
    given = feedback.lazy()
    named = given.select("order_id").drop_nulls().unique()
    kitchens = (
        orders.select("order_id", pl.col("vendor_id").alias("order_vendor")).join(named, on="order_id", how="semi")
    ).unique("order_id")
    cooks = items.lazy().unique("item_id").select("item_id", pl.col("vendor_id").alias("item_vendor"))
    joined = given.join(kitchens, on="order_id", how="left").join(cooks, on="item_id", how="left")
    vendor = pl.coalesce("vendor_id", "order_vendor", "item_vendor").alias("vendor_id")
    return joined.select("order_id", vendor, "item_id", pl.col("kind").alias("what"), "score", "at")


def _figures(moment: Moment, config: Satisfaction) -> list[pl.Expr]:
    recent = pl.col("at") > pl.lit(moment.back(TREND_DAYS).at).cast(UTC_INSTANT)
    before = ~recent & (pl.col("at") > pl.lit(moment.back(2 * TREND_DAYS).at).cast(UTC_INSTANT))
    score = pl.col("score")
    # +100 for a promoter, -100 for a detractor: their mean is the net promoter score.
    promoting = 100.0 * ((score >= PROMOTERS).cast(pl.Float64) - (score <= DETRACTORS).cast(pl.Float64))

    def of(what: str, value: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
        chosen = pl.col("what") == what
        return value.filter(chosen).mean(), value.filter(chosen & recent).mean() - value.filter(chosen & ~recent).mean()

    rating, nps, csat = of("rating", score), of("nps", promoting), of("csat", score)
    rated, complained = pl.col("what") == "rating", pl.col("what") == "complaint"
    return [
        rated.sum().cast(pl.Int64).alias("ratings"),
        rating[0].alias("average_rating"),
        (score <= config.low_rating).filter(rated).mean().alias("low_share"),
        rating[1].alias("trend"),
        nps[0].alias("nps"),
        nps[1].alias("nps_trend"),
        csat[0].alias("csat"),
        csat[1].alias("csat_trend"),
        complained.sum().cast(pl.Int64).alias("complaints"),
        ((complained & recent).sum().cast(pl.Int64) - (complained & before).sum().cast(pl.Int64)).alias(
            "complaints_trend"
        ),
    ]
