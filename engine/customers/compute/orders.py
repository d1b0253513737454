"""Columns of what a customer ordered ever, of the registration, and of habits in time and place."""

from __future__ import annotations

import numpy as np
import polars as pl

from engine.columns import DAY_S, UTC_INSTANT
from engine.customers.behaviour import habits
from engine.customers.behaviour.purchases import Purchases
from engine.customers.compute.inputs import Columns, Floats, GroupResult, TableInputs, TableSources, null_for_nan

DAY_US = DAY_S * 1_000_000


def dish_figures(sources: TableSources, purchases: Purchases, since_s: int) -> tuple[Columns, Floats, Floats]:
    """Return the columns computed from lines, and margins ever and from `since_s` on (minor units, NaN unknown).

    Lines are by far the largest input: they are read, used and released here.
    """
    lines = habits.read_lines(sources.lines, purchases)
    menu = habits.read_menu(lines.items, sources.items, sources.vendors)
    margin, window_margin = habits.margins(lines, menu, purchases, since_s)
    columns = habits.dish_columns(lines, menu, purchases.n)
    columns["party_size"] = null_for_nan(habits.party_size(lines, purchases.n))
    return columns, margin, window_margin


def dish_margins(sources: TableSources, purchases: Purchases, since_s: int) -> tuple[Floats, Floats]:
    """Return the margins of `dish_figures` alone."""
    lines = habits.read_lines(sources.lines, purchases)
    menu = habits.read_menu(lines.items, sources.items, sources.vendors)
    return habits.margins(lines, menu, purchases, since_s)


def habit_figures(inputs: TableInputs, _: Columns) -> GroupResult:
    """Return dayparts, weekdays, best hour, vendors, zones and payment method."""
    timing = habits.timing_columns(inputs.purchases, inputs.config.dayparts)
    return GroupResult(timing | habits.place_columns(inputs.purchases))


def order_figures(inputs: TableInputs, _: Columns) -> GroupResult:
    """Return counts, sums and instants ever, price band, and what is known from the registration.

    A customer_id registered twice counts once and its last row wins.
    """
    columns, order_zone = _order_columns(inputs)
    columns |= _registration_columns(inputs, order_zone)
    average = columns["average_order_cents"].fill_null(float("nan")).to_numpy()
    return GroupResult(columns | {"price_band": habits.price_bands(average)})


def _order_columns(inputs: TableInputs) -> tuple[Columns, pl.Series]:
    """Return counts, sums and instants ever, and the zone of the latest order that names one."""
    purchases, n = inputs.purchases, inputs.n
    frame, customer = purchases.orders, purchases.customer
    totals = (
        frame.lazy()
        .group_by("customer")
        .agg(
            pl.col("cents").sum().alias("sum"),
            pl.col("cents").count().alias("known"),
            pl.col("at").min().alias("first"),
            pl.col("at").max().alias("last"),
            (pl.col("discount") > 0).mean().alias("discounted"),
            pl.col("zone").drop_nulls().last().cast(pl.String).alias("zone"),
        )
        .collect()
    )
    everybody = pl.DataFrame({"customer": np.arange(n)}, schema={"customer": pl.UInt32})
    all_of = everybody.join(totals, on="customer", how="left", maintain_order="left")
    orders = np.bincount(customer, minlength=n)
    corrected = np.bincount(
        purchases.corrections["customer"].to_numpy(), purchases.corrections["cents"].to_numpy(), minlength=n
    )
    known = all_of["known"].fill_null(0).to_numpy()
    revenue = np.where((known > 0) | (orders == 0), all_of["sum"].fill_null(0).to_numpy() + corrected, np.nan)
    mean = all_of["sum"].fill_null(0).to_numpy() / np.where(known > 0, known, np.nan)
    since = {
        name: (pl.lit(inputs.moment.at).cast(UTC_INSTANT) - pl.col(column)).dt.total_microseconds() / DAY_US
        for name, column in (("days_since_first_order", "first"), ("days_since_last_order", "last"))
    }
    elapsed = all_of.select(**since)
    return {
        "customer_id": purchases.ids,
        "orders": pl.Series(orders),
        "revenue_cents": null_for_nan(np.round(revenue)),
        "margin_cents": null_for_nan(np.round(inputs.margin)),
        "average_order_cents": null_for_nan(mean),
        "first_order_at": all_of["first"],
        "last_order_at": all_of["last"],
        "days_since_first_order": elapsed["days_since_first_order"],
        "days_since_last_order": elapsed["days_since_last_order"],
        "discounted_orders": all_of["discounted"],
    }, all_of["zone"]


def _registration_columns(inputs: TableInputs, order_zone: pl.Series) -> Columns:
    known = inputs.sources.customers.unique("customer_id", keep="last").rename({"zone": "home_zone"})
    everybody = inputs.purchases.ids.alias("customer_id").to_frame().with_columns(order_zone.alias("order_zone"))
    found = everybody.join(known, on="customer_id", how="left", maintain_order="left").select(
        pl.coalesce("order_zone", "home_zone").alias("zone"),
        *("language", "timezone", "birthday", "registered_at", "marketing_consent"),
        pl.when(pl.col("push_token").is_not_null()).then(True).alias("push_reachable").fill_null(False),
    )
    return {column.name: column for column in found.iter_columns()}
