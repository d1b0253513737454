"""A message may be in any language: its tag needs more room than eight letters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
BEFORE, AFTER = sa.String(8), sa.String(35)


def upgrade() -> None:
    """Widen the column; SQLite keeps text of any length under any declared one."""
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("messages", "language", existing_type=BEFORE, type_=AFTER, existing_nullable=False)


def downgrade() -> None:
    """Narrow it; tags that do not fit are cut to the language they begin with."""
    op.execute("UPDATE messages SET language = substr(language, 1, 2) WHERE length(language) > 8")
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("messages", "language", existing_type=AFTER, type_=BEFORE, existing_nullable=False)
