"""The durable inbox, which stores every event exactly once, in an order that every reader can rely on.

The inbox is the source of truth; the online store (`engine.events.online`) caches it and history
(`engine.history.compaction`) archives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import cast

import orjson
from sqlalchemy import String, Table, Text, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.database.session import Base
from engine.database.types import BIG_KEY, Instant
from engine.events.event import Event

# The advisory lock of all writers of the inbox: see `store`.
INBOX_LOCK = 727_275
PAGE = 5_000
LOOKUP_BATCH = 500


class EventRow(Base):
    """One event as received; `body` is its properties as JSON."""

    __tablename__ = "events"
    seq: Mapped[int] = mapped_column(BIG_KEY, primary_key=True, autoincrement=True)
    event_id: Mapped[str] = mapped_column(String(200), unique=True)
    type: Mapped[str] = mapped_column(String(40))
    customer_id: Mapped[str] = mapped_column(String(200), index=True)
    at: Mapped[datetime] = mapped_column(Instant())
    received_at: Mapped[datetime] = mapped_column(Instant(), index=True)
    body: Mapped[str] = mapped_column(Text())


class WatermarkRow(Base):
    """The inbox place up to which a reader has read."""

    __tablename__ = "watermarks"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    seq: Mapped[int] = mapped_column(BIG_KEY)


def store(session: Session, events: Sequence[Event], received_at: datetime) -> list[Event]:
    """Add events to the caller's transaction; return the new ones with their `seq`, in the order given.

    An event_id that the inbox, or an earlier event of the batch, already has is skipped: the first one is kept.
    """
    if not events:
        return []
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    if dialect == "postgresql":
        # A row gets its number before the commit: without the lock a reader could pass 6 and miss a 5 committed later.
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": INBOX_LOCK})
    first: dict[str, Event] = {}
    for event in events:
        first.setdefault(event.event_id, event)
    rows = [
        {
            "event_id": event.event_id,
            "type": event.type,
            "customer_id": event.customer_id,
            "at": event.at,
            "received_at": received_at,
            "body": orjson.dumps(dict(event.properties)).decode(),
        }
        for event in first.values()
    ]
    table = cast("Table", EventRow.__table__)
    statement = insert(table).on_conflict_do_nothing(index_elements=["event_id"])
    inserted = session.execute(statement.returning(table.c.event_id, table.c.seq), rows)
    added = {str(row.event_id): int(row.seq) for row in inserted}
    return [
        Event(e.event_id, e.type, e.customer_id, e.at, e.properties, added[e.event_id])
        for e in first.values()
        if e.event_id in added
    ]


def read_after(
    session: Session, seq: int, *, since: datetime | None = None, types: Sequence[str] | None = None
) -> Iterator[Event]:
    """Yield events after place `seq`, in order; `since` skips those received earlier, `types` those of other types."""
    while True:
        query = select(EventRow).where(EventRow.seq > seq).order_by(EventRow.seq).limit(PAGE)
        if since is not None:
            query = query.where(EventRow.received_at >= since)
        if types is not None:
            query = query.where(EventRow.type.in_(types))
        page = list(session.scalars(query))
        for row in page:
            yield Event(row.event_id, row.type, row.customer_id, row.at, orjson.loads(row.body), row.seq)
        if len(page) < PAGE:
            return
        seq = page[-1].seq
        session.expunge_all()


def last_seq(session: Session) -> int:
    """Return the newest place in the inbox; 0 when it is empty."""
    return session.scalar(select(func.max(EventRow.seq))) or 0


def events_of(session: Session, customer_id: str, *, limit: int) -> list[Event]:
    """Return a customer's newest events, newest first."""
    query = select(EventRow).where(EventRow.customer_id == customer_id).order_by(EventRow.seq.desc()).limit(limit)
    return [
        Event(row.event_id, row.type, row.customer_id, row.at, orjson.loads(row.body), row.seq)
        for row in session.scalars(query)
    ]


def events_of_customers(
    session: Session, customer_ids: Sequence[str], *, types: Sequence[str], end: int | None = None
) -> Iterator[Event]:
    """Yield the customers' events of `types` up to place `end`, in inbox order, by the index on customers."""
    for start in range(0, len(customer_ids), LOOKUP_BATCH):
        chosen = customer_ids[start : start + LOOKUP_BATCH]
        query = select(EventRow).where(EventRow.customer_id.in_(chosen), EventRow.type.in_(types))
        if end is not None:
            query = query.where(EventRow.seq <= end)
        for row in session.scalars(query.order_by(EventRow.seq)):
            yield Event(row.event_id, row.type, row.customer_id, row.at, orjson.loads(row.body), row.seq)


def watermark(session: Session, name: str) -> int:
    """Return the inbox place up to which reader `name` has read; 0 before it read anything."""
    row = session.get(WatermarkRow, name)
    return row.seq if row else 0


def move_watermark(session: Session, name: str, seq: int) -> None:
    """Note that reader `name` has read everything up to `seq`; it never moves back."""
    row = session.get(WatermarkRow, name, with_for_update=True)
    if row is None:
        session.add(WatermarkRow(name=name, seq=seq))
    elif seq > row.seq:
        row.seq = seq
    session.flush()
