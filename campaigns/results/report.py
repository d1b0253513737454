"""What a campaign earned: treated customers against those it left alone, by intention to treat.

The comparison is with the campaign's OWN holdout. Those held out globally are shown beside it but are no fair
measure of one campaign: they are left alone by all campaigns, while both other groups may be reached by the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.definition.campaign import Definition, parse
from campaigns.rows import CouponRow, DecisionRow, RunRow
from campaigns.runs.status import campaign_of, message_counts
from engine.experiments.assignment import Arm
from engine.experiments.statistics import Difference, NotEnoughData, SampleRatio, compare_arms, sample_ratio

DECISIONS = {
    "customer_id": pl.String,
    "arm": pl.String,
    "orders_before": pl.Float64,
    "revenue_before_cents": pl.Float64,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmOutcome:
    """What one arm did in the window: delivered orders and their revenue in minor units, in all and per customer."""

    customers: int
    orders: int
    revenue_cents: int
    orders_per_customer: float | None
    revenue_per_customer_cents: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """One run. `window_open` says that orders may still come in; figures are then those so far.

    `incremental_orders` and `incremental_revenue_cents` are per treated customer. `coupon_cost_cents` is what orders of
    treated customers in the window were discounted by the run's coupons.
    """

    run_id: int
    decided_at: datetime
    window_ends_at: datetime
    window_open: bool
    currency: str
    decided: int
    messages: Mapping[str, int]
    reasons: Mapping[str, int]
    arms: Mapping[str, ArmOutcome]
    incremental_orders: Difference | NotEnoughData
    incremental_revenue_cents: Difference | NotEnoughData
    coupons_used: int
    coupon_cost_cents: int
    sample_ratio: SampleRatio | None

    def as_json(self) -> dict[str, object]:
        """Return it for scripts."""
        return {
            "run_id": self.run_id,
            "decided_at": self.decided_at,
            "window_ends_at": self.window_ends_at,
            "window_open": self.window_open,
            "currency": self.currency,
            "decided": self.decided,
            "treated": self.arms[Arm.TREATED.value].customers,
            "held_out": {
                "global": self.arms[Arm.HELD_GLOBAL.value].customers,
                "campaign": self.arms[Arm.HELD_CAMPAIGN.value].customers,
            },
            "messages": dict(self.messages),
            "reasons": dict(self.reasons),
            "arms": {arm: asdict(outcome) for arm, outcome in self.arms.items()},
            "incremental_orders": _difference_json(self.incremental_orders),
            "incremental_revenue_cents": _difference_json(self.incremental_revenue_cents),
            "coupons_used": self.coupons_used,
            "coupon_cost_cents": self.coupon_cost_cents,
            "sample_ratio": asdict(self.sample_ratio) if self.sample_ratio else None,
        }


def report_on(session: Session, campaign_id: str, orders: pl.LazyFrame, *, now: datetime) -> list[RunReport]:
    """Return a report per run, oldest first; `orders` (schema ORDERS) is history as known now.

    Orders count when delivered and placed in (decided_at, decided_at + attribution_days], for all arms alike; one that
    was cancelled or refunded since does not. Raises NotFound when the campaign was never planned.
    """
    campaign_of(session, campaign_id)
    runs = session.scalars(select(RunRow).where(RunRow.campaign_id == campaign_id).order_by(RunRow.id)).all()
    return [_report(session, run, orders, now) for run in runs]


def _report(session: Session, run: RunRow, orders: pl.LazyFrame, now: datetime) -> RunReport:
    definition = parse(run.definition, currency=run.currency)
    ends = run.decided_at + timedelta(days=definition.attribution_days)
    people = _outcomes(session, run, orders, ends)
    used, cost = _coupon_cost(session, run, orders, ends)
    messages, reasons = message_counts(session, run.id, now)
    arms = {arm.value: _arm(people.filter(pl.col("arm") == arm.value)) for arm in Arm}
    missing = _not_enough(definition, run, orders)
    return RunReport(
        run_id=run.id,
        decided_at=run.decided_at,
        window_ends_at=ends,
        window_open=now < ends,
        currency=run.currency,
        decided=people.height,
        messages=messages,
        reasons=reasons,
        arms=arms,
        incremental_orders=missing or _compare(people, "orders", "orders_before"),
        incremental_revenue_cents=missing or _compare(people, "revenue_cents", "revenue_before_cents"),
        coupons_used=used,
        coupon_cost_cents=cost,
        sample_ratio=sample_ratio(
            arms[Arm.TREATED.value].customers,
            arms[Arm.HELD_CAMPAIGN.value].customers,
            expected_held_share=definition.holdout,
        ),
    )


def _outcomes(session: Session, run: RunRow, orders: pl.LazyFrame, ends: datetime) -> pl.DataFrame:
    """Return one row per decided customer: arm, figures before, and orders and revenue_cents in the window."""
    rows = session.execute(
        select(
            DecisionRow.customer_id, DecisionRow.arm, DecisionRow.orders_before, DecisionRow.revenue_before_cents
        ).where(DecisionRow.run_id == run.id)
    ).all()
    people = pl.DataFrame([tuple(row) for row in rows], schema=DECISIONS, orient="row")
    within = _in_window(orders, run, ends).join(people.lazy().select("customer_id"), on="customer_id", how="semi")
    done = within.group_by("customer_id").agg(
        pl.len().cast(pl.Int64).alias("orders"), pl.col("order_cents").sum().alias("revenue_cents")
    )
    return (
        people.lazy()
        .join(done, on="customer_id", how="left")
        .with_columns(pl.exclude("customer_id", "arm").fill_null(0))
        .collect()
    )


def _in_window(orders: pl.LazyFrame, run: RunRow, ends: datetime) -> pl.LazyFrame:
    return orders.filter(
        (pl.col("status") == "delivered") & (pl.col("ordered_at") > run.decided_at) & (pl.col("ordered_at") <= ends)
    )


def _coupon_cost(session: Session, run: RunRow, orders: pl.LazyFrame, ends: datetime) -> tuple[int, int]:
    """Return how many orders used a coupon of the run and what it took off; orders name the code or the offer."""
    rows = session.execute(
        select(CouponRow.customer_id, CouponRow.code, CouponRow.offer_id).where(CouponRow.run_id == run.id)
    ).all()
    if not rows:
        return 0, 0
    held = pl.DataFrame([tuple(row) for row in rows], schema=["customer_id", "code", "offer"], orient="row")
    used = (
        _in_window(orders, run, ends)
        .join(held.lazy(), on="customer_id")
        .filter((pl.col("offer_id") == pl.col("code")) | (pl.col("offer_id") == pl.col("offer")))
        .select(pl.len().alias("orders"), pl.col("discount_cents").sum().alias("cents"))
        .collect()
    )
    return int(used["orders"][0]), int(used["cents"][0])


def _arm(people: pl.DataFrame) -> ArmOutcome:
    n = people.height
    orders, revenue = int(people["orders"].sum()), int(people["revenue_cents"].sum())
    return ArmOutcome(
        customers=n,
        orders=orders,
        revenue_cents=revenue,
        orders_per_customer=orders / n if n else None,
        revenue_per_customer_cents=revenue / n if n else None,
    )


def _not_enough(definition: Definition, run: RunRow, orders: pl.LazyFrame) -> NotEnoughData | None:
    if definition.holdout == 0:
        return NotEnoughData("not enough data: holdout is 0, so nobody was left alone to compare with")
    last = orders.select(pl.col("ordered_at").max()).collect()["ordered_at"][0]
    if last is None or last <= run.decided_at:
        until = f"{last:%Y-%m-%d %H:%M} UTC" if last else "nowhere"
        return NotEnoughData(
            f"not enough data: order history ends {until}, before the window begins; import newer orders"
        )
    return None


def _compare(people: pl.DataFrame, outcome: str, before: str) -> Difference | NotEnoughData:
    treated = people.filter(pl.col("arm") == Arm.TREATED.value)
    held = people.filter(pl.col("arm") == Arm.HELD_CAMPAIGN.value)
    return compare_arms(
        _floats(treated, outcome),
        _floats(held, outcome),
        treated_before=_floats(treated, before),
        held_out_before=_floats(held, before),
    )


def _floats(frame: pl.DataFrame, column: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return frame[column].to_numpy().astype(np.float64)


def _difference_json(found: Difference | NotEnoughData) -> dict[str, object]:
    if isinstance(found, NotEnoughData):
        return {"enough": False, "reason": found.reason}
    return {"enough": True, **asdict(found), "total": found.estimate * found.treated}
