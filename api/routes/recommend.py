"""`POST /v1/recommend/dishes`: the hot route; one look at the online state, then arithmetic, then bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from secrets import token_hex
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel

from api.http.auth import Caller, requires, utc_now
from api.http.json_body import JsonRoute
from api.http.openapi import answers
from api.schemas.requests import DishesRequest, ListRequest, instant_or, options_for
from api.schemas.responses import Dish as DishBody
from api.schemas.responses import DishesAnswer
from api.serving.snapshot import ServingSnapshot
from api.serving.state import ServingState
from engine.events.event import Event
from engine.events.values import check_point
from engine.recommend.home import recommend_dishes
from engine.recommend.request import DishRequest, check_instant
from engine.recommend.response import Dish, DishAnswer, exploration_notes

router = APIRouter(prefix="/v1/recommend", tags=["recommend"], route_class=JsonRoute)

JSON = b"application/json"
DISH_EXAMPLE = {
    "item_id": "d-0007",
    "name": "Mapo tofu",
    "score": 0.412,
    "source": "repeat",
    "reason": {"code": "most_weekdays", "text": "You order this most Fridays"},
    "propensity": 1.0,
}
DISHES_EXAMPLE = {
    "request_id": "5f0c7d5e1f3b4c0c8d1f0f6f3e0f2a11",
    "model_version": "20260116T030000000000Z",
    "items": [DISH_EXAMPLE],
    "notes": [],
}


@router.post(
    "/dishes",
    summary="Dishes for a customer, here and now",
    responses=answers(DishesAnswer, DISHES_EXAMPLE),
)
async def dishes(
    request: Request, body: DishesRequest, _caller: Annotated[Caller, Depends(requires("recommend"))]
) -> Response:
    """Rank the dishes a customer can order: their usual ones first, and new ones they may like.

    `notes` says what could not be honoured as asked: `unknown_customer` (popular dishes are shown), `unknown_zone`,
    `unknown_vendor`, `unknown_ids` (counted by field in `unknown_ids`), `past_at`, `list_relaxed`, `fewer_than_asked`
    (then `why_empty` says why). Report what was shown as `impression` events with `request_id`, slot and `propensity`.
    """
    snapshot, asked, fresh, notes = await opened(request, body, body.customer_id, body.lists)
    answer = recommend_dishes(snapshot.published, snapshot.catalog, asked, fresh)
    if body.lists is not None and body.lists.explore_share:
        notes = [*notes, *exploration_notes(asked.options.lists, answer.dishes)]
    return as_bytes(dishes_body(answer, snapshot.published.version, asked.request_id, notes))


async def opened(
    request: Request, body: ListRequest, customer_id: str | None, lists: BaseModel | None = None
) -> tuple[ServingSnapshot, DishRequest, list[Event], Sequence[str]]:
    """Return what to answer from, the request inside, the fresh events, and notes on the instant.

    Raises NoModel, and BadRequest for an instant out of bounds, half a point or options that contradict each other.
    """
    live: ServingState = request.app.state.live
    snapshot = live.require()
    context, now = body.context, utc_now()
    at = instant_or(context.at, now)
    notes = check_instant(snapshot.published, at, now) if context.at is not None else ()
    check_point(context.latitude, context.longitude)
    # What a visitor does before signing in is reported under the session's id.
    fresh = await live.recent(customer_id, context.session_id)
    asked = DishRequest(
        customer_id=customer_id,
        limit=body.limit,
        at=at,
        zone=context.zone,
        vendor_id=context.vendor_id,
        latitude=context.latitude,
        longitude=context.longitude,
        cart=tuple(context.cart),
        exclude=tuple(body.exclude),
        candidates=None if body.candidates is None else tuple(body.candidates),
        language=body.language,
        allergens=tuple(context.allergens),
        diets=tuple(context.diets),
        clicked=tuple(context.clicked),
        referred_by=context.referred_by,
        explain=body.explain,
        options=snapshot.options
        if lists is None
        else replace(snapshot.options, lists=options_for(lists, snapshot.options.lists)),
        request_id=body.request_id or token_hex(16),
    )
    return snapshot, asked, fresh, notes


def dishes_body(answer: DishAnswer, version: str, request_id: str, notes: Sequence[str] = ()) -> DishesAnswer:
    """Return the JSON form of a list of dishes; what has nothing to say is left out, but for `notes`."""
    body: DishesAnswer = {
        "request_id": request_id,
        "model_version": version,
        "items": [dish_body(dish) for dish in answer.dishes],
        "notes": [*answer.notes, *notes],
    }
    if answer.unknown_ids:
        body["unknown_ids"] = dict(answer.unknown_ids)
    if answer.why_short is not None:
        body["why_empty"] = {"code": answer.why_short.code, "text": answer.why_short.text}
    if answer.filters is not None:
        body["filters"] = dict(answer.filters)
    return body


def dish_body(dish: Dish) -> DishBody:
    """Return the JSON form of one dish."""
    body: DishBody = {
        "item_id": dish.item_id,
        "name": dish.name,
        "score": dish.score,
        "source": dish.source,
        "reason": {"code": dish.reason.code, "text": dish.reason.text},
        "propensity": dish.propensity,
    }
    if dish.explained is not None:
        told = dish.explained
        body["explanation"] = {
            "rank": told.rank,
            "contributions": dict(told.contributions),
            "features": None if told.features is None else dict(told.features),
            "changes": list(told.changes),
        }
    return body


def as_bytes(body: Mapping[str, object]) -> Response:
    """Return `body` encoded once."""
    return Encoded(orjson.dumps(body))


class Encoded(Response):
    """JSON that is bytes already, with nothing but its type and length to say of it."""

    media_type = "application/json"

    def __init__(self, body: bytes) -> None:
        # What the class above does for any content, status and headers takes as long as encoding the body.
        self.status_code, self.background, self.body = 200, None, body
        self.raw_headers = [(b"content-length", b"%d" % len(body)), (b"content-type", JSON)]
