"""What a campaign earned: treated customers against those it left alone, by intention to treat.

The comparison is with the campaign's OWN holdout. Those held out globally are shown beside it but are no fair
measure of one campaign: they are left alone by all campaigns, while both other groups may be reached by the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.definition.campaign import parse
from campaigns.results.outcomes import RunOutcomes, days_over, outcomes_of
from campaigns.rows import CouponRow, RunRow
from campaigns.runs.proof import ProofPlan, from_text
from campaigns.runs.status import campaign_of, message_counts
from engine.experiments.assignment import Arm
from engine.experiments.group_sequential import Look, looks_at
from engine.experiments.statistics import Difference, NotEnoughData, SampleRatio, sample_ratio


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

    `incremental_orders` and `incremental_revenue_cents` are per treated customer, at the newest of the `looks`: one per
    whole day of the window, by metric. `plan` is what they follow. `coupon_cost_cents` is what orders of
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
    looks: Mapping[str, tuple[Look, ...]]
    plan: ProofPlan
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
            "looks": {metric: [asdict(look) for look in looks] for metric, looks in self.looks.items()},
            "plan": self.plan.as_json(),
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
    plan = from_text(run.proof_plan, definition)
    outcomes = outcomes_of(session, run.id, orders, window_days=plan.days)
    starts = _last_start(outcomes, run)
    ends = starts + timedelta(days=plan.days)
    used, cost = _coupon_cost(session, run, orders, starts, ends)
    messages, reasons = message_counts(session, run.id, now)
    arms = {arm.value: _arm(outcomes.of_arms(arm)) for arm in Arm}
    days = days_over(starts, now, window_days=plan.days)
    missing = _not_enough(plan, outcomes, orders, starts, days)
    looks = {metric: () if missing else _looks(outcomes, metric, plan, days, run.id) for metric in plan.metrics}
    return RunReport(
        run_id=run.id,
        decided_at=run.decided_at,
        window_ends_at=ends,
        window_open=now < ends,
        currency=run.currency,
        decided=outcomes.people.height,
        messages=messages,
        reasons=reasons,
        arms=arms,
        incremental_orders=missing or _difference(looks["orders"][-1], arms, plan),
        incremental_revenue_cents=missing or _difference(looks["revenue_cents"][-1], arms, plan),
        looks=looks,
        plan=plan,
        coupons_used=used,
        coupon_cost_cents=cost,
        sample_ratio=sample_ratio(
            arms[Arm.TREATED.value].customers,
            arms[Arm.HELD_CAMPAIGN.value].customers,
            expected_held_share=plan.holdout,
        ),
    )


def _last_start(outcomes: RunOutcomes, run: RunRow) -> datetime:
    """Return the latest instant a customer's window began: a day of the run is over when it is over for everybody."""
    latest = outcomes.people["starts_at"].max()
    return latest if isinstance(latest, datetime) else run.launched_at


def _looks(outcomes: RunOutcomes, metric: str, plan: ProofPlan, days: int, seed: int) -> tuple[Look, ...]:
    people = outcomes.of_arms(Arm.TREATED, Arm.HELD_CAMPAIGN)
    return looks_at(
        outcomes.cumulative(people, metric, days),
        (people["arm"] == Arm.HELD_CAMPAIGN.value).to_numpy(),
        days=plan.days,
        before=people.select(plan.covariates).to_numpy().astype(float),
        seed=seed,
        redraws=plan.redraws,
        level=plan.level,
    )


def _difference(look: Look, arms: Mapping[str, ArmOutcome], plan: ProofPlan) -> Difference | NotEnoughData:
    if look.estimate is None or look.low is None or look.high is None or look.variance_kept is None:
        return NotEnoughData(
            f"not enough data: each arm needs at least {plan.fewest_with_outcome} customers with an order in the window"
        )
    treated, held_out = (arms[arm.value].customers for arm in (Arm.TREATED, Arm.HELD_CAMPAIGN))
    return Difference(look.estimate, look.low, look.high, treated, held_out, look.variance_kept)


def _coupon_cost(
    session: Session, run: RunRow, orders: pl.LazyFrame, starts: datetime, ends: datetime
) -> tuple[int, int]:
    """Return how many orders used a coupon of the run and what it took off; orders name the code or the offer."""
    rows = session.execute(
        select(CouponRow.customer_id, CouponRow.code, CouponRow.offer_id).where(CouponRow.run_id == run.id)
    ).all()
    if not rows:
        return 0, 0
    held = pl.DataFrame([tuple(row) for row in rows], schema=["customer_id", "code", "offer"], orient="row")
    used = (
        orders.filter(
            (pl.col("status") == "delivered") & (pl.col("ordered_at") > starts) & (pl.col("ordered_at") <= ends)
        )
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


def _not_enough(
    plan: ProofPlan, outcomes: RunOutcomes, orders: pl.LazyFrame, starts: datetime, days: int
) -> NotEnoughData | None:
    if plan.holdout == 0:
        return NotEnoughData("not enough data: holdout is 0, so nobody was left alone to compare with")
    for arm, name in ((Arm.TREATED, "treated"), (Arm.HELD_CAMPAIGN, "held-out")):
        if outcomes.of_arms(arm).is_empty():
            return NotEnoughData(f"not enough data: no {name} customers")
    last = orders.select(pl.col("ordered_at").max()).collect()["ordered_at"][0]
    if last is None or last <= starts:
        until = f"{last:%Y-%m-%d %H:%M} UTC" if last else "nowhere"
        return NotEnoughData(
            f"not enough data: order history ends {until}, before the window begins; import newer orders"
        )
    if days == 0:
        return NotEnoughData("not enough data: the first day of the window is not over")
    return None


def _difference_json(found: Difference | NotEnoughData) -> dict[str, object]:
    if isinstance(found, NotEnoughData):
        return {"enough": False, "reason": found.reason}
    return {"enough": True, **asdict(found), "total": found.estimate * found.treated}
