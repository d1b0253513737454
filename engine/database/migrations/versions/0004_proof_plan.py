"""How a launch will be judged stands with its run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; runs launched before have none, and are judged by their definition."""
    op.add_column("runs", sa.Column("proof_plan", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("runs", "proof_plan")
