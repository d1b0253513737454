"""What the online store keeps of a customer's events: the properties serving uses, of the newest 200, for 90 days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from struct import Struct

from engine.events.event import Event
from engine.events.orders import ABOUT_ORDERS, UNDONE_STATUSES
from engine.events.types import EVENT_TYPES

KEPT_EVENTS = 200
KEPT_DAYS = 90
# By type: how far below its inbox place an event's score lies (exact in a double), and how many such are kept.
PASSIVE = {"impression": (2**52, 40), "view": (2**51, 20), "click": (2**51, 20)}
PLACED = "placed"
MOST_DEGREES = 180
# Latitude and longitude as float32, as exact as history holds them.
POSITION_FORMAT = Struct("<ff")


def to_kept(event: Event) -> Event | None:
    """Return the event as it is kept, with the properties its type declares, to the millisecond; None where it is not.

    Order ids become short hashes, for they are only compared with each other; positions become float32. The inbox
    has the rest.
    """
    given, declared = event.properties, EVENT_TYPES.get(event.type)
    if declared is None or declared.kept is None:
        return None
    if event.type == "order_status" and str(given.get("status")) not in UNDONE_STATUSES:
        return None
    properties = {name: given[name] for name in declared.kept if given.get(name) is not None}
    lines = properties.get("items")
    if isinstance(lines, list):
        properties["items"] = [{"item_id": line.get("item_id")} for line in lines if isinstance(line, dict)]
    # Training does not learn an order that is on its way, so of the statuses that count `placed` alone is kept.
    if str(properties.get("status")) not in {*UNDONE_STATUSES, PLACED}:
        properties.pop("status", None)
    place = [properties.get("latitude"), properties.get("longitude")]
    if all(isinstance(degrees, int | float) and abs(degrees) <= MOST_DEGREES for degrees in place):
        properties["latitude"], properties["longitude"] = POSITION_FORMAT.unpack(POSITION_FORMAT.pack(*place))
    # An order without an id of its own goes by the event's.
    event_id = event.event_id if event.type in ABOUT_ORDERS and "order_id" not in properties else ""
    at = event.at.replace(microsecond=event.at.microsecond // 1000 * 1000).astimezone(UTC)
    return replace(event, event_id=event_id, at=at, properties=with_hashed_order(properties))


def with_hashed_order(properties: Mapping[str, object]) -> dict[str, object]:
    """Return the properties with the order's id as a hash of 16 hexadecimal digits."""
    found = dict(properties)
    if "order_id" in found:
        found["order_id"] = blake2b(str(found["order_id"]).encode(errors="replace"), digest_size=8).hexdigest()
    return found


def kept_events(events: Iterable[Event]) -> list[Event]:
    """Return what an online store would hold of one customer's stored events, oldest first."""
    own: dict[int, Event] = {}
    for event in events:
        kept = to_kept(event)
        if kept is not None:
            keep(own, kept)
    return [own[seq] for seq in sorted(own)]


def keep(own: dict[int, Event], kept: Event) -> None:
    """Add an event to a customer's kept events (by inbox place) and remove those that are now too many."""
    own[kept.seq] = kept
    for seq in _too_many(own):
        del own[seq]


def without_expired_dislikes(events: list[Event], now: datetime) -> list[Event]:
    """Return the events, oldest first, without `not_interested` events over 90 days before `now`.

    The events of a customer who comes back live longer than that, but a dish hidden so long ago may be shown again.
    """
    since = now - timedelta(days=KEPT_DAYS)
    if not events or events[0].at >= since:
        return events
    return [event for event in events if event.type != "not_interested" or event.at >= since]


def _too_many(own: dict[int, Event]) -> list[int]:
    """Return the places to forget: beyond what is kept of each passive kind, then beyond 200, passive ones first."""
    gone: set[int] = set()
    if len(own) <= min(kept for _, kept in PASSIVE.values()):
        return []
    for below, kept in set(PASSIVE.values()):
        kind = sorted(seq for seq, event in own.items() if PASSIVE.get(event.type, (0, 0))[0] == below)
        gone.update(kind[:-kept])
    rest = sorted(own.keys() - gone, key=lambda seq: seq - PASSIVE.get(own[seq].type, (0, 0))[0])
    return [*gone, *rest[: max(len(rest) - KEPT_EVENTS, 0)]]
