"""Who agreed to be sent what: an append-only log, read wherever a message may leave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Literal

from sqlalchemy import Boolean, Index, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.database.session import Base
from engine.database.types import BIG_KEY, Instant
from engine.events.event import Event

ANY_CHANNEL = "any"
# What a consent may be given for one by one.
CONSENT_CHANNELS = frozenset({"push", "sms", "email"})
MARKETING = "marketing"
LOOKUP_BATCH = 500

ConsentRule = Literal["explicit", "not_refused"]
Refusal = Literal["no_consent", "consent_unknown"]


class ConsentRow(Base):
    """One statement of a customer (or of whoever acts for them); rows are never changed or removed but by erasure."""

    __tablename__ = "consents"
    id: Mapped[int] = mapped_column(BIG_KEY, primary_key=True, autoincrement=True)
    customer_id: Mapped[str] = mapped_column(String(200))
    channel: Mapped[str] = mapped_column(String(40))
    purpose: Mapped[str] = mapped_column(String(40))
    granted: Mapped[bool] = mapped_column(Boolean())
    source: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime] = mapped_column(Instant())
    __table_args__ = (Index("ix_consents_customer", "customer_id", "id"),)


def record_consent(
    session: Session,
    now: datetime,
    *,
    customer_id: str,
    granted: bool,
    source: str,
    channel: str = ANY_CHANNEL,
    purpose: str = MARKETING,
) -> None:
    """Add a statement to the caller's transaction; `channel` "any" is for every channel."""
    session.add(
        ConsentRow(customer_id=customer_id, channel=channel, purpose=purpose, granted=granted, source=source, at=now)
    )


def record_consent_events(session: Session, events: Iterable[Event], *, source: str) -> None:
    """Add the statements of all `consent` events, at their instants, to the caller's transaction."""
    for event in events:
        if event.type == "consent":
            record_consent(
                session,
                event.at,
                customer_id=event.customer_id,
                granted=event.properties["granted"] is True,
                source=source,
                channel=str(event.properties.get("channel") or ANY_CHANNEL),
                purpose=str(event.properties.get("purpose") or MARKETING),
            )


def latest_consents(
    session: Session, *, channel: str | None, customer_ids: Sequence[str] | None = None, purpose: str = MARKETING
) -> dict[str, bool]:
    """Return each customer's latest statement for `channel` or for any; customers without one are not in it.

    `channel` None is a channel that does not know what carries its messages and so needs the consent of all: a refusal
    by any channel is then a refusal, and only a yes to any channel, or to each of CONSENT_CHANNELS, is a yes.
    `customer_ids` None means everyone in the log. The order is that in which statements arrived.
    """
    latest = _latest_all if channel is None else partial(_latest, channel=channel)
    if customer_ids is None:
        return latest(session, purpose=purpose, customer_ids=None)
    found: dict[str, bool] = {}
    for start in range(0, len(customer_ids), LOOKUP_BATCH):
        found |= latest(session, purpose=purpose, customer_ids=customer_ids[start : start + LOOKUP_BATCH])
    return found


def consent_refusal(
    customer_id: str,
    rule: ConsentRule,
    *,
    stated: Mapping[str, bool],
    imported: bool | None,
) -> Refusal | None:
    """Return why nothing may be sent to a customer, or None where it may.

    The log (`stated`) wins over the customers table (`imported`, None where unknown). Under `explicit` an unknown
    consent is a no; under `not_refused` only a stated no is.
    """
    consent = stated.get(customer_id, imported)
    if consent is None:
        return "consent_unknown" if rule == "explicit" else None
    return None if consent else "no_consent"


def person_refusal(
    customer_ids: Sequence[str],
    rule: ConsentRule,
    *,
    stated: Mapping[str, bool],
    imported: Mapping[str, bool],
) -> Refusal | None:
    """Return why nothing may be sent to a person with these ids, or None where it may.

    A refusal under any of their ids is theirs; under `explicit` a yes under one of them is enough.
    """
    found = {consent_refusal(each, rule, stated=stated, imported=imported.get(each)) for each in customer_ids}
    if "no_consent" in found:
        return "no_consent"
    return None if None in found else "consent_unknown"


def _latest(session: Session, *, channel: str, purpose: str, customer_ids: Sequence[str] | None) -> dict[str, bool]:
    newest = (
        select(func.max(ConsentRow.id))
        .where(ConsentRow.channel.in_((channel, ANY_CHANNEL)), ConsentRow.purpose == purpose)
        .group_by(ConsentRow.customer_id)
    )
    if customer_ids is not None:
        newest = newest.where(ConsentRow.customer_id.in_(customer_ids))
    rows = session.execute(select(ConsentRow.customer_id, ConsentRow.granted).where(ConsentRow.id.in_(newest)))
    return {row.customer_id: row.granted for row in rows}


def _latest_all(session: Session, *, purpose: str, customer_ids: Sequence[str] | None) -> dict[str, bool]:
    """Return one answer for all channels together; a customer whose words do not cover all of them is not in it."""
    newest = (
        select(func.max(ConsentRow.id))
        .where(ConsentRow.purpose == purpose)
        .group_by(ConsentRow.customer_id, ConsentRow.channel)
    )
    if customer_ids is not None:
        newest = newest.where(ConsentRow.customer_id.in_(customer_ids))
    rows = session.execute(
        select(ConsentRow.customer_id, ConsentRow.channel, ConsentRow.granted)
        .where(ConsentRow.id.in_(newest))
        .order_by(ConsentRow.id)
    )
    words: dict[str, dict[str, bool]] = {}
    for row in rows:
        own = words.setdefault(row.customer_id, {})
        if row.channel == ANY_CHANNEL:
            # A newer statement for any channel replaces those for single channels before it.
            own.clear()
        own[row.channel] = row.granted
    found: dict[str, bool] = {}
    for customer_id, own in words.items():
        if not all(own.values()):
            found[customer_id] = False
        elif ANY_CHANNEL in own or own.keys() >= CONSENT_CHANNELS:
            found[customer_id] = True
    return found
