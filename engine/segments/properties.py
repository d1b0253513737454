"""Which events a segment may ask about, and which properties of them it may filter on or sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.segments.rule import ValueKind


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
INBOX_PROPERTIES = {**ITEM_PROPERTIES, "vendor": Property("word", "Who cooks the dish."), **CLOCK_PROPERTIES}

SEGMENT_EVENTS: Mapping[str, EventKind] = {
    "order": EventKind("An order of history.", ORDER_PROPERTIES, ("amount", "discount")),
    "order_line": EventKind("A dish within an order of history.", LINE_PROPERTIES, ("amount", "quantity")),
    "view": EventKind("The customer looked at a dish (inbox).", INBOX_PROPERTIES),
    "cart": EventKind("The customer put a dish into the cart (inbox).", INBOX_PROPERTIES),
    "not_interested": EventKind("The customer hid a dish (inbox).", INBOX_PROPERTIES),
    "rating": EventKind(
        "The customer rated an order (inbox).",
        {"rating": Property("number", "1 to 5.", "rating"), **CLOCK_PROPERTIES},
        ("rating",),
    ),
}
FROM_HISTORY = ("order", "order_line")
BY_MENU = ("category", "cuisine")
BY_CLOCK = ("daypart", "weekday", "hour")
