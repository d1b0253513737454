"""How a command reads the home and its database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from engine.database.session import connect, transaction
from engine.errors import InputError
from engine.history.compaction import compact_inbox
from engine.settings import Settings


@contextmanager
def campaign_session(settings: Settings, *, fresh: bool = False) -> Iterator[Session]:
    """One transaction; `fresh` first moves orders told by event into history, so that who ordered today counts."""
    database = connect(settings)
    try:
        if fresh:
            compact_inbox(database, settings)
        with transaction(database) as session:
            yield session
    finally:
        database.dispose()


def instant_of(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text!r} is no instant such as 2026-03-01T00:00:00Z", where="--at") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
