"""`/v1/segments`: list, read, save, count, preview and explain segments, by name or as a tree."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, StrictInt
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from api.http.auth import Caller, requires, utc_now
from api.http.json_body import JsonRoute
from api.http.openapi import answers
from api.routes.recommend import as_bytes
from api.schemas.requests import PRINTABLE, Id
from api.schemas.responses import (
    CountAnswer,
    ExplainAnswer,
    PreviewAnswer,
    SavedAnswer,
    SchemaAnswer,
    SegmentAnswer,
    SegmentsAnswer,
)
from api.serving.state import ServingState
from engine.database.session import transaction
from engine.errors import DatabaseUnavailable
from engine.segments import library, preview
from engine.segments.explain import explain_membership
from engine.segments.inputs import SegmentSources
from engine.segments.rule import Rule
from engine.segments.schema import segment_json_schema
from engine.segments.sources import OpenSession, home_segment_sources, segment_instant

router = APIRouter(prefix="/v1/segments", tags=["segments"], route_class=JsonRoute)
Found = TypeVar("Found")
MayUse = Annotated[Caller, Depends(requires("segments"))]
Name = Annotated[str, Path(min_length=1, max_length=80, pattern=PRINTABLE)]
LISTED_EXAMPLE = {
    "segment": "lapsed_vip", "ready": False, "version": 2, "created_at": "2026-03-01T09:00:00+00:00",
    "created_by": "key:3f0c", "rule": {"all": [{"segment": "dormant"}, {"tier": "platinum"}]},
}  # fmt: skip
SEGMENT_EXAMPLE = {
    "segment": "lapsed_vip",
    "rule": {"all": [{"segment": "dormant"}, {"tier": "platinum"}]},
    "versions": [{"version": 2, "created_at": "2026-03-01T09:00:00+00:00", "created_by": "key:3f0c"}],
}
SAVED_EXAMPLE = {"segment": "lapsed_vip", "version": 2, "new": True}
COUNT_EXAMPLE = {"as_of": "2026-03-01T00:00:00+00:00", "customers": 1204}
PREVIEW_EXAMPLE = {
    **COUNT_EXAMPLE,
    "reach": {"push": {"address": 1000, "not_refused": 900, "agreed": 610}},
    "sample": [{"customer_id": "c-1042", "language": "zh", "zone": "old-town"}],
}
EXPLAIN_EXAMPLE = {
    "as_of": "2026-03-01T00:00:00+00:00",
    "customer_id": "c-1042",
    "matched": False,
    "explained": {
        "kind": "clause", "matched": False, "field": "orders", "operator": "at_least", "expected": 2, "value": 1,
    },
}  # fmt: skip


class Asked(BaseModel):
    """Which segment, as of when."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"segment": "one_timers"}]})
    segment: str | dict[str, Any] = Field(description="The name of a ready or saved segment, or a rule's tree.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="What a named segment takes.")
    as_of: str | None = Field(default=None, description="A date or an instant; default the newest order's day.")


class PreviewAsked(Asked):
    """Also how many to show."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"segment": {"tier": "platinum"}, "sample": 5}]})
    sample: StrictInt = Field(default=20, ge=0, le=1000, description="How many customers to show.")


class ExplainAsked(Asked):
    """Also whom to explain."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"segment": "dormant", "customer_id": "c-1042"}]})
    customer_id: Id


class Saved(BaseModel):
    """What to save: a rule's tree, or one with name, about, parameters and rule."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"definition": {"orders": {"at_least": 2}}}]}
    )
    definition: dict[str, Any]


@router.get("", summary="Ready and saved segments", responses=answers(SegmentsAnswer, {"segments": [LISTED_EXAMPLE]}))
async def segments(request: Request, _caller: MayUse) -> Response:
    """List every segment with its names, sentence and definition; saved ones with their newest version."""
    live: ServingState = request.app.state.live

    def found() -> list[dict[str, object]]:
        with transaction(live.engine) as session:
            return [each.as_json() for each in library.list_segments(session)]

    return as_bytes({"segments": await _answer(found)})


@router.get("/schema", summary="JSON Schema of a segment", responses=answers(SchemaAnswer, {"title": "Segment"}))
async def schema(_caller: MayUse) -> Response:
    """Return the JSON Schema a segment's tree follows."""
    return as_bytes(segment_json_schema())


@router.get(
    "/{name}",
    summary="One segment and its versions",
    responses=answers(SegmentAnswer, SEGMENT_EXAMPLE, 404),
)
async def segment(request: Request, name: Name, _caller: MayUse) -> Response:
    """Return a segment's definition, and who saved which version when."""
    live: ServingState = request.app.state.live

    def found() -> dict[str, object]:
        with transaction(live.engine) as session:
            versions = [row.as_json() for row in library.segment_versions(session, name)]
            return {"segment": name, **library.find_segment_definition(session, name).as_json(), "versions": versions}

    return as_bytes(await _answer(found))


@router.put("/{name}", summary="Save a segment", responses=answers(SavedAnswer, SAVED_EXAMPLE, 409))
async def save(request: Request, name: Name, body: Saved, caller: MayUse) -> Response:
    """Save a definition as the next version of `name`; the same again makes none."""
    live: ServingState = request.app.state.live

    def saved() -> dict[str, object]:
        with transaction(live.engine) as session:
            row, fresh = library.save_segment(
                session, utc_now(), name=name, tree=body.definition, currency=live.settings.currency,
                actor=f"key:{caller.key_id}",
            )  # fmt: skip
            return {"segment": name, "version": row.version, "new": fresh}

    return as_bytes(await _answer(saved))


@router.post("/count", summary="How many are in it", responses=answers(CountAnswer, COUNT_EXAMPLE))
async def count(request: Request, body: Asked, _caller: MayUse) -> Response:
    """Count the customers in a segment."""

    def counted(rule: Rule, sources: SegmentSources, at: datetime, _open_session: OpenSession) -> dict[str, object]:
        return {"as_of": at, "customers": preview.count_members(rule, sources, at)}

    return as_bytes(await _asked(request, body, counted))


@router.post(
    "/preview",
    summary="Count, reach and a sample",
    responses=answers(PreviewAnswer, PREVIEW_EXAMPLE),
)
async def previewed(request: Request, body: PreviewAsked, _caller: MayUse) -> Response:
    """Return how many are in a segment, how many each channel reaches, and a sample drawn by hash."""

    def shown(rule: Rule, sources: SegmentSources, at: datetime, open_session: OpenSession) -> dict[str, object]:
        return preview.preview_segment(rule, sources, at, open_session=open_session, sample=body.sample).as_json()

    return as_bytes(await _asked(request, body, shown))


@router.post(
    "/explain",
    summary="Why a customer is in or out",
    responses=answers(ExplainAnswer, EXPLAIN_EXAMPLE, 404),
)
async def explained(request: Request, body: ExplainAsked, _caller: MayUse) -> Response:
    """Return every clause of a segment with the value one customer met it with."""

    def explanation(rule: Rule, sources: SegmentSources, at: datetime, _open_session: OpenSession) -> dict[str, object]:
        found = explain_membership(rule, sources, at, body.customer_id)
        return {"as_of": at, "customer_id": body.customer_id, "matched": found.matched, "explained": found.as_json()}

    return as_bytes(await _asked(request, body, explanation))


async def _asked(
    request: Request, body: Asked, answer: Callable[[Rule, SegmentSources, datetime, OpenSession], dict[str, object]]
) -> dict[str, object]:
    live: ServingState = request.app.state.live

    def open_session() -> AbstractContextManager[Session]:
        return transaction(live.engine)

    def found() -> dict[str, object]:
        with open_session() as session:
            rule = library.segment_rule(
                session, body.segment, body.parameters, currency=live.settings.currency, where="parameters"
            )
        at = segment_instant(live.settings, body.as_of, now=utc_now(), where="as_of")
        sources = home_segment_sources(live.settings, open_session, exact=body.as_of is not None)
        return answer(rule, sources, at, open_session)

    return await _answer(found)


async def _answer(work: Callable[[], Found]) -> Found:
    try:
        return await run_in_threadpool(work)
    except OperationalError as error:
        raise DatabaseUnavailable("segments cannot be read: the database does not answer") from error
