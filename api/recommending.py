"""`POST /v1/recommend/dishes`: the hot route; one look at the online state, then arithmetic, then bytes."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import uuid4

import orjson
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from api.keys import Caller, requires, utc_now
from api.live import Live
from api.schemas import DishesRequest, instant_or
from engine.ranking.recommend import DishAnswer, DishRequest, recommend_dishes

router = APIRouter(prefix="/v1/recommend", tags=["recommend"])

DISHES_EXAMPLE = {
    "request_id": "5f0c7d5e1f3b4c0c8d1f0f6f3e0f2a11",
    "model_version": "20260116T030000000000Z",
    "items": [
        {
            "item_id": "d-0007",
            "name": "Mapo tofu",
            "score": 0.412,
            "source": "repeat",
            "reason": {"code": "ordered_before", "text": "You ordered this 6 times"},
        }
    ],
    "notes": [],
}


def example_answer(example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of a successful answer."""
    return {200: {"content": {"application/json": {"example": example}}}}


@router.post("/dishes", summary="Dishes for a customer, here and now", responses=example_answer(DISHES_EXAMPLE))
async def dishes(
    request: Request, body: DishesRequest, _caller: Annotated[Caller, Depends(requires("recommend"))]
) -> Response:
    """Rank the dishes she can order: her usual ones first, and new ones she may like.

    `notes` says what could not be honoured as asked: `unknown_customer` (popular dishes are shown), `unknown_zone`,
    `unknown_vendor`, `fewer_than_asked`.
    """
    live: Live = request.app.state.live
    answering = live.require()
    fresh = await live.recent(body.customer_id)
    context = body.context
    asked = DishRequest(
        customer_id=body.customer_id,
        limit=body.limit,
        at=instant_or(context.at, utc_now()),
        zone=context.zone,
        vendor_id=context.vendor_id,
        latitude=context.latitude,
        longitude=context.longitude,
        cart=tuple(context.cart),
        exclude=tuple(body.exclude),
        candidates=None if body.candidates is None else tuple(body.candidates),
        language=body.language or answering.served.language(body.customer_id),
    )
    answer = recommend_dishes(answering.served, answering.catalog, asked, fresh)
    return as_bytes(_dishes_body(answer, answering.served.version))


def _dishes_body(answer: DishAnswer, version: str) -> dict[str, Any]:
    return {
        "request_id": uuid4().hex,
        "model_version": version,
        "items": [
            {
                "item_id": dish.item_id,
                "name": dish.name,
                "score": dish.score,
                "source": dish.source,
                "reason": {"code": dish.reason.code, "text": dish.reason.text},
            }
            for dish in answer.dishes
        ],
        "notes": list(answer.notes),
    }


def as_bytes(body: dict[str, Any]) -> Response:
    """Return `body` encoded once."""
    return Response(orjson.dumps(body), media_type="application/json")
