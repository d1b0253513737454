"""The rows of campaigns: what was planned, decided, issued and sent.

    campaigns 1-n plans        a dry run, with the audience it showed
    campaigns 1-n runs         one launch of one plan
    runs 1-n decisions         everyone decided, treated and held out alike
    runs 1-n messages          the outbox: one row per treated customer and step
    messages 1-1 coupons       the right to the offer, where the campaign has one

A message is `queued` until it has an outcome; it is leased while `queued` with `lease_until` ahead.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy import text as sql_text
from sqlalchemy.orm import Mapped, mapped_column

from engine.database.session import Base
from engine.database.types import BIG_KEY, Instant
from engine.language import LONGEST_TAG


class CampaignRow(Base):
    """A campaign that was planned at least once."""

    __tablename__ = "campaigns"
    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(Instant())


class PlanRow(Base):
    """A dry run. `definition` is its JSON; `audience` the eligible ids, compressed; `as_of_given` is true where
    the instant of the data was given instead of taken as now."""

    __tablename__ = "plans"
    id: Mapped[int] = mapped_column(BIG_KEY, primary_key=True, autoincrement=True)
    campaign_id: Mapped[str] = mapped_column(String(80), ForeignKey("campaigns.id"))
    definition_hash: Mapped[str] = mapped_column(String(64))
    plan_hash: Mapped[str] = mapped_column(String(64))
    definition: Mapped[str] = mapped_column(Text())
    planned_at: Mapped[datetime] = mapped_column(Instant())
    as_of: Mapped[datetime] = mapped_column(Instant())
    as_of_given: Mapped[bool] = mapped_column(Boolean())
    audience: Mapped[bytes] = mapped_column(LargeBinary())
    __table_args__ = (Index("ix_plans_campaign", "campaign_id", "id"),)


class RunRow(Base):
    """One launch. `state` is running or paused; `sent` and `failed` count since the start or the last resume.

    `decided_at` is the instant the data was read as of; windows start at each decision's own instant. `proof_plan` is
    how the run will be judged (`campaigns.runs.proof`), None for runs of releases that did not store it.
    With `exit_on_order` nothing is sent to who ordered since the decision; None, of those runs too, is no.
    """

    __tablename__ = "runs"
    id: Mapped[int] = mapped_column(BIG_KEY, primary_key=True, autoincrement=True)
    campaign_id: Mapped[str] = mapped_column(String(80), ForeignKey("campaigns.id"))
    plan_id: Mapped[int] = mapped_column(BIG_KEY, ForeignKey("plans.id"), unique=True)
    plan_hash: Mapped[str] = mapped_column(String(64))
    definition: Mapped[str] = mapped_column(Text())
    currency: Mapped[str] = mapped_column(String(3))
    launched_at: Mapped[datetime] = mapped_column(Instant())
    decided_at: Mapped[datetime] = mapped_column(Instant())
    state: Mapped[str] = mapped_column(String(20))
    pause_reason: Mapped[str | None] = mapped_column(String(400))
    error_threshold: Mapped[float] = mapped_column(Float())
    sent: Mapped[int] = mapped_column(Integer())
    failed: Mapped[int] = mapped_column(Integer())
    proof_plan: Mapped[str | None] = mapped_column(Text())
    exit_on_order: Mapped[bool | None] = mapped_column(Boolean())
    __table_args__ = (Index("ix_runs_campaign", "campaign_id", "id"),)


class DecisionRow(Base):
    """What was decided for one customer; held-out ones have it too, with the instant a message would have been sent."""

    __tablename__ = "decisions"
    id: Mapped[int] = mapped_column(BIG_KEY, primary_key=True, autoincrement=True)
    campaign_id: Mapped[str] = mapped_column(String(80))
    run_id: Mapped[int] = mapped_column(BIG_KEY, ForeignKey("runs.id"))
    step: Mapped[str] = mapped_column(String(80))
    customer_id: Mapped[str] = mapped_column(String(200))
    arm: Mapped[str] = mapped_column(String(20))
    decided_at: Mapped[datetime] = mapped_column(Instant())
    would_send_at: Mapped[datetime] = mapped_column(Instant())
    orders_before: Mapped[int] = mapped_column(Integer())
    revenue_before_cents: Mapped[int | None] = mapped_column(BigInteger())
    __table_args__ = (
        UniqueConstraint("campaign_id", "run_id", "step", "customer_id", name="uq_decisions"),
        Index("ix_decisions_customer", "customer_id", "campaign_id"),
    )


class MessageRow(Base):
    """One message to one treated customer; its id is the idempotency key every channel gets. `body` is sealed JSON."""

    __tablename__ = "messages"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    campaign_id: Mapped[str] = mapped_column(String(80))
    run_id: Mapped[int] = mapped_column(BIG_KEY, ForeignKey("runs.id"))
    step: Mapped[str] = mapped_column(String(80))
    customer_id: Mapped[str] = mapped_column(String(200))
    channel: Mapped[str] = mapped_column(String(40))
    # SQLite keeps text of any length under any declared one, so there the column stays as release 0.1 made it.
    language: Mapped[str] = mapped_column(String(LONGEST_TAG).with_variant(String(8), "sqlite"))
    consent: Mapped[str] = mapped_column(String(20))
    body: Mapped[str] = mapped_column(Text())
    due_at: Mapped[datetime] = mapped_column(Instant())
    latest_send_at: Mapped[datetime] = mapped_column(Instant())
    state: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(String(400))
    lease_until: Mapped[datetime] = mapped_column(Instant())
    attempts: Mapped[int] = mapped_column(Integer())
    finished_at: Mapped[datetime | None] = mapped_column(Instant())
    __table_args__ = (
        UniqueConstraint("campaign_id", "run_id", "step", "customer_id", name="uq_messages"),
        Index(
            "ix_messages_queued",
            "due_at",
            sqlite_where=sql_text("state = 'queued'"),
            postgresql_where=sql_text("state = 'queued'"),
        ),
        Index("ix_messages_run", "run_id", "state"),
        Index("ix_messages_customer", "customer_id"),
    )


class CouponRow(Base):
    """One customer's right to an offer. `terms` is `Offer.to_terms` as JSON; `state` is issued or revoked."""

    __tablename__ = "coupons"
    code: Mapped[str] = mapped_column(String(20), primary_key=True)
    campaign_id: Mapped[str] = mapped_column(String(80))
    run_id: Mapped[int] = mapped_column(BIG_KEY, ForeignKey("runs.id"))
    message_id: Mapped[str] = mapped_column(String(40), ForeignKey("messages.id"), unique=True)
    customer_id: Mapped[str] = mapped_column(String(200))
    offer_id: Mapped[str] = mapped_column(String(200))
    terms: Mapped[str] = mapped_column(Text())
    state: Mapped[str] = mapped_column(String(20))
    issued_at: Mapped[datetime] = mapped_column(Instant())
    expires_at: Mapped[datetime] = mapped_column(Instant())
    __table_args__ = (Index("ix_coupons_customer", "customer_id", "state"), Index("ix_coupons_run", "run_id"))
