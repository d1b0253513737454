"""Campaigns, their plans, runs and decisions, the outbox and the coupons."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine.database.types import BIG_KEY, Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, parents first."""
    _create_definitions()
    _create_decisions()
    _create_outbox()


def downgrade() -> None:
    """Drop them again, children first."""
    for table in ("coupons", "messages", "decisions", "runs", "plans", "campaigns"):
        op.drop_table(table)


def _create_definitions() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
    )
    op.create_table(
        "plans",
        sa.Column("id", BIG_KEY, primary_key=True, autoincrement=True),
        sa.Column("campaign_id", sa.String(80), sa.ForeignKey("campaigns.id"), nullable=False),
        sa.Column("definition_hash", sa.String(64), nullable=False),
        sa.Column("plan_hash", sa.String(64), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("planned_at", Instant(), nullable=False),
        sa.Column("as_of", Instant(), nullable=False),
        sa.Column("as_of_given", sa.Boolean(), nullable=False),
        sa.Column("audience", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_plans_campaign", "plans", ["campaign_id", "id"])
    op.create_table(
        "runs",
        sa.Column("id", BIG_KEY, primary_key=True, autoincrement=True),
        sa.Column("campaign_id", sa.String(80), sa.ForeignKey("campaigns.id"), nullable=False),
        sa.Column("plan_id", BIG_KEY, sa.ForeignKey("plans.id"), nullable=False, unique=True),
        sa.Column("plan_hash", sa.String(64), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("launched_at", Instant(), nullable=False),
        sa.Column("decided_at", Instant(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("pause_reason", sa.String(400), nullable=True),
        sa.Column("error_threshold", sa.Float(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
    )
    op.create_index("ix_runs_campaign", "runs", ["campaign_id", "id"])


def _create_decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", BIG_KEY, primary_key=True, autoincrement=True),
        sa.Column("campaign_id", sa.String(80), nullable=False),
        sa.Column("run_id", BIG_KEY, sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("step", sa.String(80), nullable=False),
        sa.Column("customer_id", sa.String(200), nullable=False),
        sa.Column("arm", sa.String(20), nullable=False),
        sa.Column("decided_at", Instant(), nullable=False),
        sa.Column("would_send_at", Instant(), nullable=False),
        sa.Column("orders_before", sa.Integer(), nullable=False),
        sa.Column("revenue_before_cents", sa.BigInteger(), nullable=True),
        sa.UniqueConstraint("campaign_id", "run_id", "step", "customer_id", name="uq_decisions"),
    )
    op.create_index("ix_decisions_customer", "decisions", ["customer_id", "campaign_id"])


def _create_outbox() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("campaign_id", sa.String(80), nullable=False),
        sa.Column("run_id", BIG_KEY, sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("step", sa.String(80), nullable=False),
        sa.Column("customer_id", sa.String(200), nullable=False),
        sa.Column("channel", sa.String(40), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("consent", sa.String(20), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("latest_send_at", Instant(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(400), nullable=True),
        sa.Column("lease_until", Instant(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.UniqueConstraint("campaign_id", "run_id", "step", "customer_id", name="uq_messages"),
    )
    # Finished messages pile up for ever; only the queued ones are ever looked for by time.
    op.create_index(
        "ix_messages_queued",
        "messages",
        ["due_at"],
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index("ix_messages_run", "messages", ["run_id", "state"])
    op.create_index("ix_messages_customer", "messages", ["customer_id"])
    op.create_table(
        "coupons",
        sa.Column("code", sa.String(20), primary_key=True),
        sa.Column("campaign_id", sa.String(80), nullable=False),
        sa.Column("run_id", BIG_KEY, sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("message_id", sa.String(40), sa.ForeignKey("messages.id"), nullable=False, unique=True),
        sa.Column("customer_id", sa.String(200), nullable=False),
        sa.Column("offer_id", sa.String(200), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("issued_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
    )
    op.create_index("ix_coupons_customer", "coupons", ["customer_id", "state"])
    op.create_index("ix_coupons_run", "coupons", ["run_id"])
