"""The orders that count, as sorted arrays: what every figure of the customer table is computed from.

Ids become numbers once, here; from then on a customer is a place in `ids`, and their orders lie side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.clock import zone_exists
from engine.columns import UTC_INSTANT, minor_digits
from engine.customers.moment import Moment, local_time

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
REFUNDED_STATUSES = ("rejected", "refunded")


@dataclass(frozen=True, slots=True)
class Purchases:
    """Everyone known at `moment`, and their orders sorted by customer, then time.

    `ids` is sorted; `orders` has customer (place in `ids`), at (UTC), second, day (since 1970) in the moment's zone,
    hour and weekday (1-7) on the customer's own clock where it is known, cents (null unknown), discount (cents),
    vendor_id, zone, payment_method, rating. `refunds` has customer and at of refunded or rejected orders; `corrections`
    customer, at and cents (below zero) of delivered ones that only take money back. `unclear` counts orders of another
    currency than most: their amounts are unknown.
    """

    moment: Moment
    ids: pl.Series
    orders: pl.DataFrame
    refunds: pl.DataFrame
    corrections: pl.DataFrame
    currency: str | None
    unclear: int

    @property
    def n(self) -> int:
        """How many customers, those without an order included."""
        return len(self.ids)

    @property
    def customer(self) -> Ints:
        """Whose each order is."""
        return self.orders["customer"].to_numpy().astype(np.int64)

    @property
    def major(self) -> float:
        """How many minor units make one major unit."""
        return float(10 ** minor_digits(self.currency or "USD"))


@dataclass(frozen=True, slots=True)
class OrderDays:
    """Distinct days with an order (or every order, where each counts), sorted by customer, then day.

    `value` is what the day came to in major units, NaN where unknown; `discounted` is the share of the day's orders
    with a discount; `start` (customers + 1) points into the others.
    """

    start: Ints
    customer: Ints
    day: Ints
    value: Floats
    discounted: Floats

    @property
    def n(self) -> int:
        """How many customers."""
        return len(self.start) - 1

    def until(self, day: int) -> OrderDays:
        """Return only what was known at the end of `day`."""
        return self._kept(self.customer, self.n, self.day <= day)

    def only(self, customers: Ints) -> OrderDays:
        """Return these customers (ascending places), renumbered from 0."""
        new = np.full(self.n, -1, np.int64)
        new[customers] = np.arange(len(customers))
        renumbered = new[self.customer]
        return self._kept(renumbered, len(customers), renumbered >= 0)

    def _kept(self, customer: Ints, n: int, keep: Bools) -> OrderDays:
        return order_days_of(customer[keep], self.day[keep], self.value[keep], self.discounted[keep], n)


def order_days_of(customer: Ints, day: Ints, value: Floats, discounted: Floats, n: int) -> OrderDays:
    """Return order days of `n` customers from arrays sorted by customer, then day."""
    start = np.concatenate(([0], np.cumsum(np.bincount(customer, minlength=n)))).astype(np.int64)
    return OrderDays(start, customer, day, value, discounted)


def read_purchases(orders: pl.LazyFrame, customers: pl.DataFrame, moment: Moment) -> Purchases:
    """Read what counts as of `moment` from ORDERS and CUSTOMERS.

    Delivered orders at or before the moment count, once each by the history's law of unique ids; a delivered amount
    below zero is a correction: it takes money back and is no order. Amounts of another currency than most are unknown.
    Someone who registers later is not known yet, unless they have orders.
    """
    seen = orders.filter(pl.col("ordered_at") <= pl.lit(moment.at).cast(UTC_INSTANT))
    registered = (
        customers.lazy()
        .filter(pl.col("registered_at").is_null() | (pl.col("registered_at") <= moment.at))
        .select("customer_id")
    )
    counted = seen.filter(pl.col("status").is_in(["delivered", *REFUNDED_STATUSES]))
    ids = (
        pl.concat([counted.select("customer_id").unique(), registered.unique()])
        .unique()
        .collect(engine="streaming")["customer_id"]
        .drop_nulls()
        .sort()
    )
    wanted = counted.select(
        pl.col("customer_id").cast(pl.Enum(ids)).to_physical().alias("customer"),
        pl.col("ordered_at").alias("at"),
        pl.col("order_cents").alias("cents"),
        pl.col("discount_cents").fill_null(0).alias("discount"),
        *(pl.col(name).cast(pl.Categorical) for name in ("vendor_id", "zone", "payment_method", "currency")),
        "rating",
        pl.col("status").is_in(REFUNDED_STATUSES).alias("refunded"),
    ).collect(engine="streaming")
    wanted, currency, unclear = _one_currency(wanted)
    refunds = wanted.filter("refunded").select("customer", "at")
    delivered = wanted.filter(~pl.col("refunded"))
    back = pl.col("cents") < 0
    corrections = delivered.filter(back).select("customer", "at", "cents")
    frame = (
        delivered.filter(~back.fill_null(False))
        .drop("refunded", "currency")
        .with_columns(
            local_time("at", moment.zone).cast(pl.Date).cast(pl.Int32).alias("day"),
            pl.col("at").dt.epoch("s").alias("second"),
            local_time("at", moment.zone).alias("own"),
        )
        .pipe(_on_own_clocks, customers, ids)
        .with_columns(pl.col("own").dt.hour().alias("hour"), pl.col("own").dt.weekday().alias("weekday"))
        .drop("own")
    )
    # One whole number sorts several times faster than two columns; cents and vendor make equal seconds repeatable.
    key = (pl.col("customer").cast(pl.Int64) * 2**34 + pl.col("second")).alias("key")
    sorted_frame = frame.with_columns(key).sort("key", maintain_order=True).drop("key")
    return Purchases(moment, ids, sorted_frame, refunds, corrections, currency, unclear)


def order_days(purchases: Purchases, *, count: str = "day") -> OrderDays:
    """Return the customers' order days; `count` "order" keeps each order of a day apart."""
    frame, customer = purchases.orders, purchases.customer
    day = frame["day"].to_numpy().astype(np.int64)
    cents = frame["cents"].cast(pl.Float64).fill_null(float("nan")).to_numpy() / purchases.major
    discounted = (frame["discount"] > 0).cast(pl.Float64).to_numpy()
    if count == "order" or not len(day):
        return order_days_of(customer, day, cents, discounted, purchases.n)
    first = np.concatenate(([True], (customer[1:] != customer[:-1]) | (day[1:] != day[:-1])))
    where = np.flatnonzero(first)
    # A day with one unknown amount is worth what is known of it; with none known it is unknown.
    known = np.isfinite(cents)
    value = np.add.reduceat(np.where(known, cents, 0.0), where)
    value[np.add.reduceat(known.astype(np.int64), where) == 0] = np.nan
    share = np.add.reduceat(discounted, where) / np.diff(np.append(where, len(day)))
    return order_days_of(customer[where], day[where], value, share, purchases.n)


def _on_own_clocks(frame: pl.DataFrame, customers: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """Return the frame with `own` on the clock of each customer whose zone the customers table names."""
    known = customers.select("customer_id", "timezone").drop_nulls().unique("customer_id", keep="last")
    for (zone,), there in known.group_by("timezone"):
        if zone_exists(str(zone)):
            places = ids.search_sorted(there["customer_id"].filter(there["customer_id"].is_in(ids.implode())))
            own = pl.when(pl.col("customer").is_in(places.implode())).then(local_time("at", str(zone)))
            frame = frame.with_columns(own.otherwise("own").alias("own"))
    return frame


def _one_currency(frame: pl.DataFrame) -> tuple[pl.DataFrame, str | None, int]:
    """Return the frame with foreign amounts made unknown, the commonest currency, and how many were foreign."""
    counts = frame.group_by("currency").len().drop_nulls().with_columns(pl.col("currency").cast(pl.String))
    if not counts.height:
        return frame, None, 0
    currency = str(counts.sort("len", "currency", descending=[True, False])["currency"][0])
    foreign = int(counts.filter(pl.col("currency") != currency)["len"].sum())
    if foreign:
        home = pl.col("currency").is_null() | (pl.col("currency") == currency)
        frame = frame.with_columns(pl.when(home).then("cents").alias("cents"))
    return frame, currency, foreign
