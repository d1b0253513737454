"""The service whole: routes, errors, documentation, and what lives as long as the process."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import resources
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.auth import Caller, KeyRing, requires
from api.http.fast_path import FastPath
from api.http.openapi import with_shapes
from api.http.problems import install, problem
from api.routes import coupons, customers, events, health, lists, recommend, segments
from api.schemas.events import with_event_types
from api.serving.state import ServingState
from engine.database.session import connect
from engine.events.online.open import open_online
from engine.runtime.logs import configure_logs
from engine.runtime.threads import one_blas_thread
from engine.settings import Settings

ROUTERS = (recommend, lists, coupons, events, customers, segments, health)
SWITCH_S = 0.0005
MOST_BYTES = 4 * 1024 * 1024
TOO_LARGE = f"the body is larger than {MOST_BYTES:,} bytes; send smaller batches"
ABOUT = """Dish and coupon recommendations for the ordering app, and the events it reports.

Every route but `/health/*` asks for an API key: `Authorization: Bearer <key>`. A browser that opens this page is asked
for a password: give the key (any user name). Errors are `application/problem+json` with a stable `code` and, where one
field is wrong, its path in `field`.
"""
MayRead = Annotated[Caller, Depends(requires("docs"))]
ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}


class Service(FastAPI):
    """The routes with their fast path before everything else."""

    fast_path: FastPath | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the fast path where there is one."""
        await (self.fast_path or super().__call__)(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, shapes of answers and problems included."""
        if self.openapi_schema is None:
            routes = (route for module in ROUTERS for route in module.router.routes)
            with_event_types(with_shapes(super().openapi(), routes))
        return super().openapi()

    def enable_fast_path(self, routes: Sequence[BaseRoute]) -> None:
        """Let plainly right requests to `routes` go past the framework."""
        self.fast_path = FastPath(super().__call__, routes, owner=self, most_bytes=MOST_BYTES, noted=health.note)


def build(settings: Settings) -> Service:
    """Return the service for `settings`; nothing is opened before it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        one_blas_thread()
        # A new version is read in a thread beside the requests; they must not wait the usual 5 ms for their turn.
        sys.setswitchinterval(SWITCH_S)
        engine = connect(settings)
        app.state.keys = KeyRing(engine)
        app.state.live = ServingState(settings, engine, open_online(settings.redis_url))
        app.state.live.refresher.on_swap = lambda _version: health.SWAPS.inc()
        await app.state.live.start()
        yield
        await app.state.live.stop()
        engine.dispose()

    app = Service(
        title="Regulars",
        version=version("regulars"),
        description=ABOUT,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    install(app)
    app.add_middleware(LimitBody)
    app.add_middleware(health.Measured)
    for module in ROUTERS:
        app.include_router(module.router)
    _document(app)
    app.enable_fast_path([*recommend.router.routes, *lists.router.routes])
    return app


def from_environment() -> Service:
    """Return the service for the process's environment; uvicorn calls this in every worker."""
    settings = Settings.from_environment(os.environ)
    configure_logs(settings.log_level)
    return build(settings)


class LimitBody:
    """Refuses bodies over 4 MiB before they are read into memory whole."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what arrives, whatever the Content-Length header claims."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > MOST_BYTES:
            refusal = problem(413, "too_large", TOO_LARGE, field="body")
            await refusal(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > MOST_BYTES:
                # FastAPI turns any other exception out of a body into 400.
                raise HTTPException(413, TOO_LARGE)
            return message

        await self.app(scope, counted, send)


def _document(app: FastAPI) -> None:
    """Serve OpenAPI and its page from files in the environment: no content delivery network at run time."""

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi(_request: Request, _caller: MayRead) -> Response:
        return recommend.as_bytes(app.openapi())

    @app.get("/docs", include_in_schema=False)
    async def docs(_request: Request, _caller: MayRead) -> Response:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="Regulars API",
            swagger_js_url="/docs/swagger-ui-bundle.js",
            swagger_css_url="/docs/swagger-ui.css",
            swagger_favicon_url="data:,",
        )

    @app.get("/docs/{asset}", include_in_schema=False)
    async def docs_asset(asset: str, _caller: MayRead) -> Response:
        if asset not in ASSETS:
            return problem(404, "not_found", "no such file")
        content = resources.files("fastapi_offline").joinpath("static", asset).read_bytes()
        return Response(content, media_type=ASSETS[asset], headers={"Cache-Control": "private, max-age=86400"})
