"""Every error as problem+json (RFC 9457): status, stable code, what to do, and the field it is about."""

from __future__ import annotations

from collections.abc import Sequence
from secrets import token_hex
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    InputError,
    NoHistory,
    NotFound,
    RegularsError,
    Unauthorised,
    Unavailable,
)

log = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"
# What a caller sent comes back in a message only this long, and of ten thousand wrong ids so many.
MOST_SAID = 500
MOST_ERRORS = 20
STATUS: tuple[tuple[type[RegularsError], int], ...] = (
    (Unauthorised, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (BadRequest, 422),
    (InputError, 422),
    (Unavailable, 503),
    (NoHistory, 503),
    (RegularsError, 500),
)


class NoModel(Unavailable):
    """Nothing has been published yet, so there is nothing to answer from."""

    code = "no_model"


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    field: str | None = None,
    errors: Sequence[dict[str, str]] = (),
    request_id: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return one problem document; `errors` lists every wrong field when there are several.

    `request_id` is what the log knows the request by.
    """
    body: dict[str, Any] = {
        "type": f"urn:regulars:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "code": code,
        "detail": _sayable(detail),
    }
    if field is not None:
        body["field"] = _sayable(field)
    if errors:
        told = errors[:MOST_ERRORS]
        body["errors"] = [{name: _sayable(text) for name, text in error.items()} for error in told]
    if request_id is not None:
        body["request_id"] = request_id
    return Response(orjson.dumps(body), status, media_type=MEDIA_TYPE, headers=headers)


def install(app: FastAPI) -> None:
    """Make `app` answer every fault with a problem document."""
    app.add_middleware(Caught)

    @app.exception_handler(RegularsError)
    async def known(_request: Request, error: RegularsError) -> Response:
        status = next(s for kind, s in STATUS if isinstance(error, kind))
        headers = {"WWW-Authenticate": 'Bearer, Basic realm="regulars"'} if status == 401 else None
        return problem(status, error.code, error.message, field=error.where, headers=headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        errors = [
            {"field": _path(e["loc"], error.body), "code": e["type"], "message": e["msg"]} for e in error.errors()
        ]
        first = errors[0]
        if first["code"] == "json_invalid":
            broken = error.errors()[0]
            detail = f"is not JSON at character {broken['loc'][-1]}: {broken.get('ctx', {}).get('error', 'unreadable')}"
            return problem(422, "malformed_json", detail, field="body")
        # Where a field may be one thing or another, each kind has its own complaint.
        told = dict.fromkeys(each["message"] for each in errors if each["field"] == first["field"])
        return problem(422, "bad_request", "; or: ".join(told), field=first["field"], errors=errors)

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}.get(error.status_code, "http_error")
        return problem(error.status_code, code, str(error.detail), headers=dict(error.headers or {}))


class Caught:
    """Answers what nobody foresaw with a problem that says nothing of the inside; the log has it by `request_id`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; an answer that had begun cannot be taken back, and ends with the connection."""
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except Exception:
            if begun or scope["type"] != "http":
                raise
            request_id = token_hex(16)
            route = getattr(scope.get("route"), "path", "unknown")
            log.exception("request_failed", request_id=request_id, method=scope["method"], route=route)
            detail = "a fault of the service, not of the request; its log says more under this request_id"
            await problem(500, "internal", detail, request_id=request_id)(scope, receive, send)


def _sayable(text: str) -> str:
    """Return what was sent as an answer can hold it: a lone surrogate is no text, and a megabyte no message."""
    return text[:MOST_SAID].encode(errors="replace").decode()


def _path(location: Sequence[str | int], body: object) -> str:
    """Turn ("body", "context", "at") into `context.at` and list positions into `[2]`.

    What validation adds of its own, such as which kind of several was tried, leads nowhere in `body` and is left out.
    """
    if not location or location[0] != "body":
        return ".".join(str(part) for part in location[1:]) or "body"
    text, here = "", body
    for part in location[1:]:
        if isinstance(here, dict):
            text += f".{part}" if text else str(part)
            here = here.get(part)
        elif isinstance(here, list) and isinstance(part, int):
            text += f"[{part}]"
            here = here[part] if part < len(here) else None
    return text or "body"
