"""`GET /v1/customers/{id}`: what is known of one customer, in one answer."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Any

import polars as pl
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
from campaigns.rewards.coupons import open_coupons
from engine.columns import SEALED
from engine.customers.config import read_customer_config
from engine.customers.consents import ANY_CHANNEL, latest_consents
from engine.customers.figures import customer_figures
from engine.customers.profile import customer_profile
from engine.database.session import transaction
from engine.errors import DatabaseUnavailable, NotFound
from engine.events.event import Event
from engine.events.inbox import events_of
from engine.history.opening import open_history
from engine.history.tables import read_table

router = APIRouter(prefix="/v1", tags=["customers"], route_class=JsonRoute)
LATEST_ORDERS = 20
LATEST_EVENTS = 50
FAVOURITES = 5

CUSTOMER_EXAMPLE = {
    "customer_id": "c-1042",
    "figures": {"orders": 12, "revenue_cents": 28810, "days_since_last_order": 6.2},
    "profile": {"rfm_group": "loyal", "tier": "gold", "lifecycle": "active", "p_no_order": 0.21},
    "why": {"lifecycle": "she ordered 6 days ago and usually orders every 9 days"},
    "as_of": "2026-01-16T00:00:00+00:00",
    "favourites": [{"item_id": "d-0007", "orders": 6}],
    "latest_orders": [{"order_id": "9001", "ordered_at": "2026-01-16T04:09:30+00:00", "order_cents": 3600}],
    "latest_events": [{"event_id": "e-1", "type": "view", "at": "2026-01-16T04:02:11+00:00", "properties": {}}],
    "coupons": [],
    "consent": {"any": True},
    "reachable": {"phone": True, "email": False, "push_token": True},
}


@router.get(
    "/customers/{customer_id}",
    summary="One customer whole",
    responses=answers(CustomerAnswer, CUSTOMER_EXAMPLE, 404),
)
async def customer(
    request: Request,
    customer_id: Annotated[str, Path(min_length=1, max_length=200, pattern=PRINTABLE)],
    _caller: Annotated[Caller, Depends(requires("customers"))],
) -> Response:
    """Return her figures, groups and why, favourites, latest orders and events, open coupons and consent.

    `figures` count delivered orders of history up to now; `profile` and `why` are of the customer table built last, as
    of `as_of`, null where it does not hold her; `latest_events` shows what came in since. Contact details stay sealed:
    `reachable` says only which there are.
    """
    live: ServingState = request.app.state.live
    try:
        found = await run_in_threadpool(_whole, live, customer_id, utc_now())
    except OperationalError as error:
        raise DatabaseUnavailable("the customer cannot be read: the database does not answer") from error
    if found is None:
        raise NotFound("no order, registration or event names this customer", where="customer_id")
    return as_bytes(found)


def _whole(live: ServingState, customer_id: str, now: datetime) -> dict[str, Any] | None:
    history = open_history(live.settings)
    own = pl.col("customer_id") == customer_id
    registered = read_table(live.settings, "customers").filter(own)
    orders = history.orders().filter(own).sort("ordered_at", descending=True).collect()
    with transaction(live.engine) as session:
        events = events_of(session, customer_id, limit=LATEST_EVENTS)
        coupons = open_coupons(session, customer_id, at=now)
        said = latest_consents(session, channel=ANY_CHANNEL, customer_ids=[customer_id])
    if registered.is_empty() and orders.is_empty() and not events:
        return None
    profile = _profile(live, customer_id)
    figures = customer_figures(orders.lazy(), registered, as_of=now)
    lines = history.lines().filter(own & (pl.col("status") == "delivered")).select("order_id", "item_id").collect()
    contact = registered.select(*SEALED).row(0, named=True) if registered.height else dict.fromkeys(SEALED)
    return {
        "customer_id": customer_id,
        "figures": {k: v for k, v in figures.row(0, named=True).items() if k != "customer_id"}
        if figures.height
        else {},
        **profile,
        "favourites": favourites(lines),
        "latest_orders": orders.head(LATEST_ORDERS).drop("customer_id", "basket_no").to_dicts(),
        "latest_events": [_event(event) for event in events],
        "coupons": [
            {"code": c.code, "offer_id": c.offer_id, "campaign": c.campaign_id, "expires_at": c.expires_at}
            for c in coupons
        ],
        "consent": {
            ANY_CHANNEL: said.get(customer_id, figures["marketing_consent"].first() if figures.height else None)
        },
        "reachable": {name: contact[name] is not None for name in SEALED if name != "name"},
    }


def _profile(live: ServingState, customer_id: str) -> dict[str, Any]:
    """Return her row of the customer table built last and why she is in each group; null where she is not in it."""
    try:
        found = customer_profile(
            live.settings, customer_id, read_customer_config(None, home=live.settings.home), last_orders=0
        )
    except NotFound:
        return {"profile": None, "why": None, "as_of": None}
    return {"profile": found["figures"], "why": found["why"], "as_of": found["as_of"]}


def favourites(lines: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the dishes in most of her orders, most first, ties by id; `lines` has order_id and item_id."""
    counts = Counter(item for _, item in lines.unique().iter_rows())
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [{"item_id": item, "orders": orders} for item, orders in ranked[:FAVOURITES]]


def _event(event: Event) -> dict[str, Any]:
    return {"event_id": event.event_id, "type": event.type, "at": event.at, "properties": dict(event.properties)}
