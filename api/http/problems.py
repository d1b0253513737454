"""Every error as problem+json (RFC 9457): status, stable code, what to do, and the field it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from http import HTTPStatus
from secrets import token_hex
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.schemas.requests import LANGUAGE, PRINTABLE, REQUEST_ID
from api.schemas.responses import MEDIA_TYPE, FieldError, Problem
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


# By the checker's code, or by the pattern that was not met.
SAID: Mapping[str | None, str] = {
    "timezone_aware": "has no offset; write one, such as +08:00 or Z",
    "extra_forbidden": "is no field of this request; /docs lists them",
    "model_attributes_type": "expected a JSON object, sent with the header content-type: application/json",
    PRINTABLE: "holds a control character, such as a line break, which no id or word has",
    REQUEST_ID: "expected 1 to 64 of the letters A to Z, digits, and _ . : -",
    LANGUAGE: "expected a language tag such as en, zh-CN or pt-BR",
}


class NoModel(Unavailable):
    """Nothing has been published yet, so there is nothing to answer from."""

    code = "no_model"


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    field: str | None = None,
    errors: Sequence[FieldError] = (),
    request_id: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return one problem document; `errors` lists every wrong field when there are several.

    `request_id` is what the log knows the request by.
    """
    body: Problem = {
        "type": f"urn:regulars:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "code": code,
        "detail": _sayable(detail),
    }
    if field is not None:
        body["field"] = _sayable(field)
    if errors:
        body["errors"] = [
            {"field": _sayable(each["field"]), "code": each["code"], "message": _sayable(each["message"])}
            for each in errors[:MOST_ERRORS]
        ]
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
        errors: list[FieldError] = [
            {"field": _path(e["loc"], error.body), "code": e["type"], "message": _message(e)} for e in error.errors()
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
    async def http(request: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}.get(error.status_code, "http_error")
        detail, headers, path = str(error.detail), dict(error.headers or {}), request.url.path
        if detail == HTTPStatus(error.status_code).phrase:
            # Starlette's own: it found no route, or none for this method.
            if code == "not_found":
                near = get_close_matches(path[:MOST_SAID], _paths(app), n=1, cutoff=0.6)
                detail = f"no route {path!r}" + (f"; did you mean {near[0]!r}?" if near else "; /docs lists them all")
            elif code == "method_not_allowed":
                detail = f"{path!r} takes {headers.get('Allow') or headers.get('allow', 'another method')} only"
        return problem(error.status_code, code, detail, headers=headers)


def _paths(app: FastAPI) -> list[str]:
    return list(app.openapi()["paths"])


def _message(error: dict[str, Any]) -> str:
    """Return what to do about a field, where the checker's own words say only what it looks at."""
    pattern = (error.get("ctx") or {}).get("pattern")
    return str(SAID.get(error["type"]) or SAID.get(pattern) or error["msg"])


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
            route = getattr(scope.get("route"), "path_format", "unknown")
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
