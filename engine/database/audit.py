"""Who changed what, when: one row per authorised write, in the same transaction as the write itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import orjson
from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.database.session import Base
from engine.database.types import BIG_KEY, Instant


class AuditRow(Base):
    """One authorised write."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(BIG_KEY, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(Instant())
    actor: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(80))
    target: Mapped[str] = mapped_column(String(200))
    detail: Mapped[str] = mapped_column(Text())


def record(
    session: Session,
    now: datetime,
    *,
    actor: str,
    action: str,
    target: str,
    detail: Mapping[str, object] | None = None,
) -> None:
    """Add an audit row to the caller's transaction; `actor` is `cli:<user>` or `key:<id>`, never a secret."""
    session.add(
        AuditRow(
            at=now,
            actor=actor,
            action=action,
            target=target,
            detail=orjson.dumps(dict(detail or {})).decode(),
        )
    )
