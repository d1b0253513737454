"""`POST /v1/events`: on disk before the answer, and counted by the very next recommendation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from sqlalchemy.exc import OperationalError

from api.http.auth import Caller, requires, utc_now
from api.http.json_body import JsonRoute
from api.http.openapi import answers
from api.routes.recommend import as_bytes
from api.schemas.requests import EventShape, EventsRequest, instant_or
from api.schemas.responses import EventsAnswer
from api.serving.state import ServingState
from engine.customers.consents import record_consent_events
from engine.database.session import transaction
from engine.errors import DatabaseUnavailable
from engine.events.event import Event
from engine.events.inbox import store
from engine.events.orders import named_items
from engine.events.validate import check_event

router = APIRouter(prefix="/v1", tags=["events"], route_class=JsonRoute)
MOST_NAMED = 20


@router.post(
    "/events",
    summary="Report what customers did",
    status_code=202,
    responses=answers(EventsAnswer, {"accepted": 1, "duplicates": 0, "fresh": True}, status=202),
)
async def events(
    request: Request, body: EventsRequest, caller: Annotated[Caller, Depends(requires("events"))]
) -> Response:
    """Store a batch of up to 1,000 events, all or none; repeated `event_id`s are counted as duplicates.

    The events are on disk before the answer. `fresh` is false while Redis does not answer: the events are kept, and
    count for recommendations as soon as it does. `unknown_items` names up to 20 dishes that neither history nor the
    items table knew at the last training: their events are kept, and count once training knows them.
    """
    live: ServingState = request.app.state.live
    now = utc_now()
    received = [received_event(shape, now) for shape in body.events]
    for i, event in enumerate(received):
        check_event(event, now, f"events[{i}]")
    try:
        new = await run_in_threadpool(_store, live, received, now, caller)
    except OperationalError as error:
        raise DatabaseUnavailable(
            "events cannot be stored: the database does not answer; send the batch again"
        ) from error
    fresh = await live.fold(new)
    answer: EventsAnswer = {"accepted": len(new), "duplicates": len(received) - len(new), "fresh": fresh}
    if unknown := unknown_items(live, new):
        answer["unknown_items"] = unknown
    response = as_bytes(answer)
    response.status_code = 202
    return response


def received_event(shape: EventShape, now: datetime) -> Event:
    """Return the event of a request; one without an instant happened `now`."""
    return Event(shape.event_id, shape.type, shape.customer_id, instant_or(shape.at, now), shape.properties)


def unknown_items(live: ServingState, stored: list[Event]) -> list[str]:
    """Return up to MOST_NAMED dishes of these events that the version in service does not know; none before any is."""
    if live.snapshot is None:
        return []
    ids = named_items(stored)
    rows = live.snapshot.published.items.rows_of(ids)
    return [item for item, row in zip(ids, rows.tolist(), strict=True) if row < 0][:MOST_NAMED]


def _store(live: ServingState, received: list[Event], now: datetime, caller: Caller) -> list[Event]:
    """Store the batch, and its consent events in the consent log too, in one transaction."""
    with transaction(live.engine) as session:
        new = store(session, received, now)
        record_consent_events(session, new, source=f"key:{caller.key_id}")
        return new
