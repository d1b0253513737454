"""Who is content and who is not: ratings, refunded or rejected orders, complaints, and survey answers (NPS, CSAT)."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from engine.columns import UTC_INSTANT
from engine.customers.behaviour.purchases import Purchases
from engine.customers.columns import FEEDBACK_COLUMNS, SATISFACTION_COLUMNS
from engine.customers.config import Satisfaction
from engine.customers.moment import Moment

# What customers reported besides orders; `kind` is nps, csat or complaint (which has no score).
FEEDBACK: dict[str, pl.DataType | type[pl.DataType]] = {
    "customer_id": pl.String,
    "at": UTC_INSTANT,
    "kind": pl.String,
    "score": pl.Float64,
    "order_id": pl.String,
    "vendor_id": pl.String,
    "item_id": pl.String,
}
# All but who is valuable besides, which takes value as well as opinion.
SATISFACTION_FIGURES = [
    each.name for each in (*SATISFACTION_COLUMNS, *FEEDBACK_COLUMNS) if each.name != "unhappy_valuable"
]


def feedback_as_of(feedback: pl.DataFrame, moment: Moment) -> pl.DataFrame:
    """Return the feedback (schema FEEDBACK) given at or before `moment`, oldest first; equal instants stay in order."""
    return feedback.filter(pl.col("at") <= pl.lit(moment.at).cast(UTC_INSTANT)).sort("at", maintain_order=True)


def satisfaction_figures(purchases: Purchases, feedback: pl.DataFrame, config: Satisfaction) -> pl.DataFrame:
    """Return customer and SATISFACTION_FIGURES of those with any; feedback of others than `purchases` is left out."""
    places = pl.DataFrame({"customer_id": purchases.ids, "customer": range(purchases.n)})
    places = places.with_columns(pl.col("customer").cast(purchases.orders.schema["customer"]))
    given = feedback_as_of(feedback, purchases.moment).join(places, on="customer_id", maintain_order="left").lazy()
    rated = purchases.orders.lazy().filter(pl.col("rating").is_not_null())
    rated = rated.select("customer", "at", pl.col("rating").cast(pl.Float64).alias("score"))
    answers = {kind: given.filter(pl.col("kind") == kind) for kind in ("nps", "csat", "complaint")}
    score = pl.col("score")
    found = (
        _halves(rated).agg(
            pl.len().cast(pl.Int64).alias("ratings"),
            score.mean().alias("average_rating"),
            score.last().alias("last_rating"),
            _trend().alias("rating_trend"),
        ),
        purchases.refunds.lazy().group_by("customer").agg(pl.len().cast(pl.Int64).alias("refunds")),
        _halves(answers["nps"]).agg(score.last().cast(pl.Int8).alias("nps"), _trend().alias("nps_trend")),
        _halves(answers["csat"]).agg(score.mean().alias("csat"), _trend().alias("csat_trend")),
        answers["complaint"]
        .group_by("customer")
        .agg(pl.len().cast(pl.Int64).alias("complaints"), pl.col("at").max().alias("last_complaint_at")),
        _unhappy_at(
            [
                rated.with_columns((score <= config.low_rating).alias("bad")),
                answers["nps"].with_columns((score <= config.low_nps).alias("bad")),
                answers["csat"].with_columns((score <= config.low_csat).alias("bad")),
                answers["complaint"].with_columns(pl.lit(True).alias("bad")),
                purchases.refunds.lazy().with_columns(pl.lit(True).alias("bad")),
            ]
        ),
    )
    joined = found[0]
    for each in found[1:]:
        joined = joined.join(each, on="customer", how="full", coalesce=True)
    return joined.select("customer", *SATISFACTION_FIGURES).collect()


def _halves(scored: pl.LazyFrame) -> pl.lazyframe.group_by.LazyGroupBy:
    """Return rows (each customer's oldest first) by customer, `older` and `newer` holding the scores of each half."""
    place = pl.int_range(pl.len()).over("customer")
    # The middle score of an odd number belongs to neither half.
    half = pl.len().over("customer") // 2
    return scored.with_columns(
        pl.when(place < half).then("score").alias("older"),
        pl.when(pl.len().over("customer") - 1 - place < half).then("score").alias("newer"),
    ).group_by("customer", maintain_order=True)


def _trend() -> pl.Expr:
    return pl.col("newer").mean() - pl.col("older").mean()


def _unhappy_at(opinions: list[pl.LazyFrame]) -> pl.LazyFrame:
    """Return customer and unhappy_at: the latest bad opinion, null where a good one came later."""
    all_of = pl.concat([each.select("customer", "at", "bad") for each in opinions])
    latest = all_of.group_by("customer").agg(
        pl.col("at").filter("bad").max().alias("bad_at"), pl.col("at").filter(~pl.col("bad")).max().alias("good_at")
    )
    mended = (pl.col("good_at") > pl.col("bad_at")).fill_null(False)
    return latest.select("customer", pl.when(~mended).then("bad_at").alias("unhappy_at"))


def unhappy_valuable(table: pl.DataFrame, moment: Moment, config: Satisfaction) -> pl.Series:
    """Return who is valuable (platinum, gold or A) and was made unhappy lately; columns unhappy_at, tier, abcd."""
    since = pl.lit(moment.at - timedelta(days=config.unhappy_days)).cast(UTC_INSTANT)
    worth = pl.col("tier").is_in(["platinum", "gold"]) | (pl.col("abcd") == "A")
    return table.select(((pl.col("unhappy_at") > since) & worth).fill_null(False).alias("unhappy_valuable")).to_series()
