"""Which events a segment may ask about, and which properties of them it may filter on or sum."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.events.types import EVENT_TYPES, EventType
from engine.segments.fields import ValueKind


@dataclass(frozen=True, slots=True)
class Property:
    """One property: `column` of the event's own frame, None where `compile` derives it from time or menu."""

    kind: ValueKind
    about: str
    column: str | None = None


@dataclass(frozen=True, slots=True)
class EventKind:
    """One event type; `summed` are the properties `sum` takes."""

    about: str
    properties: Mapping[str, Property]
    summed: tuple[str, ...] = ()


CLOCK_PROPERTIES = {
    "daypart": Property("daypart", "breakfast, lunch, afternoon, dinner or late, by the customer's own clock."),
    "weekday": Property("weekday", "monday ... sunday (or 1-7), by the customer's own calendar."),
    "hour": Property("number", "0-23, by the customer's own clock."),
}
MENU_PROPERTIES = {
    "category": Property("word", "The dish's menu section."),
    "cuisine": Property("word", "The dish's cuisine, else its vendor's."),
}
ITEM_PROPERTIES = {"item": Property("word", "The dish.", "item_id"), **MENU_PROPERTIES}
ORDER_PROPERTIES = {
    "vendor": Property("word", "Who cooked.", "vendor_id"),
    "zone": Property("word", "Where it went.", "zone"),
    "amount": Property("money", "What was paid.", "order_cents"),
    "discount": Property("money", "Taken off by offers; unknown counts as 0.", "discount_cents"),
    "discounted": Property("boolean", "Something was taken off.", "discounted"),
    "offer": Property("word", "Offer used.", "offer_id"),
    "status": Property("word", "Without it only delivered orders count.", "status"),
    "rating": Property("number", "1 to 5.", "rating"),
    "channel": Property("word", "app, web, phone, counter.", "channel"),
    "payment_method": Property("word", "How it was paid.", "payment_method"),
    **CLOCK_PROPERTIES,
}
LINE_PROPERTIES = {
    **ITEM_PROPERTIES,
    "vendor": Property("word", "Who cooked.", "vendor_id"),
    "amount": Property("money", "Price of the line before order-level discounts.", "line_cents"),
    "quantity": Property("number", "Portions.", "quantity"),
    "status": Property("word", "Of its order; without it only delivered ones count.", "status"),
    **CLOCK_PROPERTIES,
}
DISH_VENDOR = {"vendor": Property("word", "Who cooks the dish.")}

HISTORY_EVENTS: Mapping[str, EventKind] = {
    "order": EventKind("An order of history.", ORDER_PROPERTIES, ("amount", "discount")),
    "order_line": EventKind("A dish within an order of history.", LINE_PROPERTIES, ("amount", "quantity")),
}


def inbox_event_kind(declared: EventType) -> EventKind:
    """Return what segments may ask about a type of the inbox: its declared properties, its dish and the clock."""
    properties: dict[str, Property] = {}
    for each in declared.properties:
        if each.segment_name is not None and each.value.compared is not None:
            properties[each.segment_name] = Property(each.value.compared, each.about, each.name)
    if "item" in properties:
        properties |= MENU_PROPERTIES | DISH_VENDOR
    summed = tuple(name for name, each in properties.items() if each.kind == "number")
    return EventKind(declared.segment_about or declared.about, properties | CLOCK_PROPERTIES, summed)


class SegmentEvents(Mapping[str, EventKind]):
    """The events segments may ask about, by name: those of history, and the types of the inbox that declare it."""

    def __getitem__(self, name: str) -> EventKind:
        """Return what may be asked about one event. Raises KeyError."""
        if name in HISTORY_EVENTS:
            return HISTORY_EVENTS[name]
        declared = EVENT_TYPES[name]
        if declared.segment_about is None:
            raise KeyError(name)
        return inbox_event_kind(declared)

    def __iter__(self) -> Iterator[str]:
        """Yield the names, those of history first."""
        yield from HISTORY_EVENTS
        for name, declared in EVENT_TYPES.items():
            if declared.segment_about is not None and name not in HISTORY_EVENTS:
                yield name

    def __len__(self) -> int:
        """Return how many there are."""
        return sum(1 for _ in self)


SEGMENT_EVENTS = SegmentEvents()
FROM_HISTORY = tuple(HISTORY_EVENTS)
BY_MENU = ("category", "cuisine")
BY_CLOCK = ("daypart", "weekday", "hour")
