"""The customer table: one row per customer known at a moment, every column of `engine.customers.columns`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.columns import UTC_INSTANT
from engine.customers.behaviour import cadence, habits, satisfaction
from engine.customers.behaviour.purchases import OrderDays, Purchases, order_days, read_purchases
from engine.customers.columns import CUSTOMER_TABLE
from engine.customers.config import CustomerConfig
from engine.customers.forecast import churn
from engine.customers.forecast.lifetime_value import (
    LifetimeForecast,
    LifetimeModel,
    fit_lifetime_model,
    forecast_lifetime,
    recency_frequency_at,
)
from engine.customers.moment import EPOCH, Moment
from engine.customers.value import clusters, lookalikes, rfm, tiers
from engine.errors import NoHistory

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Columns = dict[str, pl.Series]
Progress = Callable[[str], None]

DAY_US = 86_400_000_000
STANDARD_HORIZONS = (30, 90, 365)


@dataclass(frozen=True, slots=True)
class TableSources:
    """What the table is built from, as history and tables hold it."""

    orders: pl.LazyFrame
    lines: pl.LazyFrame
    customers: pl.DataFrame
    items: pl.DataFrame
    vendors: pl.DataFrame
    feedback: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=satisfaction.FEEDBACK))


@dataclass(frozen=True, slots=True)
class CustomerTable:
    """The table (schema CUSTOMER_TABLE, sorted by customer_id) and its facts: data window, models, quality."""

    table: pl.DataFrame
    facts: dict[str, Any]


def customer_table(
    sources: TableSources,
    moment: Moment,
    *,
    horizon_days: int,
    config: CustomerConfig,
    report: Progress = lambda _: None,
    seed: int = 0,
) -> CustomerTable:
    """Build every column as of `moment`; forecasts look `horizon_days` ahead. Equal data and seed give equal tables."""
    report("customers: orders")
    purchases = read_purchases(sources.orders, sources.customers, moment)
    days = order_days(purchases)
    report("customers: dishes")
    lines = habits.read_lines(sources.lines, purchases)
    menu = habits.read_menu(lines.items, sources.items, sources.vendors)
    window_start = window_second(moment, config)
    margin = habits.margins(lines, menu, purchases, window_start)
    columns = habits.dish_columns(lines, menu, purchases.n)
    columns["party_size"] = null_for_nan(habits.party_size(lines, purchases.n))
    del lines
    columns |= habits.timing_columns(purchases, config.dayparts) | habits.place_columns(purchases)
    report("customers: value and cadence")
    columns |= group_columns(purchases, days, config, margin)
    columns |= registered_columns(purchases, sources.customers, columns.pop("_order_zone"))
    columns["price_band"] = habits.price_bands(columns["average_order_cents"].fill_null(float("nan")).to_numpy())
    report("customers: forecasts")
    forecasts, lifetime, model = forecast_columns(purchases, days, horizon_days, config)
    columns |= forecasts
    report("customers: satisfaction and groups")
    columns |= satisfaction_columns(purchases, sources.feedback, config)
    table = pl.DataFrame({name: columns[name] for name in CUSTOMER_TABLE if name in columns})
    table = table.with_columns(satisfaction.unhappy_valuable(table, moment, config.satisfaction))
    table, clustering = with_clusters_and_lookalikes(table, purchases, sources.customers, config, seed)
    table = table.select(pl.col(name).cast(dtype) for name, dtype in CUSTOMER_TABLE.items())
    facts = table_facts(purchases, days, horizon_days, lifetime, model, clustering)
    heard = {
        "cut_points": rfm_cut_points(table),
        "feedback": satisfaction.feedback_as_of(sources.feedback, moment).height,
    }
    return CustomerTable(table, facts | heard)


def customer_groups(sources: TableSources, moment: Moment, config: CustomerConfig) -> pl.DataFrame:
    """Return customer_id, rfm_group, tier, abcd and lifecycle alone as of `moment`, without any forecast."""
    purchases = read_purchases(sources.orders, sources.customers, moment)
    days = order_days(purchases)
    lines = habits.read_lines(sources.lines, purchases)
    menu = habits.read_menu(lines.items, sources.items, sources.vendors)
    margin = habits.margins(lines, menu, purchases, window_second(moment, config))
    columns = group_columns(purchases, days, config, margin)
    return pl.DataFrame({name: columns[name] for name in ("customer_id", "rfm_group", "tier", "abcd", "lifecycle")})


def window_second(moment: Moment, config: CustomerConfig) -> int:
    """Return the first second (UTC, since 1970) of the window that frequency, monetary and tiers look at."""
    return int(moment.back(config.rfm.window_days).at.timestamp()) + 1


def group_columns(
    purchases: Purchases, days: OrderDays, config: CustomerConfig, margin: tuple[Floats, Floats]
) -> Columns:
    """Return figures, RFM, tiers, loyalty, cadence, lifecycle; `margin` is what her dishes earned, ever and lately."""
    columns = figure_columns(purchases, margin[0])
    columns |= _value_columns(purchases, days, config, margin[1])
    return columns | _cadence_columns(purchases, days, config)


def figure_columns(purchases: Purchases, margin: Floats) -> Columns:
    """Return counts, sums and instants ever; `_order_zone` is the zone of her latest order that names one."""
    frame, n, customer = purchases.orders, purchases.n, purchases.customer
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
        name: (pl.lit(purchases.moment.at).cast(UTC_INSTANT) - pl.col(column)).dt.total_microseconds() / DAY_US
        for name, column in (("days_since_first_order", "first"), ("days_since_last_order", "last"))
    }
    elapsed = all_of.select(**since)
    return {
        "customer_id": purchases.ids,
        "orders": pl.Series(orders),
        "revenue_cents": null_for_nan(np.round(revenue)),
        "margin_cents": null_for_nan(np.round(margin)),
        "average_order_cents": null_for_nan(mean),
        "first_order_at": all_of["first"],
        "last_order_at": all_of["last"],
        "days_since_first_order": elapsed["days_since_first_order"],
        "days_since_last_order": elapsed["days_since_last_order"],
        "discounted_orders": all_of["discounted"],
        "_order_zone": all_of["zone"],
    }


def registered_columns(purchases: Purchases, customers: pl.DataFrame, order_zone: pl.Series) -> Columns:
    """Return what registration says; a customer_id given twice counts once and its last row wins."""
    known = customers.unique("customer_id", keep="last").rename({"zone": "home_zone"})
    everybody = purchases.ids.alias("customer_id").to_frame().with_columns(order_zone.alias("order_zone"))
    found = everybody.join(known, on="customer_id", how="left", maintain_order="left").select(
        pl.coalesce("order_zone", "home_zone").alias("zone"),
        *("language", "timezone", "birthday", "registered_at", "marketing_consent"),
        pl.when(pl.col("push_token").is_not_null()).then(True).alias("push_reachable").fill_null(False),
    )
    return {column.name: column for column in found.iter_columns()}


def _value_columns(purchases: Purchases, days: OrderDays, config: CustomerConfig, margin: Floats) -> Columns:
    n, today, customer = purchases.n, purchases.moment.day, purchases.customer
    start = window_second(purchases.moment, config)
    inside = purchases.orders["second"].to_numpy() >= start
    cents = purchases.orders["cents"].fill_null(0).to_numpy()
    frequency = np.bincount(customer[inside], minlength=n)
    late = purchases.corrections.filter(pl.col("at").dt.epoch("s") >= start)
    paid = np.bincount(customer[inside], cents[inside], minlength=n).astype(np.float64)
    taken_back = np.bincount(late["customer"].to_numpy(), late["cents"].to_numpy(), minlength=n).astype(np.float64)
    monetary: Floats = (paid + taken_back) / purchases.major
    there = np.flatnonzero(np.diff(days.start))
    last = days.day[days.start[there + 1] - 1]
    recency = today - last
    r, f, m = rfm.rfm_scores(recency, frequency[there], monetary[there])
    # Where no margin is known at all, revenue stands in for everybody: the two are never compared with each other.
    worth = margin / purchases.major if np.isfinite(margin).any() else monetary
    return {
        "order_days": pl.Series(np.diff(days.start)),
        "recency_days": spread(recency, there, n),
        "frequency": pl.Series(frequency),
        "monetary": pl.Series(monetary),
        "r": spread(r, there, n),
        "f": spread(f, there, n),
        "m": spread(m, there, n),
        "rfm_group": spread(rfm.rfm_group_names(r, f, m), there, n),
        "tier": spread(tiers.tier_names(np.nan_to_num(worth[there]), config.tiers), there, n),
        "abcd": spread(tiers.abcd_letters(monetary[there], frequency[there] > 0, config.abcd), there, n),
        "tier_value": spread(worth[there], there, n),
        "repurchase_rate": null_for_nan(tiers.repurchase_rate(days, today, config.loyalty.repurchase_days)),
        "months_active_share": null_for_nan(tiers.months_active_share(days, today)),
    }


def _cadence_columns(purchases: Purchases, days: OrderDays, config: CustomerConfig) -> Columns:
    n, now_s = purchases.n, purchases.moment.at.timestamp()
    there = np.flatnonzero(np.diff(days.start))
    second = purchases.orders["second"].to_numpy()
    start = np.concatenate(([0], np.cumsum(np.bincount(purchases.customer, minlength=n))))
    last = second[start[there + 1] - 1] if len(there) else np.empty(0, np.int64)
    population = cadence.fit_population_cadence(days)
    gaps = cadence.gaps_of(days)
    mean, deviation = cadence.posterior_log_gap(population, gaps.n[there], gaps.log_sum[there])
    silences = [cadence.gap_quantile(mean, deviation, getattr(config.cadence, name), config.cadence)
                for name in ("slowing", "likely_lapsed", "lapsed")]  # fmt: skip
    elapsed = (now_s - last) / 86_400
    age = purchases.moment.day - days.day[days.start[there]]
    won_back = cadence.was_won_back(population, gaps, config.cadence)[there]
    states = cadence.lifecycles(elapsed, age, (silences[0], silences[1], silences[2]), won_back, config.cadence)
    following = cadence.median_next_gap(mean, deviation, elapsed)
    instants = {
        name: spread(((last + days_later * 86_400) * 1e6).astype(np.int64), there, n).cast(UTC_INSTANT)
        for name, days_later in zip(
            ("slowing_at", "likely_lapsed_at", "lapsed_at", "next_order_at"), [*silences, following], strict=True
        )
    }
    own = np.divide(gaps.day_sum, gaps.n, out=np.full(n, np.nan), where=gaps.n > 0)
    return instants | {
        "own_gap_days": null_for_nan(own),
        "cadence_days": spread(np.exp(mean), there, n),
        "lifecycle": spread(states, there, n).fill_null("prospect"),
    }


def forecast_columns(
    purchases: Purchases, days: OrderDays, horizon_days: int, config: CustomerConfig
) -> tuple[Columns, LifetimeModel | str, churn.ChurnModel | str]:
    """Return forecasts of everybody who ordered, and the models; a reason in place of one that cannot be fitted."""
    today, n = purchases.moment.day, purchases.n
    names = [("", horizon_days), *((f"_{each}d", each) for each in STANDARD_HORIZONS)]
    empty = pl.Series([None] * n, dtype=pl.Float64)
    counted = days if config.lifetime_value.count == "day" else order_days(purchases, count="order")
    try:
        lifetime = fit_lifetime_model(counted, today, config.lifetime_value)
    except NoHistory as error:
        columns = {f"expected_{what}{end}": empty for what in ("orders", "revenue") for end, _ in names}
        return columns | {"expected_order_value": empty, "p_no_order": empty}, error.message, error.message
    now = recency_frequency_at(counted, today)
    ahead: LifetimeForecast = forecast_lifetime(lifetime, now, sorted({each for _, each in names}))
    columns = {f"expected_orders{end}": spread(ahead.orders[each], now.customer, n) for end, each in names}
    columns |= {f"expected_revenue{end}": spread(ahead.revenue[each], now.customer, n) for end, each in names}
    columns["expected_order_value"] = spread(ahead.order_value, now.customer, n)
    model = churn.fit_churn_model(days, today, horizon_days, config, lifetime.bg_nbd.model)
    known = churn.churn_features(days, today, horizon_days, lifetime.bg_nbd, cadence.fit_population_cadence(days))
    columns["p_no_order"] = spread(model.p_no_order(known), known.recency.customer, n)
    return columns, lifetime, model


def satisfaction_columns(purchases: Purchases, feedback: pl.DataFrame, config: CustomerConfig) -> Columns:
    """Return ratings, refunds, survey answers, complaints and unhappy_at of everybody."""
    found = satisfaction.satisfaction_figures(purchases, feedback, config.satisfaction)
    everybody = pl.DataFrame({"customer": np.arange(purchases.n)}, schema={"customer": pl.UInt32})
    aligned = everybody.join(found, on="customer", how="left", maintain_order="left").with_columns(
        pl.col("ratings", "refunds", "complaints").fill_null(0)
    )
    return {name: aligned[name] for name in satisfaction.SATISFACTION_FIGURES}


def with_clusters_and_lookalikes(
    table: pl.DataFrame, purchases: Purchases, customers: pl.DataFrame, config: CustomerConfig, seed: int
) -> tuple[pl.DataFrame, clusters.Clustering | None]:
    """Return the table with natural_group, lookalike_score and prospect_rank, and the groups found."""
    ordered = (table["orders"] > 0).to_numpy()
    there = np.flatnonzero(ordered)
    features = table.select(
        pl.col(name).cast(pl.Float64).fill_null(float("nan")) for name, _, _, _ in clusters.CLUSTER_FEATURES
    ).to_numpy()[there]
    clustering = clusters.find_clusters(features, config.groups, np.random.default_rng(seed))
    if clustering is None:
        group = pl.Series([None] * table.height, dtype=pl.String)
    else:
        group = spread(
            np.array([cluster.name for cluster in clustering.clusters])[clustering.member], there, table.height
        )
    known = customers.unique("customer_id", keep="last").select("customer_id", "gender")
    gender = table.select("customer_id").join(known, on="customer_id", how="left", maintain_order="left")["gender"]
    best = table["tier"].is_in(["platinum", "gold"]).fill_null(False).to_numpy()
    attributes = lookalikes.lookalike_attributes(table, gender, purchases.moment)
    score = lookalikes.lookalike_scores(attributes, ordered, best)
    rank = lookalikes.prospect_ranks(score, table["registered_at"], table["customer_id"], ~ordered)
    return table.with_columns(
        group.alias("natural_group"), null_for_nan(score).alias("lookalike_score"), rank.alias("prospect_rank")
    ), clustering


def table_facts(
    purchases: Purchases,
    days: OrderDays,
    horizon_days: int,
    lifetime: LifetimeModel | str,
    model: churn.ChurnModel | str,
    clustering: clusters.Clustering | None,
) -> dict[str, Any]:
    """Return what is to be said of the table: its moment, data window, models chosen and how good they were."""
    window = purchases.orders.select(pl.col("at").min().alias("first"), pl.col("at").max().alias("last")).row(0)
    population = cadence.fit_population_cadence(days)
    quality = None if isinstance(model, str) else model.quality
    notes = [lifetime if isinstance(lifetime, str) else lifetime.note, None if isinstance(model, str) else model.note]
    if purchases.unclear:
        notes.append(f"{purchases.unclear} orders are in another currency than {purchases.currency}; amounts left out")
    if population is cadence.DEFAULT_CADENCE:
        notes.append("fewer than 20 gaps between orders are known; cadence assumes about a month")
    return {
        "as_of": purchases.moment.at.isoformat(),
        "timezone": purchases.moment.zone,
        "horizon_days": horizon_days,
        "currency": purchases.currency,
        "customers": purchases.n,
        "ordered": int((np.diff(days.start) > 0).sum()),
        "orders": purchases.orders.height,
        "first_order_at": window[0].isoformat() if window[0] else None,
        "last_order_at": window[1].isoformat() if window[1] else None,
        "lifetime_value": None if isinstance(lifetime, str) else lifetime.as_json(),
        "return_model": None if quality is None else asdict(quality) | {"tested_from": str(_date(quality.cut_day))},
        "cadence": asdict(population) | {"typical_gap_days": float(np.exp(population.mean))},
        "natural_groups": None if clustering is None else {
            "groups": [asdict(cluster) for cluster in clustering.clusters],
            "silhouette": {str(k): value for k, value in clustering.silhouette.items()},
        },
        "notes": [note for note in notes if note],
    }  # fmt: skip


def rfm_cut_points(table: pl.DataFrame) -> dict[str, list[float]]:
    """Return the four quintile ends of recency, frequency and monetary that r, f and m were scored by."""
    there = table.filter(pl.col("frequency") > 0)
    return {
        name: rfm.quintile_cut_points(sign * there[name].cast(pl.Float64).to_numpy()).tolist()
        for name, sign in (("recency_days", -1), ("frequency", 1), ("monetary", 1))
    }


def null_for_nan(values: npt.NDArray[Any]) -> pl.Series:
    """Return floats with null for NaN."""
    return pl.Series(values).fill_nan(None)


def spread(values: npt.NDArray[Any], where: Ints, n: int) -> pl.Series:
    """Return `n` values: `values` at places `where`, null elsewhere and for NaN."""
    found = pl.Series(values)
    found = found.fill_nan(None) if found.dtype.is_float() else found
    place = np.full(n, -1, np.int64)
    place[where] = np.arange(len(where))
    index = pl.Series(place)
    return found.gather(index.set(index < 0, None)) if len(found) else pl.Series([None] * n, dtype=found.dtype)


def _date(day: int) -> date:
    return EPOCH + timedelta(days=day)
