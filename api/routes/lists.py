"""The lists beside the home list: similar dishes, add-ons, buy again, vendors, and dishes for a segment."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError

from api.http.auth import Caller, requires, utc_now
from api.http.json_body import JsonRoute
from api.http.openapi import answers
from api.routes.recommend import DISH_EXAMPLE, DISHES_EXAMPLE, as_bytes, dishes_body, opened
from api.schemas.requests import (
    AddonsRequest,
    AgainRequest,
    ListContext,
    SegmentDishesRequest,
    SimilarRequest,
    VendorsRequest,
)
from api.schemas.responses import DishesAnswer, FeaturedDish, FeaturedShape, ListExtras, Vendor, VendorsAnswer
from api.serving.state import ServingState
from engine.database.session import transaction
from engine.errors import DatabaseUnavailable
from engine.recommend.lists.addons import addon_dishes
from engine.recommend.lists.again import dishes_again
from engine.recommend.lists.featured import FeaturedAnswer, feature_dishes
from engine.recommend.lists.similar import similar_dishes
from engine.recommend.lists.vendors import VendorAnswer, recommend_vendors
from engine.segments.facts import members
from engine.segments.library import find_segment_definition, segment_rule
from engine.segments.sources import home_segment_sources, segment_instant

router = APIRouter(prefix="/v1/recommend", tags=["recommend"], route_class=JsonRoute)
MayAsk = Annotated[Caller, Depends(requires("recommend"))]
HEAD = {key: DISHES_EXAMPLE[key] for key in ("request_id", "model_version")}


def _dishes_example(code: str, text: str, *refusals: int) -> dict[int | str, dict[str, Any]]:
    dish = DISH_EXAMPLE | {"item_id": "d-0012", "reason": {"code": code, "text": text}}
    return answers(DishesAnswer, {**HEAD, "items": [dish], "notes": []}, *refusals)


VENDORS_EXAMPLE = {
    **HEAD,
    "items": [
        {
            "vendor_id": "v-012", "name": "Sichuan House", "score": 0.87, "distance_km": 1.2,
            "reason": {"code": "usual_vendor", "text": "You ordered here 9 times"}, "dishes": ["d-0007", "d-0012"],
        }
    ],
    "notes": [],
}  # fmt: skip
SEGMENT_EXAMPLE = {
    **HEAD,
    "members": 1204, "sampled": 300, "everybody": 300,
    "items": [
        {
            "item_id": "d-0007", "name": "Mapo tofu", "score": 0.61, "fits": 132, "share": 0.44, "lift": 1.9,
            "reason": {"code": "group_stands_out", "text": "Suits 44 % of this group, 1.9 times as often as others"},
        }
    ],
    "notes": [],
}  # fmt: skip


@router.post(
    "/similar", summary="Dishes like one", responses=_dishes_example("same_customers", "Customers who order ...", 404)
)
async def similar(request: Request, body: SimilarRequest, _caller: MayAsk) -> Response:
    """Rank dishes like `item_id`, by who orders them and, while it is new, by words. An unknown dish is a 404."""
    snapshot, asked, fresh, notes = await opened(request, body, body.customer_id, body.lists)
    answer = similar_dishes(snapshot.published, snapshot.catalog, asked, fresh, item_id=body.item_id)
    notes = [*notes, *_unexplored(body.lists), *_unused(body.context, "clicked", "referred_by")]
    return as_bytes(dishes_body(answer, snapshot.published.version, asked.request_id, notes))


@router.post(
    "/addons",
    summary="What completes this cart",
    responses=_dishes_example("goes_with", "Often ordered together with Mapo tofu"),
)
async def addons(request: Request, body: AddonsRequest, _caller: MayAsk) -> Response:
    """Rank what goes with `context.cart` in one basket, of the cart's vendors; then what the home list would show."""
    snapshot, asked, fresh, notes = await opened(request, body, body.customer_id, body.lists)
    answer = addon_dishes(snapshot.published, snapshot.catalog, asked, fresh)
    notes = [*notes, *_unexplored(body.lists), *_unused(body.context, "clicked")]
    return as_bytes(dishes_body(answer, snapshot.published.version, asked.request_id, notes))


@router.post(
    "/again",
    summary="Dishes to buy again",
    responses=_dishes_example("due_now", "You order this about every 7 days: time for it again"),
)
async def again(request: Request, body: AgainRequest, _caller: MayAsk) -> Response:
    """Rank only dishes the customer ordered before; orders cancelled, rejected or refunded do not count."""
    snapshot, asked, fresh, notes = await opened(request, body, body.customer_id, body.lists)
    answer = dishes_again(snapshot.published, snapshot.catalog, asked, fresh)
    notes = [*notes, *_unexplored(body.lists), *_unused(body.context, "referred_by")]
    return as_bytes(dishes_body(answer, snapshot.published.version, asked.request_id, notes))


@router.post(
    "/vendors",
    summary="Vendors for a customer, here and now",
    responses=answers(VendorsAnswer, VENDORS_EXAMPLE),
)
async def vendors(request: Request, body: VendorsRequest, _caller: MayAsk) -> Response:
    """Rank the vendors that are open and deliver there, with their best dishes for the customer."""
    snapshot, asked, fresh, notes = await opened(request, body, body.customer_id)
    answer = recommend_vendors(snapshot.published, snapshot.catalog, asked, fresh)
    notes = [*answer.notes, *notes, *_unused(body.context, "clicked")]
    return as_bytes(vendors_body(answer, snapshot.published.version, asked.request_id, notes, explain=body.explain))


@router.post(
    "/for-segment",
    summary="Dishes to feature for a segment",
    responses=answers(FeaturedShape, SEGMENT_EXAMPLE, 404),
)
async def for_segment(request: Request, body: SegmentDishesRequest, _caller: MayAsk) -> Response:
    """Rank dishes that suit many members of a segment, and more of them than of everybody.

    At most 300 members, drawn by hash, are asked: `fits` counts whom of them a dish suits (it is among their 20 best).
    """
    live: ServingState = request.app.state.live
    snapshot, asked, _, notes = await opened(request, body, None)

    def found() -> FeaturedAnswer:
        with transaction(live.engine) as session:
            if isinstance(body.segment, str):
                # Within a rule an unknown name is a wrong rule; here it is a thing we do not have.
                find_segment_definition(session, body.segment)
            rule = segment_rule(
                session, body.segment, body.parameters, currency=live.settings.currency, where="parameters"
            )
        at = segment_instant(live.settings, body.as_of, now=utc_now(), where="as_of")
        sources = home_segment_sources(live.settings, lambda: transaction(live.engine), exact=body.as_of is not None)
        ids = members(rule, sources, at).collect()["customer_id"].to_list()
        return feature_dishes(snapshot.published, snapshot.catalog, asked, ids)

    try:
        answer = await run_in_threadpool(found)
    except OperationalError as error:
        raise DatabaseUnavailable("the segment cannot be read: the database does not answer") from error
    notes = [*answer.notes, *notes, *_unused(body.context, "clicked", "session_id", "referred_by")]
    return as_bytes(featured_body(answer, snapshot.published.version, asked.request_id, notes))


def vendors_body(
    answer: VendorAnswer, version: str, request_id: str, notes: list[str], *, explain: bool
) -> VendorsAnswer:
    """Return the JSON form of a list of vendors; with `explain` each says what its score is made of."""
    items: list[Vendor] = []
    for each in answer.vendors:
        item: Vendor = {
            "vendor_id": each.vendor_id,
            "name": each.name,
            "score": each.score,
            "distance_km": each.distance_km,
            "reason": {"code": each.reason.code, "text": each.reason.text},
            "dishes": list(each.dishes),
        }
        if explain:
            item["explanation"] = {"contributions": each.parts}
        items.append(item)
    return {"request_id": request_id, "model_version": version, "items": items, **_extras(answer), "notes": notes}


def featured_body(answer: FeaturedAnswer, version: str, request_id: str, notes: list[str]) -> FeaturedShape:
    """Return the JSON form of a segment's dishes."""
    items: list[FeaturedDish] = [
        {
            "item_id": each.item_id,
            "name": each.name,
            "score": each.score,
            "fits": each.fits,
            "share": each.share,
            "lift": each.lift,
            "reason": {"code": each.reason.code, "text": each.reason.text},
        }
        for each in answer.dishes
    ]
    return {
        "request_id": request_id,
        "model_version": version,
        "members": answer.members,
        "sampled": answer.sampled,
        "everybody": answer.everybody,
        "items": items,
        **_extras(answer),
        "notes": notes,
    }


def _extras(answer: VendorAnswer | FeaturedAnswer) -> ListExtras:
    extras: ListExtras = {}
    if answer.unknown_ids:
        extras["unknown_ids"] = dict(answer.unknown_ids)
    if answer.why_short is not None:
        extras["why_empty"] = {"code": answer.why_short.code, "text": answer.why_short.text}
    if answer.filters is not None:
        extras["filters"] = dict(answer.filters)
    return extras


def _unexplored(lists: BaseModel | None) -> list[str]:
    """Return the note that no slot was given away by lot where a request asked for it: only the home list does."""
    return ["not_explored"] if lists is not None and getattr(lists, "explore_share", None) else []


def _unused(context: ListContext, *names: str) -> list[str]:
    """Return a note for each of the parts of `context` that were given and that this list has no use for."""
    return [f"{name}_not_used" for name in names if getattr(context, name)]
