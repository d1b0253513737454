"""Which orders reported by events still count, and how each order ended."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

from engine.events.event import Event

OrderContent = TypeVar("OrderContent")
DELIVERED = "delivered"
# An order with one of these statuses no longer counts.
UNDONE_STATUSES = frozenset({"cancelled", "rejected", "refunded"})
# Events about an order as a whole.
ABOUT_ORDERS = frozenset({"order", "order_status"})


class StandingOrders(NamedTuple, Generic[OrderContent]):
    """Orders that count besides those learned: (what was read of each, its first instant in seconds since 1970).

    `undone` are the learned instants whose orders no longer count.
    """

    orders: list[tuple[OrderContent, int]]
    undone: set[int]


def order_id_of(event: Event) -> str:
    """Return the id of the order an event is about; an event without one is an order of its own."""
    return str(event.properties.get("order_id", event.event_id))


def ordered_items(event: Event) -> list[str]:
    """Return the item ids of an order event's lines."""
    lines = event.properties.get("items")
    if not isinstance(lines, list):
        return []
    return [str(line["item_id"]) for line in lines if isinstance(line, dict) and line.get("item_id") is not None]


def named_items(events: Iterable[Event]) -> list[str]:
    """Return the item ids that events name, by themselves or in the lines of an order, each once."""
    found: dict[str, None] = {}
    for event in events:
        item = event.properties.get("item_id")
        found.update(dict.fromkeys([*ordered_items(event), *([item] if isinstance(item, str) else [])]))
    return list(found)


def is_undone(event: Event) -> bool:
    """Return whether an event reports a status with which an order no longer counts."""
    return event.properties.get("status") in UNDONE_STATUSES


def standing_orders(
    events: Iterable[Event],
    watermark: int,
    read: Callable[[Event], OrderContent | None],
    learned: Collection[int] = frozenset(),
) -> StandingOrders[OrderContent]:
    """Return the orders among a customer's `events` that count and that training has not learned, oldest first.

    Training has read the inbox up to `watermark` and learned the delivered orders in it: an order that was still on
    its way then counts here, however long ago it was placed. `learned` are the instants (seconds since 1970) of the
    customer's learned orders. `read` returns what is wanted of an order event; None leaves the event out.
    """
    reported = sorted((event for event in events if event.type in ABOUT_ORDERS), key=lambda each: (each.at, each.seq))
    taken = last_statuses(each for each in reported if each.seq <= watermark)
    # What was reported of an order before the order itself, by instant.
    early: dict[str, Event] = {}
    standing: dict[str, tuple[OrderContent, int]] = {}
    first_at: dict[str, int] = {}
    undone: set[int] = set()
    for event in reported:
        order_id = order_id_of(event)
        word = event
        if event.type == "order":
            word = early.pop(order_id, event)
            first_at.setdefault(order_id, int(event.at.timestamp()))
        elif order_id not in first_at:
            early[order_id] = event
        if is_undone(word):
            standing.pop(order_id, None)
            if first_at.get(order_id) in learned:
                undone.add(first_at[order_id])
        elif event.type == "order" and taken.get(order_id) != DELIVERED and first_at[order_id] not in learned:
            content = read(event)
            if content is not None:
                standing[order_id] = (content, first_at[order_id])
    return StandingOrders(list(standing.values()), undone)


def last_statuses(events: Iterable[Event]) -> dict[str, str]:
    """Return by order id the status that was reported last, by instant, in whatever order the reports arrived.

    An order event without a status means delivered. A status from before the first order event is one of that order.
    """
    reported: dict[str, list[Event]] = {}
    for event in sorted((each for each in events if each.type in ABOUT_ORDERS), key=lambda each: (each.at, each.seq)):
        reported.setdefault(order_id_of(event), []).append(event)
    found = {}
    for order_id, own in reported.items():
        first = next((place for place, event in enumerate(own) if event.type == "order"), 0)
        last = own[-1] if first < len(own) - 1 or not first else own[first - 1]
        found[order_id] = str(last.properties.get("status") or DELIVERED)
    return found


def placed_and_changed(events: Iterable[Event]) -> tuple[dict[str, Event], Mapping[str, dict[str, object]]]:
    """Return by order id the event that placed each order, and the latest status and rating reported of it.

    `events` come in inbox order, and of equal order ids the last one placed holds. A rating of one dish is left out.
    """
    placed: dict[str, Event] = {}
    changes: dict[str, dict[str, object]] = {}
    for event in events:
        order_id = order_id_of(event)
        if event.type == "order":
            placed[order_id] = event
        elif event.type == "order_status":
            changes.setdefault(order_id, {})["status"] = event.properties["status"]
        elif event.type == "rating" and event.properties.get("item_id") is None:
            changes.setdefault(order_id, {})["rating"] = event.properties["rating"]
    return placed, changes
