"""Launch a planned campaign: run, decisions, coupons and messages in one transaction.

What is launched is what the plan showed. A launch decides the customers of the stored plan who are eligible still, and
never anyone else; those who stopped being eligible since are left out and counted, and when they are more than the
definition's `audience_drift` the launch refuses. A plan is good for 24 hours and for one launch.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
import polars as pl
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from campaigns.definition.campaign import Definition
from campaigns.eligibility.audience import NOT_IN_SEGMENT, Audience
from campaigns.eligibility.exits import exits_on_order
from campaigns.rewards.coupons import ISSUED, code_key, draw_code, terms_json
from campaigns.rows import CampaignRow, CouponRow, DecisionRow, MessageRow, PlanRow, RunRow
from campaigns.runs.data import CampaignData
from campaigns.runs.plan import audience_at, offer_of, planned_ids
from campaigns.runs.proof import plan_of, to_text
from campaigns.runs.render import Renderer
from engine.database import audit
from engine.errors import Conflict
from engine.experiments.assignment import GLOBAL_HOLDOUT, Arm
from engine.offers.offer import Offer

PLAN_GOOD_FOR = timedelta(hours=24)
ROWS_PER_INSERT = 5_000

RowValues = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """What a launch did; `left_since_plan` counts by reason whom the plan showed and the launch left out."""

    campaign: str
    run_id: int
    plan_hash: str
    decisions: int
    treated: int
    held_out: Mapping[str, int]
    left_since_plan: Mapping[str, int]
    messages: int
    coupons: int

    def as_json(self) -> dict[str, object]:
        """Return it for scripts."""
        return {
            "campaign": self.campaign,
            "run_id": self.run_id,
            "plan_hash": self.plan_hash,
            "decisions": self.decisions,
            "treated": self.treated,
            "held_out": dict(self.held_out),
            "left_since_plan": dict(self.left_since_plan),
            "messages": self.messages,
            "coupons": self.coupons,
        }


def launch(
    session: Session,
    definition: Definition,
    data: CampaignData,
    *,
    now: datetime,
    actor: str,
    plan_hash: str | None = None,
    global_holdout: float = GLOBAL_HOLDOUT,
) -> Launched:
    """Launch the plan `plan_hash`, or the newest of exactly this definition, in the caller's transaction.

    Raises Conflict, saying what to do, when there is no such plan, or it is too old, launched or drifted.
    """
    # Launches of one campaign wait for each other, so that no customer is decided twice.
    session.scalar(select(CampaignRow.id).where(CampaignRow.id == definition.id).with_for_update())
    _refuse_other_currency(definition, data)
    plan = _plan_to_launch(session, definition, now, plan_hash)
    at = plan.as_of if plan.as_of_given else now
    audience = audience_at(session, definition, data, at, global_holdout=global_holdout, exact=plan.as_of_given)
    people, left = _still_eligible(definition, plan, audience)
    offer = offer_of(definition, data, now)
    run = RunRow(
        campaign_id=definition.id,
        plan_id=plan.id,
        plan_hash=plan.plan_hash,
        definition=definition.source,
        currency=definition.currency,
        launched_at=now,
        decided_at=at,
        state="running",
        pause_reason=None,
        error_threshold=definition.error_threshold,
        sent=0,
        failed=0,
        proof_plan=to_text(plan_of(definition)),
        exit_on_order=exits_on_order(definition),
    )
    session.add(run)
    session.flush()
    _write_decisions(session, definition, run, people, now)
    treated = people.filter(pl.col("arm") == Arm.TREATED.value)
    _write_messages(session, definition, data, offer, run, treated)
    if session.get_bind().dialect.name == "postgresql":
        # Without fresh statistics PostgreSQL expects an empty outbox and sorts all of it at every claim.
        session.execute(text("ANALYZE messages, coupons, decisions, runs"))
    arms = Counter(people["arm"])
    launched = Launched(
        campaign=definition.id,
        run_id=run.id,
        plan_hash=plan.plan_hash,
        decisions=people.height,
        treated=treated.height,
        held_out={"global": arms[Arm.HELD_GLOBAL.value], "campaign": arms[Arm.HELD_CAMPAIGN.value]},
        left_since_plan=left,
        messages=treated.height,
        coupons=treated.height if offer else 0,
    )
    audit.record(session, now, actor=actor, action="campaign.launch", target=definition.id, detail=launched.as_json())
    return launched


def _refuse_other_currency(definition: Definition, data: CampaignData) -> None:
    """Raise Conflict where most orders are in another currency than the home's: "$5 off" to who pays in yuan."""
    named = pl.col("currency")
    counts = data.orders.select(named).drop_nulls().group_by(named).len().sort("len", "currency", descending=True)
    most = counts.head(1).collect()["currency"]
    if len(most) and most[0] != data.currency:
        raise Conflict(
            f"most orders are in {most[0]} but this home counts in {data.currency}; set REGULARS_CURRENCY={most[0]}, "
            "look at the definition's amounts, plan and launch again",
            where=f"campaign {definition.id}",
        )


def _plan_to_launch(session: Session, definition: Definition, now: datetime, plan_hash: str | None) -> PlanRow:
    where = f"campaign {definition.id}"
    again = f"run `regulars campaigns plan {definition.id}` and look at it, then launch"
    plans = select(PlanRow).where(PlanRow.campaign_id == definition.id).order_by(PlanRow.id.desc()).limit(1)
    if plan_hash is not None:
        plan = session.scalar(plans.where(PlanRow.plan_hash == plan_hash))
        if plan is None:
            raise Conflict(f"there is no plan {plan_hash!r}; {again}", where=where)
        if plan.definition_hash != definition.hash:
            raise Conflict(f"the definition changed since that plan; {again}", where=where)
    else:
        plan = session.scalar(plans.where(PlanRow.definition_hash == definition.hash))
        if plan is None:
            changed = session.scalar(plans) is not None
            why = "the definition changed since it was planned" if changed else "it was never planned"
            raise Conflict(f"{why}; {again}", where=where)
    run_id = session.scalar(select(RunRow.id).where(RunRow.plan_id == plan.id))
    if run_id is not None:
        raise Conflict(f"this plan was launched already, as run {run_id}; {again}", where=where)
    if now - plan.planned_at > PLAN_GOOD_FOR:
        raise Conflict(f"the plan is older than 24 hours; {again}", where=where)
    return plan


def _still_eligible(definition: Definition, plan: PlanRow, audience: Audience) -> tuple[pl.DataFrame, dict[str, int]]:
    planned = planned_ids(plan)
    now_eligible = set(audience.eligible["customer_id"])
    gone = planned - now_eligible
    left = Counter(audience.reasons.get(each, NOT_IN_SEGMENT) for each in gone)
    if planned and len(gone) / len(planned) > definition.audience_drift:
        raise Conflict(
            f"{len(gone)} of the {len(planned)} planned customers are no longer eligible ({_counted(left)}), more than "
            f"audience_drift {definition.audience_drift:g} allows; plan again",
            where=f"campaign {definition.id}",
        )
    kept = [each in planned for each in audience.eligible["customer_id"]]
    return audience.eligible.filter(pl.Series(kept, dtype=pl.Boolean)), dict(sorted(left.items()))


def _write_decisions(
    session: Session, definition: Definition, run: RunRow, people: pl.DataFrame, now: datetime
) -> None:
    shared: RowValues = {
        "campaign_id": definition.id,
        "run_id": run.id,
        "step": definition.step,
        "decided_at": run.decided_at,
        "would_send_at": now,
    }
    columns = people.select("customer_id", "arm", "orders", "revenue_cents")
    rows = (
        {**shared, "customer_id": who, "arm": arm, "orders_before": orders, "revenue_before_cents": revenue}
        for who, arm, orders, revenue in columns.iter_rows()
    )
    _insert(session, DecisionRow, rows)


def _write_messages(
    session: Session,
    definition: Definition,
    data: CampaignData,
    offer: Offer | None,
    run: RunRow,
    treated: pl.DataFrame,
) -> None:
    renderer = Renderer(definition, data, offer, run.launched_at)
    key = code_key(data.seal)
    terms = terms_json(offer) if offer else ""
    shared: RowValues = {"campaign_id": definition.id, "run_id": run.id}
    messages: list[RowValues] = []
    coupons: list[RowValues] = []
    for person in renderer.recipients(treated, as_of=run.decided_at):
        customer_id = person.customer_id
        message_id = message_id_of(run, definition.step, customer_id)
        code = draw_code(key, message_id)
        rendered = renderer.render(person, code=code)
        content = {"title": rendered.title, "body": rendered.body, "coupon_code": code if offer else None}
        messages.append(
            {
                **shared,
                "id": message_id,
                "step": definition.step,
                "customer_id": customer_id,
                "channel": definition.channel,
                "language": rendered.language,
                "consent": definition.consent,
                "body": data.seal.seal(orjson.dumps(content).decode()),
                "due_at": run.launched_at,
                "latest_send_at": run.launched_at + timedelta(hours=definition.latest_send_hours),
                "state": "queued",
                "reason": None,
                "lease_until": run.launched_at - timedelta(seconds=1),
                "attempts": 0,
                "finished_at": None,
            }
        )
        if offer:
            coupons.append(
                {
                    **shared,
                    "code": code,
                    "message_id": message_id,
                    "customer_id": customer_id,
                    "offer_id": offer.offer_id,
                    "terms": terms,
                    "state": ISSUED,
                    "issued_at": run.launched_at,
                    "expires_at": rendered.expires_at,
                }
            )
        if len(messages) >= ROWS_PER_INSERT:
            _insert(session, MessageRow, messages)
            _insert(session, CouponRow, coupons)
            messages, coupons = [], []
    _insert(session, MessageRow, messages)
    _insert(session, CouponRow, coupons)


def message_id_of(run: RunRow, step: str, customer_id: str) -> str:
    """Return the id of one customer's message, the same for the same run, step and customer.

    It holds the launch instant, so that a new database never repeats an id a provider has seen.
    """
    identity = f"{run.campaign_id}\n{run.id}\n{run.launched_at.isoformat()}\n{step}\n{customer_id}"
    return f"msg_{hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()}"


def _insert(session: Session, row: type[DecisionRow | MessageRow | CouponRow], values: Iterable[RowValues]) -> None:
    batch: list[RowValues] = []
    for each in values:
        batch.append(each)
        if len(batch) >= ROWS_PER_INSERT:
            session.execute(insert(row), batch)
            batch = []
    if batch:
        session.execute(insert(row), batch)


def _counted(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in sorted(reasons.items()))
