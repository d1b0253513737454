"""How a launch will be judged, and whether an order ends it for a customer, stand with its run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; runs launched before have none: they are judged, and go on, by their definition."""
    op.add_column("runs", sa.Column("proof_plan", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("exit_on_order", sa.Boolean(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("runs", "exit_on_order")
    op.drop_column("runs", "proof_plan")
