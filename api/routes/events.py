"""`POST /v1/events`: durable before the answer, and counted by the very next recommendation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from sqlalchemy.exc import OperationalError

from api.http.auth import Caller, requires, utc_now
from api.http.json_body import JsonRoute
from api.routes.recommend import as_bytes
from api.schemas.requests import EventShape, EventsRequest, instant_or
from api.schemas.responses import EventsAnswer, answers
from api.serving.live import Live
from engine.columns import STATUSES
from engine.customers.consents import ANY_CHANNEL, MARKETING, record_consent
from engine.database.session import transaction
from engine.errors import BadRequest, DatabaseUnavailable, did_you_mean
from engine.events.inbox import EVENT_TYPES, SURVEYS, Event, store
from engine.recommend.published.model import ordered_items
from engine.recommend.request import check_point

router = APIRouter(prefix="/v1", tags=["events"], route_class=JsonRoute)
# Clocks of phones run ahead; more than this is a mistake, and would outrank everything that follows.
AHEAD = timedelta(hours=24)
MOST_LINES = 200
MOST_NAMED = 20


@router.post(
    "/events",
    summary="Tell what customers did",
    status_code=202,
    responses=answers(EventsAnswer, {"accepted": 1, "duplicates": 0, "fresh": True}, status=202),
)
async def events(
    request: Request, body: EventsRequest, caller: Annotated[Caller, Depends(requires("events"))]
) -> Response:
    """Store a batch of up to 1,000 events, all or none; repeated `event_id`s are counted as duplicates.

    When the answer leaves, the events are on disk. `fresh` is false while Redis is away: they are kept, and count for
    recommendations as soon as it is back. `unknown_items` names dishes that neither history nor the items table knew at
    the last training, up to 20: their events are kept, and count once training knows them.
    """
    live: Live = request.app.state.live
    now = utc_now()
    told = [checked(shape, now, f"events[{i}]") for i, shape in enumerate(body.events)]
    try:
        new = await run_in_threadpool(_store, live, told, now, caller)
    except OperationalError as error:
        raise DatabaseUnavailable(
            "events cannot be stored: the database does not answer; send the batch again"
        ) from error
    fresh = await live.fold(new)
    answer: dict[str, object] = {"accepted": len(new), "duplicates": len(told) - len(new), "fresh": fresh}
    if strange := unknown_items(live, new):
        answer["unknown_items"] = strange
    response = as_bytes(answer)
    response.status_code = 202
    return response


def unknown_items(live: Live, told: list[Event]) -> list[str]:
    """Return up to MOST_NAMED dishes of these events that the version in service does not know; none before any is."""
    if live.answering is None:
        return []
    ids: dict[str, None] = {}
    for event in told:
        item = event.properties.get("item_id")
        ids.update(dict.fromkeys([*ordered_items(event), *([item] if isinstance(item, str) else [])]))
    rows = live.answering.served.items.rows_of(list(ids))
    return [item for item, row in zip(ids, rows.tolist(), strict=True) if row < 0][:MOST_NAMED]


def checked(shape: EventShape, now: datetime, path: str) -> Event:
    """Return the event, its type and properties checked. Raises BadRequest with the path of what is wrong."""
    if shape.type not in EVENT_TYPES:
        raise BadRequest(f"unknown event type{did_you_mean(shape.type, EVENT_TYPES)}", where=f"{path}.type")
    at = instant_or(shape.at, now)
    if at > now + AHEAD:
        raise BadRequest("lies more than a day in the future; check the clock", where=f"{path}.at")
    kind = EVENT_TYPES[shape.type]
    for name in shape.properties:
        if name not in kind.needs and name not in kind.takes:
            hint = did_you_mean(name, [*kind.needs, *kind.takes])
            raise BadRequest(f"unknown property{hint}", where=f"{path}.properties.{name}")
    for name in kind.needs:
        if shape.properties.get(name) is None:
            raise BadRequest("is missing", where=f"{path}.properties.{name}")
    for name, value in shape.properties.items():
        _check_property(name, value, f"{path}.properties.{name}")
    check_point(shape.properties.get("latitude"), shape.properties.get("longitude"), f"{path}.properties")
    if shape.type == "survey":
        _check_answer(shape.properties["kind"], shape.properties["score"], f"{path}.properties")
    return Event(shape.event_id, shape.type, shape.customer_id, at, shape.properties)


def _check_property(name: str, value: object, path: str) -> None:
    if value is None or name in ANSWER:
        return
    if name == "items":
        _check_lines(value, path)
    elif name == "status":
        if value not in STATUSES:
            raise BadRequest(f"unknown status{did_you_mean(str(value), STATUSES)}", where=path)
    elif name == "granted":
        if not isinstance(value, bool):
            raise BadRequest("expected true or false", where=path)
    elif name.endswith("_cents"):
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10**12:
            raise BadRequest("expected whole minor units, 0 or more", where=path)
    elif name in BOUNDS:
        low, high = BOUNDS[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise BadRequest(f"expected a number from {low} to {high}", where=path)
    else:
        most = LENGTHS.get(name, 200)
        if not isinstance(value, str) or not 0 < len(value) <= most:
            raise BadRequest(f"expected text of 1 to {most} characters", where=path)


BOUNDS: Mapping[str, tuple[float, float]] = {
    "rating": (1, 5),
    "latitude": (-90, 90),
    "longitude": (-180, 180),
    "slot": (0, 10_000),
    "propensity": (1e-9, 1),
}
# Where a text has less room than others.
LENGTHS = {"channel": 40, "purpose": 40}
# What a score may be depends on the kind: `_check_answer` sees both.
ANSWER = ("kind", "score")


def _check_answer(kind: object, score: object, path: str) -> None:
    if not isinstance(kind, str) or kind not in SURVEYS:
        raise BadRequest(f"unknown kind of survey{did_you_mean(str(kind), SURVEYS)}", where=f"{path}.kind")
    low, high = SURVEYS[kind]
    number = isinstance(score, int | float) and not isinstance(score, bool)
    if not number or score not in range(low, high + 1):
        raise BadRequest(f"expected a whole number from {low} to {high} for {kind}", where=f"{path}.score")


def _check_lines(value: object, path: str) -> None:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_LINES:
        raise BadRequest(f"expected a list of 1 to {MOST_LINES} lines", where=path)
    for i, line in enumerate(value):
        if not isinstance(line, dict):
            raise BadRequest("expected {item_id, quantity, unit_price_cents}", where=f"{path}[{i}]")
        for name in line:
            if name not in {"item_id", "quantity", "unit_price_cents"}:
                hint = did_you_mean(name, ["item_id", "quantity", "unit_price_cents"])
                raise BadRequest(f"unknown property{hint}", where=f"{path}[{i}].{name}")
        _check_property("item_id", line.get("item_id") or "", f"{path}[{i}].item_id")
        quantity = line.get("quantity", 1)
        if isinstance(quantity, bool) or not isinstance(quantity, int | float) or not 0 < quantity <= 10_000:
            raise BadRequest("expected a number above 0 and up to 10,000", where=f"{path}[{i}].quantity")
        if "unit_price_cents" in line:
            _check_property("unit_price_cents", line["unit_price_cents"], f"{path}[{i}].unit_price_cents")


def _store(live: Live, told: list[Event], now: datetime, caller: Caller) -> list[Event]:
    """Store the batch and what it says of consent in one transaction."""
    with transaction(live.engine) as session:
        new = store(session, told, now)
        for event in new:
            if event.type == "consent":
                record_consent(
                    session,
                    event.at,
                    customer_id=event.customer_id,
                    granted=event.properties["granted"] is True,
                    source=f"key:{caller.key_id}",
                    channel=str(event.properties.get("channel") or ANY_CHANNEL),
                    purpose=str(event.properties.get("purpose") or MARKETING),
                )
        return new
