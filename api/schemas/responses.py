"""The one definition of every answer: routes build these dictionaries, and the OpenAPI document is made from them.

A `TypedDict` costs nothing while it is built: the type checker compares what a route returns with it. `NotRequired`
parts are left out where there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, NotRequired

from pydantic import ConfigDict, Field, WithJsonSchema
from typing_extensions import TypedDict

MEDIA_TYPE = "application/problem+json"
PARTS = "#/components/schemas/"

# What is encoded as such: orjson writes datetimes as RFC 3339.
Instant = Annotated[
    str | datetime, Field(union_mode="left_to_right"), WithJsonSchema({"type": "string", "format": "date-time"})
]
Row = Mapping[str, object]


class FieldError(TypedDict):
    """One of the fields that are wrong."""

    field: str
    code: str
    message: str


class Problem(TypedDict):
    """Why there is no answer (RFC 9457)."""

    type: Annotated[str, Field(examples=["urn:regulars:bad_request"])]
    title: str
    status: int
    code: Annotated[str, Field(description="Stable: see the reference of error codes.")]
    detail: Annotated[str, Field(description="What is wrong and what to do.")]
    field: NotRequired[Annotated[str, Field(description="Path of the wrong field; left out where none is.")]]
    errors: NotRequired[
        Annotated[list[FieldError], Field(description="All wrong fields, at most 20; left out for one alone.")]
    ]
    request_id: NotRequired[
        Annotated[str, Field(description="What the log knows a fault of the service by; else left out.")]
    ]


class Reason(TypedDict):
    """A stable code and a sentence a customer may read."""

    code: str
    text: str


class Explanation(TypedDict):
    """How a dish came to its place."""

    rank: int | None
    contributions: dict[str, float]
    features: dict[str, float | None] | None
    changes: list[str]


class Dish(TypedDict):
    """One dish of a list."""

    item_id: str
    name: str
    score: float
    source: str
    reason: Reason
    propensity: float
    explanation: NotRequired[Annotated[Explanation, Field(description="With `explain`; else left out.")]]


class ListExtras(TypedDict):
    """What a list says only where there is something to say."""

    unknown_ids: NotRequired[
        Annotated[dict[str, int], Field(description="How many, by field; left out where all are known.")]
    ]
    why_empty: NotRequired[Annotated[Reason, Field(description="Why it is short; left out where it is not.")]]
    filters: NotRequired[
        Annotated[dict[str, int], Field(description="With `explain`: how many each took away; else left out.")]
    ]


class ListAnswer(ListExtras):
    """What every list says."""

    request_id: str
    model_version: str
    notes: list[str]


class DishesAnswer(ListAnswer):
    """Dishes, best first."""

    items: list[Dish]


class Parts(TypedDict):
    """What a score is made of."""

    contributions: dict[str, float]


class Vendor(TypedDict):
    """One vendor of a list."""

    vendor_id: str
    name: str
    score: float
    distance_km: float | None
    reason: Reason
    dishes: list[str]
    explanation: NotRequired[Annotated[Parts, Field(description="With `explain`; else left out.")]]


class VendorsAnswer(ListAnswer):
    """Vendors, best first."""

    items: list[Vendor]


class FeaturedDish(TypedDict):
    """One dish for a segment."""

    item_id: str
    name: str
    score: float
    fits: int
    share: float
    lift: float | None
    reason: Reason


class FeaturedShape(ListAnswer):
    """Dishes for a segment, best first."""

    members: int
    sampled: int
    everybody: int
    items: list[FeaturedDish]


class Coupon(TypedDict):
    """An offer a customer may use."""

    offer_id: str
    name: str
    code: str | None
    saving_cents: int | None
    currency: str
    expires_at: Instant | None
    reason: Reason


class Refused(TypedDict):
    """An offer a customer may not use yet."""

    offer_id: str
    name: str
    code: str | None
    shortfall_cents: int | None
    reason: Reason


class CouponsAnswer(TypedDict):
    """Offers, best first, and what the others lack."""

    request_id: str
    items: list[Coupon]
    not_yet: list[Refused]


class EventsAnswer(TypedDict):
    """What became of a batch."""

    accepted: int
    duplicates: int
    fresh: bool
    unknown_items: NotRequired[
        Annotated[list[str], Field(description="Dishes nobody knows; left out where all are known.")]
    ]


class Favourite(TypedDict):
    """A dish and in how many of the customer's orders it was."""

    item_id: str
    orders: int


class ToldEvent(TypedDict):
    """One event as it was reported."""

    event_id: str
    type: str
    at: Instant
    properties: Row


class HeldCoupon(TypedDict):
    """A coupon a customer holds."""

    code: str
    offer_id: str
    campaign: str | None
    expires_at: Instant | None


class CustomerAnswer(TypedDict):
    """One customer whole."""

    customer_id: str
    figures: Row
    profile: Row | None
    why: Row | None
    as_of: Instant | None
    favourites: list[Favourite]
    latest_orders: Sequence[Row]
    latest_events: list[ToldEvent]
    coupons: list[HeldCoupon]
    consent: dict[str, bool | None]
    reachable: dict[str, bool]


class Written(TypedDict):
    """A segment as it is written; headings and parameters are left out where there are none."""

    segment: str
    rule: object
    name: NotRequired[dict[str, str]]
    about: NotRequired[dict[str, str]]
    parameters: NotRequired[Row]


class Version(TypedDict):
    """Who saved a segment when."""

    version: int
    created_at: Instant
    created_by: str


class ListedSegment(Written):
    """A segment and its newest version; null for one that comes with the product."""

    ready: bool
    version: int | None
    created_at: Instant | None
    created_by: str | None


class SegmentsAnswer(TypedDict):
    """Every segment."""

    segments: list[ListedSegment]


class SegmentAnswer(Written):
    """A segment and its versions."""

    versions: list[Version]


class SavedAnswer(TypedDict):
    """Which version it became."""

    segment: str
    version: int
    new: bool


class CountAnswer(TypedDict):
    """How many are in it."""

    as_of: Instant
    customers: int


class Reach(TypedDict):
    """How many a channel reaches."""

    address: int
    not_refused: int
    agreed: int


class PreviewAnswer(CountAnswer):
    """How many are in it, whom channels reach, and some of them."""

    reach: dict[str, Reach]
    sample: list[Row]


class Clause(TypedDict):
    """How a customer met one node of a rule; parts that do not apply are left out."""

    kind: str
    matched: bool
    field: NotRequired[str]
    operator: NotRequired[str | None]
    expected: NotRequired[object]
    value: NotRequired[object]
    about: NotRequired[str]
    inner: NotRequired[list[Clause]]


class ExplainAnswer(TypedDict):
    """Why a customer is in or out."""

    as_of: Instant
    customer_id: str
    matched: bool
    explained: Clause


class AliveAnswer(TypedDict):
    """The process runs."""

    status: str


class ReadyAnswer(AliveAnswer):
    """What works; `fault` is left out while all does."""

    model_version: str | None
    online: str
    database: str
    fault: NotRequired[str]


class SchemaAnswer(TypedDict):
    """A JSON Schema."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]


SHAPES = (
    Problem, DishesAnswer, VendorsAnswer, FeaturedShape, CouponsAnswer, EventsAnswer, CustomerAnswer, SegmentsAnswer,
    SegmentAnswer, SavedAnswer, CountAnswer, PreviewAnswer, ExplainAnswer, AliveAnswer, ReadyAnswer, SchemaAnswer,
)  # fmt: skip
