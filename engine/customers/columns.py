"""Every column of the customer table, declared once: name, dtype, unit, source and meaning.

The table's schema, the fields of segments, their JSON schema and the reference page are made from these declarations.
A column is computed by one group of `engine.customers.table.FIGURE_GROUPS`; one declared and not computed fails a test.

One row per customer known at the table's instant: everyone who ordered, and everyone registered by then. Null means
unknown or not applicable, never zero. Days are calendar days in the configured time zone; `_cents` are minor units,
money without that ending is in major units of the table's currency. "In the window" means the newest `window_days`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from engine.columns import UTC_INSTANT
from engine.history.dayparts import Dayparts

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
DAYPART_NAMES = Dayparts.names()
PRICE_BANDS = ("low", "middle", "high")


DType = pl.DataType | type[pl.DataType]
# Who else knows a column at any instant without a table: the registration, or plain sums over order history.
KnownFrom = Literal["registration", "history", "table"]


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column: `unit` of its values, `source` it is computed from; `values` lists all a word may be."""

    name: str
    dtype: DType
    unit: str
    source: str
    about: str
    values: tuple[str, ...] = ()
    known_from: KnownFrom = "table"


TABLE_COLUMNS: list[TableColumn] = []
CUSTOMER_TABLE: dict[str, DType] = {}


def declare_columns(*columns: TableColumn) -> tuple[TableColumn, ...]:
    """Add columns to the end of the customer table and return them. Raises ValueError for a name declared before."""
    for each in columns:
        if each.name in CUSTOMER_TABLE:
            raise ValueError(f"the customer table has a column {each.name!r} already")
        TABLE_COLUMNS.append(each)
        CUSTOMER_TABLE[each.name] = each.dtype
    return columns


def _c(name: str, dtype: DType, unit: str, source: str, about: str, *values: str) -> TableColumn:
    return TableColumn(name, dtype, unit, source, about, values)


def _history(name: str, dtype: DType, unit: str, source: str, about: str) -> TableColumn:
    return TableColumn(name, dtype, unit, source, about, known_from="history")


def _registration(name: str, dtype: DType, unit: str, about: str) -> TableColumn:
    return TableColumn(name, dtype, unit, "customers", about, known_from="registration")


FIGURE_COLUMNS = declare_columns(
    _c("customer_id", pl.String, "id", "orders, customers", "The customer's id, as orders have it."),
    _history("orders", pl.Int64, "orders", "orders", "Delivered orders ever; corrections below zero do not count."),
    _c("order_days", pl.Int64, "days", "orders", "Distinct days with a delivered order, ever."),
    _history("revenue_cents", pl.Int64, "minor units", "orders",
             "Paid ever, corrections taken off; null where unknown."),
    _c("margin_cents", pl.Int64, "minor units", "lines, items, orders",
       "Earned ever: margin of the dishes ordered, less discounts; null where none of them has a known margin."),
    _history("average_order_cents", pl.Float64, "minor units", "orders", "Mean of known order amounts."),
    _history("first_order_at", UTC_INSTANT, "instant", "orders", "First delivered order."),
    _history("last_order_at", UTC_INSTANT, "instant", "orders", "Latest delivered order."),
    _history("days_since_first_order", pl.Float64, "days", "orders", "From the first order to the table's instant."),
    _history("days_since_last_order", pl.Float64, "days", "orders", "From the latest order to the table's instant."),
    _history("discounted_orders", pl.Float64, "share 0-1", "orders",
             "Discount affinity: share of orders with a discount. It shows who used one, never what it caused."),
    _history("zone", pl.String, "zone", "orders, customers",
             "Zone of the latest order that names one, else the home zone."),
    _registration("language", pl.String, "BCP 47 tag", "As registered; zh in a segment takes in zh-CN and zh-Hant."),
    _registration("timezone", pl.String, "IANA zone", "As registered."),
    _registration("birthday", pl.Date, "date", "As registered."),
    _registration("registered_at", UTC_INSTANT, "instant", "When the customer signed up."),
    _registration("marketing_consent", pl.Boolean, "yes or no", "Consent as of the import."),
    _c("push_reachable", pl.Boolean, "yes or no", "customers", "A push token is known."),
)  # fmt: skip
VALUE_COLUMNS = declare_columns(
    _c("recency_days", pl.Int64, "days", "orders", "Calendar days since the latest delivered order, ever."),
    _c("frequency", pl.Int64, "orders", "orders", "Delivered orders in the window; 0 where there is none."),
    _c("monetary", pl.Float64, "major units", "orders", "Revenue of the window; 0 where it has no order."),
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
       "Of order days at least `repurchase_days` old, the share followed by another within as many days."),
    _c("months_active_share", pl.Float64, "share 0-1", "orders",
       "Calendar months with an order, of all since the first."),
)  # fmt: skip
CADENCE_COLUMNS = declare_columns(
    _c(
        "own_gap_days",
        pl.Float64,
        "days",
        "orders",
        "Mean gap between the customer's order days; null with fewer than two.",
    ),
    _c(
        "cadence_days", pl.Float64, "days", "orders", "The customer's typical (median) gap, shrunk to the population's."
    ),
    _c(
        "slowing_at",
        UTC_INSTANT,
        "instant",
        "orders",
        "From here on the silence is longer than usual for this customer.",
    ),
    _c("likely_lapsed_at", UTC_INSTANT, "instant", "orders", "From here on the customer has probably left."),
    _c("lapsed_at", UTC_INSTANT, "instant", "orders", "From here on the customer counts as gone."),
    _c(
        "lifecycle",
        pl.String,
        "name",
        "the three dates",
        "Stage of the customer's relation to the company.",
        *LIFECYCLES,
    ),
)
FORECAST_COLUMNS = declare_columns(
    _c("expected_orders", pl.Float64, "orders", "BG/NBD or MBG/NBD", "Expected order days in the next N days."),
    _c("expected_revenue", pl.Float64, "major units", "expected_orders x Gamma-Gamma", "Expected in the next N days."),
    _c("expected_orders_30d", pl.Float64, "orders", "BG/NBD or MBG/NBD", "The same for 30 days."),
    _c("expected_orders_90d", pl.Float64, "orders", "BG/NBD or MBG/NBD", "The same for 90 days."),
    _c("expected_orders_365d", pl.Float64, "orders", "BG/NBD or MBG/NBD", "The same for 365 days."),
    _c("expected_revenue_30d", pl.Float64, "major units", "Gamma-Gamma", "The same for 30 days."),
    _c("expected_revenue_90d", pl.Float64, "major units", "Gamma-Gamma", "The same for 90 days."),
    _c("expected_revenue_365d", pl.Float64, "major units", "Gamma-Gamma", "The same for 365 days."),
    _c("expected_order_value", pl.Float64, "major units", "Gamma-Gamma", "Expected value of one order day."),
    _c("p_no_order", pl.Float64, "probability", "return model",
       "Chance of no order in the next N days, calibrated on a past window; null for prospects."),
    _c("next_order_at", UTC_INSTANT, "instant", "cadence",
       "Median instant of the next order, given the silence so far and that the customer comes back at all."),
)  # fmt: skip
HABIT_COLUMNS = declare_columns(
    _c("top_items", WORD_LIST, "item ids", "lines", "Up to three dishes ordered most often, most first."),
    _c("top_categories", WORD_LIST, "names", "lines, items", "Up to three categories, most lines first."),
    _c("top_cuisines", WORD_LIST, "names", "lines, items, vendors", "Up to three cuisines, most lines first."),
    _c("top_vendors", WORD_LIST, "vendor ids", "orders", "Up to three vendors, most orders first."),
    _c("distinct_items", pl.Int64, "dishes", "lines", "How many different dishes the customer has ordered."),
    _c("last_new_item_at", UTC_INSTANT, "instant", "lines",
       "Latest order of a dish the customer had not ordered before."),
    _c("price_band", pl.String, "name", "average_order_cents",
       "Third of customers by mean order amount; ties share a band.", *PRICE_BANDS),
    _c("daypart_shares", SHARE_LIST, "shares, sum 1", "orders",
       f"Share of orders in {', '.join(DAYPART_NAMES)}, by local hour."),
    _c("weekday_shares", SHARE_LIST, "shares, sum 1", "orders", "Share of orders on Monday ... Sunday, local."),
    _c("favourite_daypart", pl.String, "name", "daypart_shares", "The largest; the earlier of equals.", *DAYPART_NAMES),
    _c("favourite_weekday", pl.Int8, "1-7", "weekday_shares", "1 is Monday; the earlier of equals."),
    _c("lunch_share", pl.Float64, "share 0-1", "daypart_shares", "Share of orders at lunch."),
    _c("weekend_share", pl.Float64, "share 0-1", "weekday_shares", "Share of orders on Saturday and Sunday."),
    _c("best_hour", pl.Int8, "hour 0-23", "orders",
       "Local hour with most orders (neighbouring hours count half); the earlier of equals."),
    _c("zones", WORD_LIST, "zones", "orders", "Up to three zones ordered to, most orders first."),
    _c("payment_method", pl.String, "name", "orders", "The payment method used most often."),
    _c("party_size", pl.Float64, "portions", "lines", "Median portions of an order."),
)  # fmt: skip
SATISFACTION_COLUMNS = declare_columns(
    _c("ratings", pl.Int64, "ratings", "orders", "How many of the customer's orders are rated."),
    _c("average_rating", pl.Float64, "1-5", "orders", "Mean of the customer's ratings."),
    _c("last_rating", pl.Float64, "1-5", "orders", "The customer's latest rating."),
    _c("rating_trend", pl.Float64, "points", "orders",
       "Mean of the newer half of ratings less that of the older half; null below two."),
    _c("refunds", pl.Int64, "orders", "orders", "Refunded or rejected orders, ever."),
    _c("unhappy_at", UTC_INSTANT, "instant", "orders, survey and complaint events",
       "Latest complaint, low answer, or order rated low, refunded or rejected, unless a better rating or answer "
       "came later."),
    _c("unhappy_valuable", pl.Boolean, "yes or no", "unhappy_at, tier, abcd",
       "Unhappy within `unhappy_days` and platinum, gold or A."),
)  # fmt: skip
GROUP_COLUMNS = declare_columns(
    _c("natural_group", pl.String, "name", "clusters", "The cluster the customer belongs to; null for prospects."),
    _c("lookalike_score", pl.Float64, "0-1", "customers, habits",
       "Likeness to the best customers in what is known; null for the best themselves."),
    _c("prospect_rank", pl.Int64, "rank from 1", "lookalike_score, registered_at",
       "Place among those registered who never ordered, most promising first."),
)  # fmt: skip
FEEDBACK_COLUMNS = declare_columns(
    _c("nps", pl.Int8, "0-10", "survey events", "Latest answer to whether the customer would recommend the company."),
    _c("nps_trend", pl.Float64, "points", "survey events",
       "Mean of the newer half of such answers less that of the older half; null below two."),
    _c("csat", pl.Float64, "1-5", "survey events", "Mean of answers to how content the customer was."),
    _c("csat_trend", pl.Float64, "points", "survey events", "As `nps_trend`."),
    _c("complaints", pl.Int64, "complaints", "complaint events", "Complaints ever."),
    _c("last_complaint_at", UTC_INSTANT, "instant", "complaint events", "Latest complaint."),
)  # fmt: skip
