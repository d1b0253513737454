"""`GET /health/live`, `GET /health/ready` and `GET /metrics`: is it well, and how busy."""

from __future__ import annotations

import os
import time
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.auth import Caller, requires
from api.http.openapi import answers
from api.routes.recommend import as_bytes
from api.schemas.responses import AliveAnswer, ReadyAnswer
from api.serving.state import ServingState

router = APIRouter()
READY_EXAMPLE = {"status": "ready", "model_version": "20260116T030000000000Z", "online": "ok", "database": "ok"}
NOT_READY = answers(ReadyAnswer, READY_EXAMPLE | {"status": "not_ready", "model_version": None}, status=503)
READY = answers(ReadyAnswer, READY_EXAMPLE) | NOT_READY

REQUESTS = Counter("regulars_requests_total", "Requests by route and status.", ["route", "status"])
SECONDS = Histogram(
    "regulars_request_seconds",
    "Time to answer by route.",
    ["route"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
SWAPS = Counter("regulars_artifact_swaps_total", "Artifacts swapped in.")
_series: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
ONLINE = Gauge("regulars_online_ok", "1 while the online state is complete.", multiprocess_mode="min")


@router.get(
    "/health/live", tags=["health"], summary="The process runs", responses=answers(AliveAnswer, {"status": "live"})
)
async def live() -> Response:
    """Answer 200 as long as the process can answer at all."""
    body: AliveAnswer = {"status": "live"}
    return as_bytes(body)


@router.get("/health/ready", tags=["health"], summary="It can answer", responses=READY)
async def ready(request: Request) -> Response:
    """Say `ready`, `degraded` (answers go on without fresh events or writes), or `not_ready` (503: no model)."""
    state: ServingState = request.app.state.live
    database = await state.database_answers()
    body: ReadyAnswer = {
        "status": "ready",
        "model_version": state.snapshot.published.version if state.snapshot else None,
        "online": state.online_state,
        "database": "ok" if database else "down",
    }
    if state.fault:
        body["fault"] = state.fault
    if state.online_state != "ok" or not database or state.fault:
        body["status"] = "degraded"
    if state.snapshot is None:
        body["status"] = "not_ready"
    response = as_bytes(body)
    response.status_code = 503 if body["status"] == "not_ready" else 200
    return response


@router.get("/metrics", tags=["health"], summary="Prometheus metrics", response_class=PlainTextResponse)
async def metrics(request: Request, _caller: Annotated[Caller, Depends(requires("metrics"))]) -> Response:
    """Return the metrics of this process, or of all workers where several serve."""
    state: ServingState = request.app.state.live
    ONLINE.set(1 if state.online_state == "ok" else 0)
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def note(route: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    found = _series.get((route, status))
    if found is None:
        # Looking a series up by its labels takes longer than counting in it; routes and statuses are few.
        try:
            found = _series[route, status] = (REQUESTS.labels(route, str(status)), SECONDS.labels(route))
        except OSError:
            # Several workers count in files: where those cannot be made, an answer is worth more than its count.
            return
    found[0].inc()
    found[1].observe(seconds)


class Measured:
    """Counts and times every request by its route's pattern, never by its raw path (ids would make endless series)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note its status when the answer starts; 500 where none ever does."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            note(getattr(scope.get("route"), "path_format", "unknown"), status, time.perf_counter() - started)
