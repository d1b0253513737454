"""Bodies read as JSON, and nothing else: what is no JSON, or no text, is refused before anybody works with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from engine.errors import BadRequest

NO_TEXT = "holds half of a surrogate pair, which is no character; send the whole character"
NUL = "holds the character U+0000, which no text has"


class JsonRoute(APIRoute):
    """A route whose body is read by `read_json`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the framework's handler over a request that reads strictly."""
        answer = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await answer(JsonRequest(request.scope, request.receive))
            except HTTPException as error:
                # The framework wraps whatever a body's reading raises.
                if isinstance(error.__cause__, BadRequest):
                    raise error.__cause__ from None
                raise

        return handler


class JsonRequest(Request):
    """A request whose body is strict JSON."""

    async def json(self) -> Any:
        """Return the body read. Raises as `read_json` does."""
        if not hasattr(self, "_json"):
            self._json = read_json(await self.body())
        return self._json


def read_json(body: bytes) -> Any:
    """Return the value of a JSON document.

    Raises json.JSONDecodeError for what is none (other bytes than UTF-8, NaN, or nested too deep, too), and BadRequest
    with the path of a text, or of the place of a name, that no table and no other program could hold.
    """
    try:
        value = orjson.loads(body)
    except json.JSONDecodeError:
        try:
            lenient = json.loads(body)
        except (ValueError, RecursionError):
            lenient = None
        _refuse_no_text(lenient)
        raise
    if b"\\u0000" in body:
        _refuse_no_text(value)
    return value


def _refuse_no_text(value: object) -> None:
    """Raise BadRequest with the path of the first name or text that holds a lone surrogate or U+0000."""
    left: list[tuple[str, object]] = [("", value)]
    while left:
        path, each = left.pop()
        if isinstance(each, dict):
            for name in each:
                _check(name, path or "body")
            left += [(f"{path}.{name}" if path else name, inner) for name, inner in reversed(each.items())]
        elif isinstance(each, list):
            left += reversed([(f"{path}[{i}]", inner) for i, inner in enumerate(each)])
        elif isinstance(each, str):
            _check(each, path or "body")


def _check(text: str, path: str) -> None:
    if "\0" in text:
        raise BadRequest(NUL, where=path)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRequest(NO_TEXT, where=path) from None
