"""The JSON shapes of requests; answers are built as plain dictionaries and encoded once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

MOST_DISHES = 100
MOST_IDS = 1_000
MOST_EVENTS = 1_000

Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Ids = Annotated[list[Id], Field(max_length=MOST_IDS)]
Language = Annotated[str, StringConstraints(pattern=r"^(en|zh)$")]


class Shape(BaseModel):
    """Refuses unknown fields: a misspelt one must not be ignored silently."""

    model_config = ConfigDict(extra="forbid")


class Context(Shape):
    """Where and when she asks; every part is optional."""

    at: AwareDatetime | None = Field(None, description="Instant with offset; missing means now.")
    zone: Id | None = Field(None, description="Delivery zone; missing means that of her last order.")
    vendor_id: Id | None = Field(None, description="Given on a vendor's page: only its dishes.")
    latitude: float | None = Field(None, ge=-90, le=90)
    longitude: float | None = Field(None, ge=-180, le=180)
    cart: Ids = Field(default_factory=list, description="Dishes already in the cart; never recommended.")


class DishesRequest(Shape):
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
                }
            ]
        },
    )
    customer_id: Id | None = Field(None, description="Missing for a visitor without an account.")
    limit: int = Field(10, ge=1, le=MOST_DISHES)
    context: Context = Field(default_factory=lambda: Context.model_validate({}))
    exclude: Ids = Field(default_factory=list)
    candidates: Ids | None = Field(None, description="Rank only these; missing means every dish.")
    language: Language | None = Field(None, description="en or zh; missing means the customer's, else en.")


class CouponsRequest(Shape):
    """What `POST /v1/recommend/coupons` takes."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"customer_id": "c-1042", "limit": 3, "basket_cents": 4300, "context": {"zone": "z-03"}}]
        },
    )
    customer_id: Id
    limit: int = Field(5, ge=1, le=MOST_DISHES)
    context: Context = Field(default_factory=lambda: Context.model_validate({}))
    basket_cents: int | None = Field(None, ge=0, le=10**10, description="Minor units; missing means no cart yet.")
    delivery_fee_cents: int | None = Field(None, ge=0, le=10**8)
    language: Language | None = None


class EventShape(Shape):
    """One event; which properties a type takes is in the reference of events."""

    event_id: Id = Field(description="Chosen by the app; a repeated one is counted as duplicate and changes nothing.")
    type: str = Field(max_length=40)
    customer_id: Id
    at: AwareDatetime | None = Field(None, description="Instant with offset; missing means the moment of receipt.")
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
