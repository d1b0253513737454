"""Every column of the customer table: name, dtype, unit, source and meaning, written once.

One row per customer known at the table's instant: everybody who ordered, and everybody registered by then. Null means
unknown or not applicable, never zero. Days are calendar days in the configured time zone; `_cents` are minor units,
money without that ending is in major units of the table's currency. "In the window" means the newest `window_days`.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from engine.columns import UTC_INSTANT

WORD_LIST = pl.List(pl.String)
SHARE_LIST = pl.List(pl.Float32)

LIFECYCLES = ("prospect", "new", "active", "slowing", "likely_lapsed", "lapsed", "won_back")
RFM_GROUPS = (
    "champions",
    "loyal",
    "potential_loyalist",
    "new",
    "promising",
    "needs_attention",
    "about_to_sleep",
    "at_risk",
    "cannot_lose",
    "lost",
)
TIERS = ("platinum", "gold", "iron", "lead")
ABCD = ("A", "B", "C", "D")
DAYPARTS = ("breakfast", "lunch", "afternoon", "dinner", "late")
PRICE_BANDS = ("low", "middle", "high")


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column: `unit` of its values, `source` it is computed from; `values` lists all a word may be."""

    name: str
    dtype: pl.DataType | type[pl.DataType]
    unit: str
    source: str
    about: str
    values: tuple[str, ...] = ()


def _c(
    name: str, dtype: pl.DataType | type[pl.DataType], unit: str, source: str, about: str, *values: str
) -> TableColumn:
    return TableColumn(name, dtype, unit, source, about, values)


FIGURE_COLUMNS = (
    _c("customer_id", pl.String, "id", "orders, customers", "As orders name her."),
    _c("orders", pl.Int64, "orders", "orders", "Delivered orders ever; corrections below zero do not count."),
    _c("order_days", pl.Int64, "days", "orders", "Distinct days with a delivered order, ever."),
    _c("revenue_cents", pl.Int64, "minor units", "orders", "Paid ever, corrections taken off; null where unknown."),
    _c("margin_cents", pl.Int64, "minor units", "lines, items, orders",
       "Earned ever: margin of her dishes less discounts; null where no dish of hers has a known margin."),
    _c("average_order_cents", pl.Float64, "minor units", "orders", "Mean of known order amounts."),
    _c("first_order_at", UTC_INSTANT, "instant", "orders", "Her first delivered order."),
    _c("last_order_at", UTC_INSTANT, "instant", "orders", "Her latest delivered order."),
    _c("days_since_first_order", pl.Float64, "days", "orders", "From her first order to the table's instant."),
    _c("days_since_last_order", pl.Float64, "days", "orders", "From her latest order to the table's instant."),
    _c("discounted_orders", pl.Float64, "share 0-1", "orders",
       "Discount affinity: share of her orders with a discount. It says who used one, never what it caused."),
    _c("zone", pl.String, "zone", "orders, customers", "Zone of her latest order that names one, else her home zone."),
    _c("language", pl.String, "en, zh", "customers", "As registered."),
    _c("timezone", pl.String, "IANA zone", "customers", "As registered."),
    _c("birthday", pl.Date, "date", "customers", "As registered."),
    _c("registered_at", UTC_INSTANT, "instant", "customers", "When she signed up."),
    _c("marketing_consent", pl.Boolean, "yes or no", "customers", "Consent as of the import."),
    _c("push_reachable", pl.Boolean, "yes or no", "customers", "A push token is known."),
)  # fmt: skip
VALUE_COLUMNS = (
    _c("recency_days", pl.Int64, "days", "orders", "Calendar days since her latest delivered order, ever."),
    _c("frequency", pl.Int64, "orders", "orders", "Delivered orders in the window; 0 for who has none."),
    _c("monetary", pl.Float64, "major units", "orders", "Revenue of the window; 0 for who has no order there."),
    _c("r", pl.Int8, "score 1-5", "recency_days", "Quintile of recency, 5 is most recent; ties share a score."),
    _c("f", pl.Int8, "score 1-5", "frequency", "Quintile of frequency; ties share a score."),
    _c("m", pl.Int8, "score 1-5", "monetary", "Quintile of monetary; ties share a score."),
    _c("rfm_group", pl.String, "name", "r, f, m", "One of ten named groups; null for prospects.", *RFM_GROUPS),
    _c("tier", pl.String, "name", "margin (revenue where none is known) of the window",
       "Pyramid: the top 1 %, next 4 %, next 15 %, and the rest of those who ever ordered.", *TIERS),
    _c("tier_value", pl.Float64, "major units", "lines, items, orders",
       "What tiers rank by: margin of the window, discounts taken off; revenue where no dish's margin is known."),
    _c("abcd", pl.String, "letter", "monetary",
       "A: together the first 80 % of value, B the next 15 %, C the rest, D no order in the window.", *ABCD),
    _c("repurchase_rate", pl.Float64, "share 0-1", "orders",
       "Of her order days old enough to tell, the share followed by another within `repurchase_days`."),
    _c("months_active_share", pl.Float64, "share 0-1", "orders",
       "Calendar months with an order, of all since her first."),
)  # fmt: skip
CADENCE_COLUMNS = (
    _c("own_gap_days", pl.Float64, "days", "orders", "Mean gap between her order days; null with fewer than two."),
    _c("cadence_days", pl.Float64, "days", "orders", "Her typical (median) gap, shrunk to the population's."),
    _c("slowing_at", UTC_INSTANT, "instant", "orders", "From here on her silence is longer than usual for her."),
    _c("likely_lapsed_at", UTC_INSTANT, "instant", "orders", "From here on she has probably left."),
    _c("lapsed_at", UTC_INSTANT, "instant", "orders", "From here on we count her as gone."),
    _c("lifecycle", pl.String, "name", "the three dates", "Where she stands.", *LIFECYCLES),
)
FORECAST_COLUMNS = (
    _c("expected_orders", pl.Float64, "orders", "BG/NBD or MBG/NBD", "Expected order days in the next N days."),
    _c("expected_revenue", pl.Float64, "major units", "expected_orders x Gamma-Gamma", "Expected in the next N days."),
    _c("expected_orders_30d", pl.Float64, "orders", "BG/NBD or MBG/NBD", "The same for 30 days."),
    _c("expected_orders_90d", pl.Float64, "orders", "BG/NBD or MBG/NBD", "The same for 90 days."),
    _c("expected_orders_365d", pl.Float64, "orders", "BG/NBD or MBG/NBD", "The same for 365 days."),
    _c("expected_revenue_30d", pl.Float64, "major units", "Gamma-Gamma", "The same for 30 days."),
    _c("expected_revenue_90d", pl.Float64, "major units", "Gamma-Gamma", "The same for 90 days."),
    _c("expected_revenue_365d", pl.Float64, "major units", "Gamma-Gamma", "The same for 365 days."),
    _c("expected_order_value", pl.Float64, "major units", "Gamma-Gamma", "Expected value of one order day of hers."),
    _c("p_no_order", pl.Float64, "probability", "return model",
       "Chance of no order in the next N days, calibrated on a past window; null for prospects."),
    _c("next_order_at", UTC_INSTANT, "instant", "cadence",
       "When her next order is as likely past as to come, given her silence so far and that she comes back at all."),
)  # fmt: skip
HABIT_COLUMNS = (
    _c("top_items", WORD_LIST, "item ids", "lines", "Up to three dishes she ordered most often, most first."),
    _c("top_categories", WORD_LIST, "names", "lines, items", "Up to three categories, most lines first."),
    _c("top_cuisines", WORD_LIST, "names", "lines, items, vendors", "Up to three cuisines, most lines first."),
    _c("top_vendors", WORD_LIST, "vendor ids", "orders", "Up to three vendors, most orders first."),
    _c("distinct_items", pl.Int64, "dishes", "lines", "How many different dishes she has had."),
    _c("last_new_item_at", UTC_INSTANT, "instant", "lines", "When she last ordered a dish for her first time."),
    _c("price_band", pl.String, "name", "average_order_cents",
       "Third of customers by mean order amount; ties share a band.", *PRICE_BANDS),
    _c("daypart_shares", SHARE_LIST, "shares, sum 1", "orders",
       f"Share of her orders in {', '.join(DAYPARTS)}, by local hour."),
    _c("weekday_shares", SHARE_LIST, "shares, sum 1", "orders", "Share of her orders on Monday ... Sunday, local."),
    _c("favourite_daypart", pl.String, "name", "daypart_shares", "The largest; the earlier of equals.", *DAYPARTS),
    _c("favourite_weekday", pl.Int8, "1-7", "weekday_shares", "1 is Monday; the earlier of equals."),
    _c("lunch_share", pl.Float64, "share 0-1", "daypart_shares", "Share of her orders at lunch."),
    _c("weekend_share", pl.Float64, "share 0-1", "weekday_shares", "Share of her orders on Saturday and Sunday."),
    _c("best_hour", pl.Int8, "hour 0-23", "orders",
       "Local hour at which she orders most (neighbouring hours count half); the earlier of equals."),
    _c("zones", WORD_LIST, "zones", "orders", "Up to three zones she ordered to, most orders first."),
    _c("payment_method", pl.String, "name", "orders", "How she pays most often."),
    _c("party_size", pl.Float64, "portions", "lines", "Median portions of an order."),
)  # fmt: skip
SATISFACTION_COLUMNS = (
    _c("ratings", pl.Int64, "ratings", "orders", "How many of her orders are rated."),
    _c("average_rating", pl.Float64, "1-5", "orders", "Mean of her ratings."),
    _c("last_rating", pl.Float64, "1-5", "orders", "Her latest rating."),
    _c("rating_trend", pl.Float64, "points", "orders",
       "Mean of her newest half of ratings less that of the older half; null below two."),
    _c("refunds", pl.Int64, "orders", "orders", "Her refunded or rejected orders, ever."),
    _c("unhappy_at", UTC_INSTANT, "instant", "orders, survey and complaint events",
       "Her latest complaint, low answer, or order rated low, refunded or rejected, unless a better rating or answer "
       "came later."),
    _c("unhappy_valuable", pl.Boolean, "yes or no", "unhappy_at, tier, abcd",
       "Unhappy within `unhappy_days` and platinum, gold or A."),
)  # fmt: skip
GROUP_COLUMNS = (
    _c("natural_group", pl.String, "name", "clusters", "The cluster she is most like; null for prospects."),
    _c("lookalike_score", pl.Float64, "0-1", "customers, habits",
       "How much she resembles the best customers in what is known of her; null for the best themselves."),
    _c("prospect_rank", pl.Int64, "rank from 1", "lookalike_score, registered_at",
       "Place among those registered who never ordered, most promising first."),
)  # fmt: skip
FEEDBACK_COLUMNS = (
    _c("nps", pl.Int8, "0-10", "survey events", "Her latest answer to whether she would recommend us."),
    _c("nps_trend", pl.Float64, "points", "survey events",
       "Mean of her newest half of such answers less that of the older half; null below two."),
    _c("csat", pl.Float64, "1-5", "survey events", "Mean of her answers to how content she was."),
    _c("csat_trend", pl.Float64, "points", "survey events", "As `nps_trend`."),
    _c("complaints", pl.Int64, "complaints", "complaint events", "How often she complained, ever."),
    _c("last_complaint_at", UTC_INSTANT, "instant", "complaint events", "When she last complained."),
)  # fmt: skip

TABLE_COLUMNS = (
    *FIGURE_COLUMNS,
    *VALUE_COLUMNS,
    *CADENCE_COLUMNS,
    *FORECAST_COLUMNS,
    *HABIT_COLUMNS,
    *SATISFACTION_COLUMNS,
    *GROUP_COLUMNS,
    *FEEDBACK_COLUMNS,
)
CUSTOMER_TABLE: dict[str, pl.DataType | type[pl.DataType]] = {c.name: c.dtype for c in TABLE_COLUMNS}
