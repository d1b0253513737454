"""How a command reads the home and its database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy.orm import Session

from engine.customers.moment import read_moment
from engine.database.session import connect, transaction
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


def moment_of(text: str | None, zone: str) -> datetime | None:
    """Return the end of a date, or an instant, as `--as-of` reads them; None without a text."""
    return None if text is None else read_moment(text, zone, where="--at").at
