"""The JSON shapes of requests; answers are built as plain dictionaries and encoded once."""

from __future__ import annotations

import re
from dataclasses import asdict, fields
from datetime import datetime
from typing import Annotated, Any, get_type_hints

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StrictBool,
    StrictFloat,
    StrictInt,
    StringConstraints,
    create_model,
)
from pydantic_core import PydanticCustomError

from engine.errors import BadRequest
from engine.language import LONGEST_TAG, TAG
from engine.recommend.options import ListOptions

MOST_DISHES = 100
MOST_IDS = 10_000
MOST_EVENTS = 1_000
MOST_CLICKED = 50
MOST_WORDS = 40

PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
REQUEST_ID = r"^[A-Za-z0-9_.:-]{1,64}$"
LANGUAGE = TAG
Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=PRINTABLE)]
Ids = Annotated[list[Id], Field(max_length=MOST_IDS)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=PRINTABLE)]
RequestId = Annotated[str, StringConstraints(pattern=REQUEST_ID)]
Language = Annotated[str, StringConstraints(pattern=LANGUAGE, max_length=LONGEST_TAG)]
LANGUAGE_ABOUT = (
    "A BCP 47 tag. Sentences are in English for en-*, in Chinese for zh-*; for others, and where the customer's own is "
    "missing too, in the home's (REGULARS_LANGUAGE)."
)
# The first and last years have instants that are of another era elsewhere on earth.
ISO = re.compile(r"(?!0000|0001|9999)\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")


def _written_out(value: object) -> object:
    """Refuse what would be read as seconds since 1970, or as midnight of a day."""
    if not isinstance(value, str) or not ISO.match(value):
        raise PydanticCustomError(
            "instant", "expected ISO 8601 text with date, time and offset, such as 2026-01-16T12:05:00+08:00"
        )
    return value


InstantText = Annotated[AwareDatetime, BeforeValidator(_written_out)]


class Shape(BaseModel):
    """Refuses unknown fields: a misspelt one must not be ignored silently."""

    model_config = ConfigDict(extra="forbid")


class Context(Shape):
    """Where and when a customer asks; every part is optional."""

    at: InstantText | None = Field(None, description="Instant with offset; missing means now.")
    zone: Id | None = Field(
        None,
        description="Delivery zone. Missing: the place of the last order steers the order; no zone narrows the list.",
    )
    vendor_id: Id | None = Field(None, description="Given on a vendor's page: only its dishes.")
    latitude: StrictFloat | None = Field(None, ge=-90, le=90)
    longitude: StrictFloat | None = Field(None, ge=-180, le=180)
    cart: Ids = Field(default_factory=list, description="Dishes already in the cart; never recommended.")


class ListContext(Context):
    """Where, when and with what in mind a customer asks for dishes."""

    session_id: Id | None = Field(
        None,
        description="The id under which this visitor's events are told as customer_id; beside a customer_id, those "
        "of before they signed in.",
    )
    referred_by: Id | None = Field(
        None,
        description="Of a newcomer: the customer who brought them here, where the customers table does not say yet.",
    )
    clicked: Annotated[list[Id], Field(max_length=MOST_CLICKED)] = Field(
        default_factory=list,
        description="Dishes tapped in this session, oldest first; they steer the list.",
    )
    allergens: Annotated[list[Word], Field(max_length=MOST_WORDS)] = Field(
        default_factory=list,
        description="Never show dishes with one of these, nor dishes of which nobody said what they hold.",
    )
    diets: Annotated[list[Word], Field(max_length=MOST_WORDS)] = Field(
        default_factory=list, description="Only dishes labelled for all of these."
    )


_KINDS = get_type_hints(ListOptions)
_OPTIONS: dict[str, Any] = {
    each.name: (
        Annotated[_KINDS[each.name], Strict()] | None,
        Field(None, ge=each.metadata["low"], le=each.metadata["high"], description=each.metadata["about"]),
    )
    for each in fields(ListOptions)
}
Lists = create_model(
    "Lists",
    __base__=Shape,
    __doc__="How the list is arranged; what is left out is as the operator set it (recommend.yaml).",
    **_OPTIONS,
)


class ListRequest(Shape):
    """What every list takes."""

    limit: StrictInt = Field(10, ge=1, le=MOST_DISHES)
    context: ListContext = Field(default_factory=lambda: ListContext.model_validate({}))
    exclude: Ids = Field(default_factory=list, description="Dishes never to show.")
    candidates: Ids | None = Field(None, description="Rank only these; missing means every dish.")
    language: Language | None = Field(None, description=LANGUAGE_ABOUT)
    explain: StrictBool = Field(
        False, description="Also say how each dish came to its place and what filters took away."
    )
    request_id: RequestId | None = Field(
        None, description="Chosen by the app, or made here; the same one draws the same lots again."
    )


class CustomerAsked(ListRequest):
    """What every list for a customer takes."""

    customer_id: Id | None = Field(None, description="Missing for a visitor without an account.")


class DishesRequest(CustomerAsked):
    """What `POST /v1/recommend/dishes` takes."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "c-1042",
                    "limit": 5,
                    "context": {"at": "2026-01-16T12:05:00+08:00", "zone": "z-03", "cart": ["d-0007"]},
                    "exclude": ["d-0011"],
                    "lists": {"most_per_vendor": 3},
                }
            ]
        },
    )
    lists: Lists | None = Field(None, description="How the list is arranged.")  # type: ignore[valid-type]


class SimilarRequest(DishesRequest):
    """What `POST /v1/recommend/similar` takes."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"item_id": "d-0007", "limit": 5, "context": {"zone": "z-03"}}]},
    )
    item_id: Id = Field(description="The dish to find others like.")


class AddonsRequest(DishesRequest):
    """What `POST /v1/recommend/addons` takes."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"customer_id": "c-1042", "limit": 3, "context": {"cart": ["d-0007"]}}]},
    )


class AgainRequest(DishesRequest):
    """What `POST /v1/recommend/again` takes."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"customer_id": "c-1042", "limit": 5, "language": "zh"}]}
    )
    customer_id: Id = Field(description="Whose dishes.")


class VendorsRequest(CustomerAsked):
    """What `POST /v1/recommend/vendors` takes; exclude and candidates are dishes here too."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"customer_id": "c-1042", "context": {"latitude": 31.2, "longitude": 121.4}, "limit": 5}]
        },
    )


class SegmentDishesRequest(ListRequest):
    """What `POST /v1/recommend/for-segment` takes."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"segment": "one_timers", "limit": 5, "context": {"zone": "z-03"}}]},
    )
    segment: Id | dict[str, Any] = Field(description="The name of a ready or saved segment, or a rule's tree.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="What a named segment takes.")
    as_of: str | None = Field(None, max_length=40, description="A date or an instant; default the newest order's day.")


class CouponsRequest(Shape):
    """What `POST /v1/recommend/coupons` takes."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"customer_id": "c-1042", "limit": 3, "basket_cents": 4300, "context": {"zone": "z-03"}}]
        },
    )
    customer_id: Id
    limit: StrictInt = Field(5, ge=1, le=MOST_DISHES)
    context: Context = Field(default_factory=lambda: Context.model_validate({}))
    basket_cents: StrictInt | None = Field(None, ge=0, le=10**10, description="Minor units; missing means no cart yet.")
    delivery_fee_cents: StrictInt | None = Field(None, ge=0, le=10**8)
    language: Language | None = Field(None, description=LANGUAGE_ABOUT)


class EventShape(Shape):
    """One event; which properties a type takes is in the reference of events."""

    event_id: Id = Field(description="Chosen by the app; a repeated one is counted as duplicate and changes nothing.")
    type: str = Field(max_length=40)
    customer_id: Id
    at: InstantText | None = Field(None, description="Instant with offset; missing means the moment of receipt.")
    properties: dict[str, Any] = Field(default_factory=dict)


class EventsRequest(Shape):
    """What `POST /v1/events` takes: all of a batch is stored, or none."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "events": [
                        {
                            "event_id": "order-9001-placed",
                            "type": "order",
                            "customer_id": "c-1042",
                            "at": "2026-01-16T12:09:30+08:00",
                            "properties": {
                                "order_id": "9001",
                                "items": [{"item_id": "d-0007", "quantity": 2, "unit_price_cents": 1800}],
                                "zone": "z-03",
                                "vendor_id": "v-012",
                            },
                        }
                    ]
                }
            ]
        },
    )
    events: list[EventShape] = Field(min_length=1, max_length=MOST_EVENTS)


def instant_or(at: datetime | None, now: datetime) -> datetime:
    """Return `at`, or `now` where the request gave none."""
    return now if at is None else at


def options_for(asked: BaseModel | None, configured: ListOptions) -> ListOptions:
    """Return the configured options with what the request sets for itself. Raises BadRequest where they contradict."""
    if asked is None:
        return configured
    given = asked.model_dump(exclude_none=True)
    options = ListOptions(**(asdict(configured) | given))
    if options.repeat_min > options.repeat_max:
        raise BadRequest(
            f"is above repeat_max ({options.repeat_min} > {options.repeat_max})",
            where="lists.repeat_min" if "repeat_min" in given else "lists.repeat_max",
        )
    return options
