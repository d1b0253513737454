"""`GET /v1/customers/{id}`: what is known of one customer, in one answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from sqlalchemy.exc import OperationalError

from api.http.auth import Caller, requires, utc_now
from api.http.json_body import JsonRoute
from api.http.openapi import answers
from api.routes.recommend import as_bytes
from api.schemas.requests import PRINTABLE
from api.schemas.responses import CustomerAnswer
from api.serving.state import ServingState
from campaigns.rewards.coupons import IssuedCoupon, open_coupons, unused_coupons
from engine.customers.consents import ANY_CHANNEL
from engine.customers.overview import CustomerOverview, customer_overview
from engine.database.session import transaction
from engine.errors import DatabaseUnavailable, NotFound

router = APIRouter(prefix="/v1", tags=["customers"], route_class=JsonRoute)

CUSTOMER_EXAMPLE = {
    "customer_id": "c-1042",
    "figures": {"orders": 12, "revenue_cents": 28810, "days_since_last_order": 6.2},
    "profile": {"rfm_group": "loyal", "tier": "gold", "lifecycle": "active", "p_no_order": 0.21},
    "why": {"lifecycle": "ordered 6 days ago and usually orders every 9 days"},
    "as_of": "2026-01-16T00:00:00+00:00",
    "favourites": [{"item_id": "d-0007", "orders": 6}],
    "latest_orders": [{"order_id": "9001", "ordered_at": "2026-01-16T04:09:30+00:00", "order_cents": 3600}],
    "latest_events": [{"event_id": "e-1", "type": "view", "at": "2026-01-16T04:02:11+00:00", "properties": {}}],
    "coupons": [],
    "consent": {"any": True},
    "reachable": {"phone": True, "email": False, "push_token": True},
}


@router.get(
    "/customers/{customer_id:path}",
    summary="One customer whole",
    responses=answers(CustomerAnswer, CUSTOMER_EXAMPLE, 404),
)
async def customer(
    request: Request,
    customer_id: Annotated[str, Path(min_length=1, max_length=200, pattern=PRINTABLE)],
    _caller: Annotated[Caller, Depends(requires("customers"))],
) -> Response:
    """Return a customer's figures, groups and why, favourites, latest orders and events, open coupons and consent.

    `figures` count delivered orders up to now, those of the inbox included; `profile` and `why` are of the customer
    table built last, as of `as_of`, null where it does not hold them; `latest_events` shows what came in since. Contact
    details stay sealed: `reachable` says only which there are.
    """
    live: ServingState = request.app.state.live
    try:
        found = await run_in_threadpool(_whole, live, customer_id, utc_now())
    except OperationalError as error:
        raise DatabaseUnavailable("the customer cannot be read: the database does not answer") from error
    if found is None:
        raise NotFound("no order, registration or event names this customer", where="customer_id")
    return as_bytes(found)


def _whole(live: ServingState, customer_id: str, now: datetime) -> CustomerAnswer | None:
    with transaction(live.engine) as session:
        found = customer_overview(live.settings, session, customer_id, now=now)
        if found is None:
            return None
        coupons = unused_coupons(open_coupons(session, customer_id, at=now), found.orders)
    return customer_body(customer_id, found, coupons)


def customer_body(customer_id: str, found: CustomerOverview, coupons: Sequence[IssuedCoupon]) -> CustomerAnswer:
    """Return the JSON form of a customer."""
    return {
        "customer_id": customer_id,
        "figures": found.figures,
        "profile": found.profile,
        "why": found.why,
        "as_of": found.as_of,
        "favourites": [{"item_id": item, "orders": orders} for item, orders in found.favourites],
        "latest_orders": found.latest_orders,
        "latest_events": [
            {"event_id": each.event_id, "type": each.type, "at": each.at, "properties": dict(each.properties)}
            for each in found.latest_events
        ],
        "coupons": [
            {"code": c.code, "offer_id": c.offer_id, "campaign": c.campaign_id, "expires_at": c.expires_at}
            for c in coupons
        ],
        "consent": {ANY_CHANNEL: found.consent},
        "reachable": found.reachable,
    }
