"""Alembic's entry: runs on the connection that `engine.database.session.migrate` hands over."""

from __future__ import annotations

from alembic import context

from engine.database.session import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
