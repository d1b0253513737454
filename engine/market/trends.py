"""Which dishes, cuisines, vendors and zones grow or fall, and which dropped against their own forecast.

Orders are counted in weeks that end on the moment's day, so every week holds each weekday once and weekdays cannot pose
as a trend. The slope is Theil and Sen's: the median over all pairs of weeks, with Sen's (1968) interval; a single
outlying week moves neither. Seasons of the year show as trends until there are years to compare: the market's own trend
is reported beside, and `against_market` is what remains.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import special

from engine.columns import UTC_INSTANT
from engine.customers.moment import Moment, local_time

Floats = npt.NDArray[np.float64]

WEEKS = 12
LEAST_WEEKS = 6
LEAST_ORDERS_FOR_TREND = 20
CONFIDENCE = 0.90
ALARM_SPREADS = 3.0


@dataclass(frozen=True, slots=True)
class Trend:
    """A kind of thing over the newest weeks; changes are shares of its mean week, per week."""

    kind: str
    name: str
    orders: int
    change: float
    low: float
    high: float
    against_market: float
    direction: str


@dataclass(frozen=True, slots=True)
class Drop:
    """A thing whose newest week fell below the forecast from its own earlier weeks."""

    kind: str
    name: str
    orders: int
    expected: float
    least_expected: float


@dataclass(frozen=True, slots=True)
class Market:
    """What grew, what fell and what dropped; `weeks` looked at, `market_change` that of all orders."""

    weeks: int
    market_change: float
    trends: tuple[Trend, ...]
    drops: tuple[Drop, ...]


def theil_sen_slopes(counts: Floats) -> tuple[Floats, Floats, Floats]:
    """Return Theil-Sen slope per week of each row of (things, weeks), and the ends of its 90 % interval."""
    weeks = counts.shape[1]
    early, late = np.triu_indices(weeks, 1)
    pairs = np.sort((counts[:, late] - counts[:, early]) / (late - early), axis=1)
    n = pairs.shape[1]
    # Sen's interval: how far Kendall's statistic may stray from nothing.
    stray = float(special.ndtri((1 + CONFIDENCE) / 2)) * np.sqrt(weeks * (weeks - 1) * (2 * weeks + 5) / 18)
    low, high = max(int(np.floor((n - stray) / 2)), 0), min(int(np.ceil((n + stray) / 2)), n - 1)
    return np.median(pairs, axis=1), pairs[:, low], pairs[:, high]


def forecast_next_week(counts: Floats) -> tuple[Floats, Floats]:
    """Return what the week after the given ones should bring, and the least that would be no outlier.

    Median level carried on by the Theil-Sen slope; spread is the larger of chance (Poisson) and its own past misses.
    """
    weeks = counts.shape[1]
    slope, _, _ = theil_sen_slopes(counts)
    at = np.arange(weeks) - (weeks - 1) / 2
    line = np.median(counts - slope[:, None] * at, axis=1)[:, None] + slope[:, None] * at
    expected = np.maximum(line[:, -1] + slope, 0.0)
    misses = 1.4826 * np.median(np.abs(counts - line), axis=1)
    spread = np.maximum(np.sqrt(expected), misses)
    return expected, np.maximum(expected - ALARM_SPREADS * spread, 0.0)


def market_trends(
    orders: pl.LazyFrame, lines: pl.LazyFrame, items: pl.DataFrame, vendors: pl.DataFrame, moment: Moment
) -> Market:
    """Return trends and drops of the newest weeks up to `moment`; fewer than 6 whole weeks show no trend."""
    seen = pl.col("ordered_at") <= pl.lit(moment.at).cast(UTC_INSTANT)
    since = moment.back(7 * WEEKS).at + timedelta(microseconds=1)
    week = (moment.day - local_time("ordered_at", moment.zone).cast(pl.Date).cast(pl.Int32)) // 7
    recent = seen & (pl.col("status") == "delivered") & (pl.col("ordered_at") >= pl.lit(since).cast(UTC_INSTANT))
    placed = orders.filter(recent).select("order_id", "vendor_id", "zone", week.alias("week")).collect()
    first = orders.filter(seen & (pl.col("status") == "delivered")).select(pl.col("ordered_at").min()).collect().item()
    whole = 0 if first is None else min(WEEKS, (moment.day - Moment(first, moment.zone).day + 1) // 7)
    if whole < LEAST_WEEKS:
        return Market(whole, 0.0, (), ())
    kitchen = vendors.lazy().select("vendor_id", pl.col("cuisine").alias("kitchen")).unique("vendor_id")
    menu = items.lazy().unique("item_id").select("item_id", "name", "cuisine")
    dishes = (
        lines.filter(recent)
        .select("order_id", "item_id", "vendor_id", week.alias("week"))
        .join(menu, on="item_id", how="left")
        .join(kitchen, on="vendor_id", how="left")
        .select(
            "order_id", "week", pl.coalesce("name", "item_id").alias("dish"),
            pl.coalesce("cuisine", "kitchen").alias("cuisine"),
        )
        .collect(engine="streaming")
    )  # fmt: skip
    total = np.bincount(placed["week"].to_numpy(), minlength=whole)[:whole][::-1].astype(np.float64)
    trends: list[Trend] = []
    drops: list[Drop] = []
    for kind, frame, column in (
        ("dish", dishes, "dish"),
        ("cuisine", dishes, "cuisine"),
        ("vendor", placed, "vendor_id"),
        ("zone", placed, "zone"),
    ):
        names, counts = weekly(frame, column, whole)
        trends += _trends(kind, names, counts, total)
        drops += _drops(kind, names, counts)
    change = float(theil_sen_slopes(total[None, :])[0][0] / max(total.mean(), 1e-9))
    return Market(whole, change, tuple(trends), tuple(sorted(drops, key=lambda d: d.orders - d.expected)))


def weekly(frame: pl.DataFrame, column: str, weeks: int) -> tuple[list[str], Floats]:
    """Return names and (names, weeks) distinct orders, oldest week first, of those with at least 20 orders."""
    counted = (
        frame.lazy()
        .filter(pl.col(column).is_not_null() & (pl.col("week") < weeks))
        .group_by(column, "week")
        .agg(pl.col("order_id").n_unique().alias("orders"))
        .collect()
    )
    enough = counted.group_by(column).agg(pl.col("orders").sum()).filter(pl.col("orders") >= LEAST_ORDERS_FOR_TREND)
    names = sorted(enough[column].to_list())
    place = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), weeks))
    for name, week, n in counted.iter_rows():
        if name in place:
            counts[place[name], weeks - 1 - week] = n
    return names, counts


def _trends(kind: str, names: list[str], counts: Floats, total: Floats) -> list[Trend]:
    if not names:
        return []
    mean = counts.mean(axis=1)
    slope, low, high = (each / mean for each in theil_sen_slopes(counts))
    share = counts / np.maximum(total, 1)
    against = theil_sen_slopes(share)[0] / share.mean(axis=1)
    directions = np.where(low > 0, "grows", np.where(high < 0, "falls", "steady"))
    return [
        Trend(kind, name, int(counts[i].sum()), float(slope[i]), float(low[i]), float(high[i]), float(against[i]),
              str(directions[i]))
        for i, name in enumerate(names)
    ]  # fmt: skip


def _drops(kind: str, names: list[str], counts: Floats) -> list[Drop]:
    if not names or kind not in {"dish", "vendor"}:
        return []
    expected, least = forecast_next_week(counts[:, :-1])
    actual = counts[:, -1]
    return [
        Drop(kind, name, int(actual[i]), float(expected[i]), float(least[i]))
        for i, name in enumerate(names)
        if actual[i] < least[i]
    ]
