"""What each decided customer did, day by day of their own window, and what was known of them before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.rows import DecisionRow
from engine.experiments.assignment import Arm

Floats = npt.NDArray[np.float64]

DAY = timedelta(days=1)
DECISIONS: dict[str, pl.DataType | type[pl.DataType]] = {
    "customer_id": pl.String,
    "arm": pl.String,
    "starts_at": pl.Datetime("us", "UTC"),
    "orders_before": pl.Float64,
    "revenue_before_cents": pl.Float64,
}
# `recency` is exp(-days since the last order / this), 0 without one: beyond a few months one more day means nothing.
RECENCY_DAYS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcomes:
    """What became of a run's customers.

    `people` has one row per decided customer: customer_id, arm, starts_at (the instant a message left or would have
    left), the covariates of `campaigns.runs.proof`, and orders and revenue_cents in the whole window. `daily` has
    customer_id, day (1 is the first 24 hours from starts_at), orders and revenue_cents, only where there is an order.
    """

    people: pl.DataFrame
    daily: pl.DataFrame

    def of_arms(self, *arms: Arm) -> pl.DataFrame:
        """Return the people of these arms, in a fixed order."""
        return self.people.filter(pl.col("arm").is_in([arm.value for arm in arms])).sort("customer_id")

    def cumulative(self, people: pl.DataFrame, metric: str, days: int) -> Floats:
        """Return (people, days) what each did up to the end of each day; `metric` is orders or revenue_cents."""
        rows = people.select("customer_id").with_row_index("row")
        done = self.daily.filter(pl.col("day") <= days).join(rows, on="customer_id")
        table = np.zeros((people.height, days))
        at = (done["row"].to_numpy().astype(np.int64), done["day"].to_numpy().astype(np.int64) - 1)
        np.add.at(table, at, done[metric].to_numpy().astype(np.float64))
        return table.cumsum(axis=1)


def outcomes_of(session: Session, run_id: int, orders: pl.LazyFrame, *, window_days: int) -> RunOutcomes:
    """Return what the customers of a run did; `orders` (schema ORDERS) is history as known now.

    An order counts when it is delivered and placed in (starts_at, starts_at + window_days], for all arms alike.
    """
    rows = session.execute(
        select(
            DecisionRow.customer_id,
            DecisionRow.arm,
            DecisionRow.would_send_at,
            DecisionRow.orders_before,
            DecisionRow.revenue_before_cents,
        ).where(DecisionRow.run_id == run_id)
    ).all()
    people = pl.DataFrame([tuple(row) for row in rows], schema=DECISIONS, orient="row")
    after = pl.col("ordered_at") - pl.col("starts_at")
    own = (
        orders.select("customer_id", "ordered_at", "status", "order_cents")
        .join(people.lazy().select("customer_id", "starts_at"), on="customer_id")
        .with_columns(after=after.dt.total_microseconds())
    )
    a_day = round(DAY / timedelta(microseconds=1))
    # The window is open at its start and closed at its end, and so is each of its days.
    daily = (
        own.filter((pl.col("status") == "delivered") & (pl.col("after") > 0) & (pl.col("after") <= window_days * a_day))
        .with_columns(day=((pl.col("after") - 1) // a_day + 1).cast(pl.Int64))
        .group_by("customer_id", "day")
        .agg(
            orders=(~(pl.col("order_cents") < 0).fill_null(False)).sum().cast(pl.Int64),
            revenue_cents=pl.col("order_cents").sum(),
        )
        .collect()
    )
    earlier = pl.col("after") > -90 * a_day
    recent = pl.col("after") > -28 * a_day
    cents = pl.col("order_cents").fill_null(0)
    known = (
        own.filter(pl.col("after") <= 0)
        .group_by("customer_id")
        .agg(
            orders_28d=recent.sum().cast(pl.Float64),
            orders_90d=earlier.sum().cast(pl.Float64),
            revenue_28d_cents=cents.filter(recent).sum().cast(pl.Float64),
            revenue_90d_cents=cents.filter(earlier).sum().cast(pl.Float64),
            recency=(pl.col("after").max() / a_day / RECENCY_DAYS).exp(),
        )
    )
    total = daily.lazy().group_by("customer_id").agg(pl.col("orders", "revenue_cents").sum())
    whole = (
        people.lazy()
        .join(known, on="customer_id", how="left")
        .join(total, on="customer_id", how="left")
        .with_columns(pl.exclude("customer_id", "arm", "starts_at").fill_null(0))
    )
    return RunOutcomes(people=whole.collect(), daily=daily)


def days_over(starts_at: datetime, now: datetime, *, window_days: int) -> int:
    """Return how many whole days of a window that began at `starts_at` are over."""
    return max(0, min(window_days, (now - starts_at) // DAY))
