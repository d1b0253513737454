"""Every event type, declared once: validation, OpenAPI, the reference, segments and the online store read it here.

To add a type, write one declaration below (or call `register_event_type`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.columns import STATUSES
from engine.errors import BadRequest, did_you_mean
from engine.events.values import (
    BooleanValue,
    CentsValue,
    ChoiceValue,
    JointValue,
    LinesValue,
    NumberValue,
    PropertyValue,
    TextValue,
    check_point,
)

# Raises BadRequest at a path below the given one where properties contradict each other.
EventRule = Callable[[Mapping[str, object], str], None]
# Kinds of survey answers, with their lowest and highest score.
SURVEYS: Mapping[str, tuple[int, int]] = {"nps": (0, 10), "csat": (1, 5)}


@dataclass(frozen=True, slots=True)
class EventProperty:
    """One property of an event type.

    `segment_name` is what segments call it; None where they may not ask about it.
    """

    name: str
    value: PropertyValue
    about: str
    example: object
    required: bool = False
    segment_name: str | None = None


@dataclass(frozen=True, slots=True)
class EventType:
    """One event type.

    `rules` check properties that depend on each other. `kept` are the properties the online store keeps for serving;
    None where it keeps no event of the type. `segment_about` is what segments say of it; None where they may not ask.
    """

    name: str
    about: str
    properties: tuple[EventProperty, ...]
    rules: tuple[EventRule, ...] = ()
    kept: tuple[str, ...] | None = None
    segment_about: str | None = None


def check_position(properties: Mapping[str, object], where: str) -> None:
    """Raise BadRequest where only one of latitude and longitude is given."""
    check_point(properties.get("latitude"), properties.get("longitude"), where)


def check_survey_answer(properties: Mapping[str, object], where: str) -> None:
    """Raise BadRequest for an unknown kind of survey, or a score that its kind does not have."""
    kind, score = properties["kind"], properties["score"]
    if not isinstance(kind, str) or kind not in SURVEYS:
        raise BadRequest(f"unknown kind of survey{did_you_mean(str(kind), SURVEYS)}", where=f"{where}.kind")
    low, high = SURVEYS[kind]
    number = isinstance(score, int | float) and not isinstance(score, bool)
    if not number or score not in range(low, high + 1):
        raise BadRequest(f"expected a whole number from {low} to {high} for {kind}", where=f"{where}.score")


ITEM_PROPERTY = EventProperty("item_id", TextValue(), "The dish.", "d-0007", required=True, segment_name="item")
ORDER_PROPERTY = EventProperty("order_id", TextValue(), "The order.", "9001", required=True)
STATUS_VALUE = ChoiceValue(STATUSES, "status")
OF_ITEM = ("item_id",)
SUBJECTS = (
    EventProperty("order_id", TextValue(), "The order it is about; gives its vendor and dishes too.", "9001"),
    EventProperty("vendor_id", TextValue(), "The vendor it is about.", "v-012"),
    EventProperty("item_id", TextValue(), "The dish it is about.", "d-0007"),
)
EVENT_TYPES: dict[str, EventType] = {}


def register_event_type(event_type: EventType) -> None:
    """Add a type to those that the inbox takes. Raises ValueError where its name is taken."""
    if event_type.name in EVENT_TYPES:
        raise ValueError(f"the event type {event_type.name!r} is declared already")
    EVENT_TYPES[event_type.name] = event_type


DECLARED = (
    EventType(
        "order",
        "An order was placed. Changes the next recommendation, and history at the next training.",
        (
            EventProperty("order_id", TextValue(), "Unique over all orders.", "9001", required=True),
            EventProperty(
                "items",
                LinesValue(),
                "List of {item_id, quantity, unit_price_cents}.",
                [{"item_id": "d-0007", "quantity": 2, "unit_price_cents": 1800}],
                required=True,
            ),
            EventProperty(
                "order_cents",
                CentsValue(),
                "What the customer pays, minor units; missing means the sum of lines less discount plus fee.",
                3900,
            ),
            EventProperty("discount_cents", CentsValue(), "Taken off by offers.", 200),
            EventProperty("delivery_fee_cents", CentsValue(), "Charged for delivery.", 500),
            EventProperty("currency", TextValue(), "ISO 4217; missing means the configured one.", "CNY"),
            EventProperty("vendor_id", TextValue(), "Who cooks.", "v-012"),
            EventProperty("zone", TextValue(), "Where it goes.", "z-03"),
            EventProperty("latitude", NumberValue(-90, 90), "Degrees north.", 31.23),
            EventProperty("longitude", NumberValue(-180, 180), "Degrees east.", 121.47),
            EventProperty(
                "status",
                STATUS_VALUE,
                "placed, delivered, cancelled, rejected or refunded; missing means delivered.",
                "placed",
            ),
            EventProperty("channel", TextValue(40), "app, web, phone, counter.", "app"),
            EventProperty("payment_method", TextValue(), "How it is paid.", "card"),
            EventProperty("offer_id", TextValue(), "Offer used.", "o-welcome"),
        ),
        rules=(check_position,),
        kept=("order_id", "status", "zone", "latitude", "longitude", "vendor_id", "items"),
    ),
    EventType(
        "order_status",
        "An order's status changed; cancelled, rejected and refunded orders stop counting.",
        (ORDER_PROPERTY, EventProperty("status", STATUS_VALUE, "Its new status.", "delivered", required=True)),
        kept=("order_id", "status"),
    ),
    EventType(
        "view",
        "The customer looked at a dish.",
        (ITEM_PROPERTY,),
        kept=OF_ITEM,
        segment_about="The customer looked at a dish (inbox).",
    ),
    EventType(
        "click",
        "The customer tapped a dish. Counts for more than a view and for less than the cart.",
        (ITEM_PROPERTY,),
        kept=OF_ITEM,
    ),
    EventType(
        "cart",
        "The customer put a dish into the cart.",
        (ITEM_PROPERTY,),
        kept=OF_ITEM,
        segment_about="The customer put a dish into the cart (inbox).",
    ),
    EventType(
        "not_interested",
        "The customer does not want to see this dish; it is hidden for 90 days.",
        (ITEM_PROPERTY,),
        kept=OF_ITEM,
        segment_about="The customer hid a dish (inbox).",
    ),
    EventType(
        "impression",
        "A dish was shown to the customer in a list. With its propensity, other lists can be judged by what was "
        "ordered then.",
        (
            ITEM_PROPERTY,
            EventProperty("request_id", TextValue(), "The list's request.", "r-5f2c", required=True),
            EventProperty(
                "slot", NumberValue(0, 10_000), "The dish's place in the list; 0 is the top.", 0, required=True
            ),
            EventProperty(
                "propensity",
                NumberValue(1e-9, 1),
                "Probability of this dish in this slot, given the slots above; as in the answer.",
                0.42,
            ),
            EventProperty("source", TextValue(), "Which list it was, such as dishes, similar or addons.", "dishes"),
            EventProperty("model_version", TextValue(), "The version that made the list.", "20260116T040000Z"),
        ),
        kept=OF_ITEM,
    ),
    EventType(
        "rating",
        "The customer rated an order, or one dish of it. A dish rated 2 or below goes to the end of their lists.",
        (
            ORDER_PROPERTY,
            EventProperty("rating", NumberValue(1, 5), "1 to 5.", 4, required=True, segment_name="rating"),
            EventProperty("item_id", TextValue(), "The dish it is about; missing means the whole order.", "d-0007"),
        ),
        kept=("order_id", "item_id", "rating"),
        segment_about="The customer rated an order (inbox).",
    ),
    EventType(
        "survey",
        "The customer answered a survey. Counts in the customer table, and for the vendor and dishes it is about.",
        (
            EventProperty(
                "kind",
                JointValue({"enum": list(SURVEYS)}),
                "nps (would the customer recommend us) or csat (how content they were).",
                "nps",
                required=True,
            ),
            EventProperty(
                "score",
                JointValue({"type": "integer", "minimum": 0, "maximum": 10}),
                "A whole number: 0 to 10 for nps, 1 to 5 for csat.",
                9,
                required=True,
            ),
            *SUBJECTS,
        ),
        rules=(check_survey_answer,),
    ),
    EventType(
        "complaint",
        "The customer complained. They count as unhappy from then on, until a better rating or answer.",
        (
            EventProperty(
                "reason", TextValue(), "What is wrong, up to 200 characters.", "The soup was cold.", required=True
            ),
            *SUBJECTS,
        ),
    ),
    EventType(
        "consent",
        "The customer agreed to, or refused, marketing messages.",
        (
            EventProperty("granted", BooleanValue(), "true or false.", example=True, required=True),
            EventProperty("channel", TextValue(40), "push, sms, email; missing means any.", "push"),
            EventProperty("purpose", TextValue(40), "Missing means marketing.", "marketing"),
        ),
    ),
)
for _declared in DECLARED:
    register_event_type(_declared)
