"""What the ordering app tells us: event types, and the durable inbox that keeps each exactly once.

The inbox is the truth; the online store (`engine.events.online.store`) caches it and
history (`engine.history.compaction`) archives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import orjson
from sqlalchemy import String, Table, Text, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.database.session import Base
from engine.database.types import BIG_KEY, Instant

# One lock for all writers of the inbox: see `store`.
INBOX_LOCK = 727_275
PAGE = 5_000
# What an order's status says when it is not to count.
UNDOING = frozenset({"cancelled", "rejected", "refunded"})


@dataclass(frozen=True, slots=True)
class EventType:
    """One type: what it means and which properties it takes (name: meaning)."""

    about: str
    needs: Mapping[str, str]
    takes: Mapping[str, str]


ITEM = {"item_id": "The dish."}
# Kinds of survey answers, with their lowest and highest score.
SURVEYS: Mapping[str, tuple[int, int]] = {"nps": (0, 10), "csat": (1, 5)}
ABOUT_WHAT = {
    "order_id": "The order it is about; tells its vendor and dishes too.",
    "vendor_id": "The vendor it is about.",
    "item_id": "The dish it is about.",
}
EVENT_TYPES: Mapping[str, EventType] = {
    "order": EventType(
        "An order was placed. Changes the next recommendation, and history at the next training.",
        {"order_id": "Unique over all orders.", "items": "List of {item_id, quantity, unit_price_cents}."},
        {
            "order_cents": "What she pays, minor units; missing means the sum of lines less discount plus fee.",
            "discount_cents": "Taken off by offers.",
            "delivery_fee_cents": "Charged for delivery.",
            "currency": "ISO 4217; missing means the configured one.",
            "vendor_id": "Who cooks.",
            "zone": "Where it goes.",
            "latitude": "Degrees north.",
            "longitude": "Degrees east.",
            "status": "placed, delivered, cancelled, rejected or refunded; missing means delivered.",
            "channel": "app, web, phone, counter.",
            "payment_method": "How it is paid.",
            "offer_id": "Offer used.",
        },
    ),
    "order_status": EventType(
        "An order's status changed; cancelled, rejected and refunded orders stop counting.",
        {"order_id": "The order.", "status": "Its new status."},
        {},
    ),
    "view": EventType("She looked at a dish.", ITEM, {}),
    "click": EventType("She tapped a dish. Says more than a look, less than the cart.", ITEM, {}),
    "cart": EventType("She put a dish into the cart.", ITEM, {}),
    "impression": EventType(
        "A dish was shown to her in a list. With its propensity, other lists can be judged by what she ordered then.",
        {**ITEM, "request_id": "The list's request.", "slot": "The dish's place in the list; 0 is the top."},
        {
            "propensity": "Probability of this dish in this slot, given the slots above; as the answer told it.",
            "source": "Which list it was, such as dishes, similar or addons.",
            "model_version": "The version that made the list.",
        },
    ),
    "rating": EventType(
        "She rated an order, or one dish of it. A dish rated 2 or below goes to the end of her lists.",
        {"order_id": "The order.", "rating": "1 to 5."},
        {"item_id": "The dish it is about; missing means the whole order."},
    ),
    "survey": EventType(
        "She answered a survey. Counts in the customer table, and for the vendor and dishes it is about.",
        {
            "kind": "nps (would she recommend us) or csat (how content was she).",
            "score": "A whole number: 0 to 10 for nps, 1 to 5 for csat.",
        },
        ABOUT_WHAT,
    ),
    "complaint": EventType(
        "She complained. She is unhappy from then on, until a better rating or answer.",
        {"reason": "What is wrong, up to 200 characters."},
        ABOUT_WHAT,
    ),
    "not_interested": EventType("She does not want to see this dish; it is hidden for 90 days.", ITEM, {}),
    "consent": EventType(
        "She agreed to, or refused, marketing messages.",
        {"granted": "true or false."},
        {"channel": "push, sms, email; missing means any.", "purpose": "Missing means marketing."},
    ),
}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing a customer did. `seq` is its place in the inbox; 0 before it is stored."""

    event_id: str
    type: str
    customer_id: str
    at: datetime
    properties: Mapping[str, object]
    seq: int = 0


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
    """How far a reader of the inbox has come."""

    __tablename__ = "watermarks"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    seq: Mapped[int] = mapped_column(BIG_KEY)


def store(session: Session, events: Sequence[Event], received_at: datetime) -> list[Event]:
    """Add events to the caller's transaction; return the new ones with their `seq`, in the order given.

    An event_id that the inbox, or an earlier event of the batch, already has is skipped: the first teller is believed.
    """
    if not events:
        return []
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    if dialect == "postgresql":
        # Numbers are drawn before the commit: without the lock a reader could see 6, note it, and miss a late 5.
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


def watermark(session: Session, name: str) -> int:
    """Return how far reader `name` has come; 0 before it read anything."""
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
