"""What customers reported besides orders, from the inbox: survey answers and complaints."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from itertools import islice

import polars as pl
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from engine.customers.behaviour.satisfaction import FEEDBACK
from engine.database.session import transaction
from engine.events.event import Event
from engine.events.inbox import EventRow, read_after

# An engine, or whatever opens a unit of work or lends the one that is open (a second one would wait for the first).
Inbox = Engine | Callable[[], AbstractContextManager[Session]]

FEEDBACK_TYPES = ("survey", "complaint")
FEEDBACK_BATCH = 20_000


def read_feedback(database: Inbox | None) -> pl.DataFrame:
    """Return every survey answer and complaint (schema FEEDBACK) in the order received; none without a database."""
    if database is None:
        return pl.DataFrame(schema=FEEDBACK)
    frames = [pl.DataFrame(schema=FEEDBACK)]
    seq, full = 0, True
    while full:
        # One transaction a batch: a long read must not hold up the app's events.
        with _opened(database) as session:
            events = list(islice(read_after(session, seq, types=FEEDBACK_TYPES), FEEDBACK_BATCH))
        frames.append(pl.DataFrame([_row(event) for event in events], schema=FEEDBACK, orient="row"))
        full = len(events) == FEEDBACK_BATCH
        seq = events[-1].seq if events else seq
    return pl.concat(frames)


def newest_feedback(database: Inbox | None) -> datetime | None:
    """Return the instant of the newest survey answer or complaint; None where there is none."""
    if database is None:
        return None
    with _opened(database) as session:
        return session.scalar(select(func.max(EventRow.at)).where(EventRow.type.in_(FEEDBACK_TYPES)))


def feedback_received_since(database: Inbox, at: datetime) -> bool:
    """Return whether any survey answer or complaint was received at or after `at`."""
    query = select(EventRow.seq).where(EventRow.type.in_(FEEDBACK_TYPES), EventRow.received_at >= at).limit(1)
    with _opened(database) as session:
        return session.scalar(query) is not None


def _opened(database: Inbox) -> AbstractContextManager[Session]:
    return transaction(database) if isinstance(database, Engine) else database()


def _row(event: Event) -> tuple[object, ...]:
    properties = event.properties
    score = properties.get("score")
    return (
        event.customer_id,
        event.at,
        properties["kind"] if event.type == "survey" else "complaint",
        float(score) if isinstance(score, int | float) else None,
        *(properties.get(name) for name in ("order_id", "vendor_id", "item_id")),
    )
