"""The JSON shapes of answers and of problems, for the OpenAPI document alone: answers are built as they are, unchecked.

A test compares them with what is answered. Parts that may be left out say so.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

MEDIA_TYPE = "application/problem+json"
REFUSALS = {
    401: "No API key, or one we do not know.",
    403: "The key lacks the scope.",
    404: "What is named is not there.",
    409: "The state forbids it.",
    413: "The body is larger than 4 MiB.",
    422: "A field is wrong; `field` is its path, and `errors` lists all that are.",
    500: "A fault of the service; its log says more under `request_id`.",
    503: "Nothing has been trained yet, or the database does not answer; nothing was stored.",
}
# What every route with a key may answer, and what one with a body or a name in its path may answer besides.
KEYED = (401, 403, 500, 503)
WITH_BODY = (413, 422)
WITH_PATH = (422,)
PARTS = "#/components/schemas/"
FRAMEWORKS_OWN = ("HTTPValidationError", "ValidationError")

Instant = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Row = dict[str, JsonValue]


class Shape(BaseModel):
    """Costs nothing until somebody reads the document."""

    model_config = ConfigDict(defer_build=True)


class FieldError(Shape):
    """One of the fields that are wrong."""

    field: str
    code: str
    message: str


class Problem(Shape):
    """Why there is no answer (RFC 9457)."""

    type: str = Field(examples=["urn:regulars:bad_request"])
    title: str
    status: int
    code: str = Field(description="Stable: see the reference of error codes.")
    detail: str = Field(description="What is wrong and what to do.")
    field: str | None = Field(None, description="Path of the wrong field; left out where none is.")
    errors: list[FieldError] | None = Field(None, description="All wrong fields, at most 20; left out for one alone.")
    request_id: str | None = Field(None, description="What the log knows a fault of the service by; else left out.")


class Reason(Shape):
    """A stable code and a sentence a customer may read."""

    code: str
    text: str


class Explanation(Shape):
    """How a dish came to its place."""

    rank: int | None
    contributions: dict[str, float]
    features: dict[str, float | None] | None
    changes: list[str]


class Dish(Shape):
    """One dish of a list."""

    item_id: str
    name: str
    score: float
    source: str
    reason: Reason
    propensity: float
    explanation: Explanation | None = Field(None, description="With `explain`; else left out.")


class ListAnswer(Shape):
    """What every list says."""

    request_id: str
    model_version: str
    notes: list[str]
    unknown_ids: dict[str, int] | None = Field(None, description="How many, by field; left out where all are known.")
    why_empty: Reason | None = Field(None, description="Why it is short; left out where it is not.")
    filters: dict[str, int] | None = Field(None, description="With `explain`: how many each took away; else left out.")


class DishesAnswer(ListAnswer):
    """Dishes, best first."""

    items: list[Dish]


class Parts(Shape):
    """What a score is made of."""

    contributions: dict[str, float]


class Vendor(Shape):
    """One vendor of a list."""

    vendor_id: str
    name: str
    score: float
    distance_km: float | None
    reason: Reason
    dishes: list[str]
    explanation: Parts | None = Field(None, description="With `explain`; else left out.")


class VendorsAnswer(ListAnswer):
    """Vendors, best first."""

    items: list[Vendor]


class FeaturedDish(Shape):
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


class Coupon(Shape):
    """One offer she may use."""

    offer_id: str
    name: str
    code: str | None
    saving_cents: int | None
    currency: str
    expires_at: Instant | None
    reason: Reason


class Refused(Shape):
    """One offer she may not use yet."""

    offer_id: str
    name: str
    code: str | None
    shortfall_cents: int | None
    reason: Reason


class CouponsAnswer(Shape):
    """Offers, best first, and what the others lack."""

    request_id: str
    items: list[Coupon]
    not_yet: list[Refused]


class EventsAnswer(Shape):
    """What became of a batch."""

    accepted: int
    duplicates: int
    fresh: bool
    unknown_items: list[str] | None = Field(None, description="Dishes nobody knows; left out where all are known.")


class Favourite(Shape):
    """A dish and in how many of her orders it was."""

    item_id: str
    orders: int


class ToldEvent(Shape):
    """One event as it was told."""

    event_id: str
    type: str
    at: Instant
    properties: Row


class HeldCoupon(Shape):
    """A coupon she holds."""

    code: str
    offer_id: str
    campaign: str | None
    expires_at: Instant | None


class CustomerAnswer(Shape):
    """One customer whole."""

    customer_id: str
    figures: Row
    profile: Row | None
    why: Row | None
    as_of: Instant | None
    favourites: list[Favourite]
    latest_orders: list[Row]
    latest_events: list[ToldEvent]
    coupons: list[HeldCoupon]
    consent: dict[str, bool | None]
    reachable: dict[str, bool]


class Written(Shape):
    """A segment as it is written; headings and parameters are left out where there are none."""

    segment: str
    rule: JsonValue
    name: dict[str, str] | None = None
    about: dict[str, str] | None = None
    parameters: Row | None = None


class Version(Shape):
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


class SegmentsAnswer(Shape):
    """Every segment."""

    segments: list[ListedSegment]


class SegmentAnswer(Written):
    """A segment and its versions."""

    versions: list[Version]


class SavedAnswer(Shape):
    """Which version it became."""

    segment: str
    version: int
    new: bool


class CountAnswer(Shape):
    """How many are in it."""

    as_of: Instant
    customers: int


class Reach(Shape):
    """How many a channel reaches."""

    address: int
    not_refused: int
    agreed: int


class PreviewAnswer(CountAnswer):
    """How many are in it, whom channels reach, and some of them."""

    reach: dict[str, Reach]
    sample: list[Row]


class Clause(Shape):
    """What one node of a rule made of her; parts that do not apply are left out."""

    kind: str
    matched: bool
    field: str | None = None
    operator: str | None = None
    expected: JsonValue = None
    value: JsonValue = None
    about: str | None = None
    inner: list[Clause] | None = None


class ExplainAnswer(Shape):
    """Why she is in or out."""

    as_of: Instant
    customer_id: str
    matched: bool
    explained: Clause


class AliveAnswer(Shape):
    """The process runs."""

    status: str


class ReadyAnswer(AliveAnswer):
    """What works; `fault` is left out while all does."""

    model_version: str | None
    online: str
    database: str
    fault: str | None = None


class SchemaAnswer(Shape):
    """A JSON Schema."""

    model_config = ConfigDict(extra="allow")


SHAPES = (
    Problem, DishesAnswer, VendorsAnswer, FeaturedShape, CouponsAnswer, EventsAnswer, CustomerAnswer, SegmentsAnswer,
    SegmentAnswer, SavedAnswer, CountAnswer, PreviewAnswer, ExplainAnswer, AliveAnswer, ReadyAnswer, SchemaAnswer,
)  # fmt: skip


def answers(
    shape: type[Shape], example: dict[str, Any], *refusals: int, status: int = 200
) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of a route's answer and of the `refusals` that are its own, by status."""
    content = {"application/json": {"schema": _named(shape), "example": example}}
    return {status: {"content": content}, **{each: _refusal(each) for each in refusals}}


def with_shapes(document: dict[str, Any], routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """Return the OpenAPI document of `routes` with their shapes, how a key is sent and what every route may refuse."""
    _, shapes = models_json_schema([(shape, "serialization") for shape in SHAPES], ref_template=f"{PARTS}{{model}}")
    parts = document.setdefault("components", {})
    schemas = {name: found for name, found in parts.get("schemas", {}).items() if name not in FRAMEWORKS_OWN}
    parts["schemas"] = schemas | shapes["$defs"]
    parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, ways in document["paths"].items():
        for way in ways.values():
            keyed, body = not path.startswith("/health/"), "requestBody" in way
            way["security"] = [{"key": []}] if keyed else []
            way["responses"].pop("422", None)
            refusals = (KEYED if keyed else ()) + (WITH_BODY if body else WITH_PATH if "parameters" in way else ())
            for status in refusals:
                way["responses"].setdefault(str(status), _refusal(status))
    # The framework takes what is null out of a document, out of examples too.
    for route in routes:
        if isinstance(route, APIRoute):
            for way in (document["paths"][route.path][method.lower()] for method in route.methods or ()):
                for answered, told in route.responses.items():
                    if int(answered) < HTTPStatus.BAD_REQUEST:
                        way["responses"][str(answered)]["content"] = told["content"]
    return document


def _refusal(status: int) -> dict[str, Any]:
    return {"description": REFUSALS[status], "content": {MEDIA_TYPE: {"schema": _named(Problem)}}}


def _named(shape: type[Shape]) -> dict[str, str]:
    return {"$ref": f"{PARTS}{shape.__name__}"}
