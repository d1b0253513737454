"""The way of every order: a request that is plainly right goes straight to its route's function.

FastAPI and its middlewares take longer to find a route and solve its dependencies than the models take to answer. What
a route declares, and what it says to a wrong request, stay FastAPI's: whatever is not plainly right is handed to it as
if unread, and so is what fails for whatever reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

JSON = b"application/json"
Noted = Callable[[str, int, float], None]


class FastPath:
    """Calls routes that take one JSON body and checks of the request, and that change nothing.

    A check or route that refuses or fails is asked again by `app`, which then says why. Bodies over `most_bytes` are
    left to it too. `noted` is told the route, the status and the seconds of what was answered here.
    """

    def __init__(
        self, app: ASGIApp, routes: Iterable[BaseRoute], *, owner: FastAPI, most_bytes: int, noted: Noted
    ) -> None:
        self.app = app
        self.ways = {route.path: FastRoute(route) for route in routes if isinstance(route, APIRoute)}
        self._owner, self._most_bytes, self._noted = owner, most_bytes, noted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what can be answered at once; pass everything else on."""
        way = self.ways.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if way is None or not any(n == b"content-type" and v.startswith(JSON) for n, v in scope["headers"]):
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        message = await receive()
        if message["type"] != "http.request":  # the caller hung up
            return
        content, more = message.get("body", b""), message.get("more_body", False)
        while more and len(content) <= self._most_bytes:
            message = await receive()
            if message["type"] != "http.request":
                return
            content += message.get("body", b"")
            more = message.get("more_body", False)
        # Routes look for what lives as long as the service there.
        scope["app"] = self._owner
        response = None
        if len(content) <= self._most_bytes:
            # Whatever goes wrong goes wrong there again, and is answered and logged as everywhere.
            with suppress(Exception):
                response = await way.answer(Request(scope, receive), content)
        if response is None:
            await self.app(scope, _again(content, more, receive), send)
            return
        await response(scope, receive, send)
        self._noted(way.route.path, response.status_code, time.perf_counter() - started)


class FastRoute:
    """One route without the framework around it."""

    def __init__(self, route: APIRoute) -> None:
        (body,) = route.dependant.body_params
        self.route = route
        self._validate = body.field_info.annotation.__pydantic_validator__.validate_python  # type: ignore[union-attr]
        self._body, self._request = body.name, str(route.dependant.request_param_name)
        self._checks: list[tuple[str, Any]] = [(str(check.name), check.call) for check in route.dependant.dependencies]

    async def answer(self, request: Request, content: bytes) -> Response:
        """Return the route's response. Raises whatever FastAPI shall answer."""
        given: dict[str, Any] = {self._body: self._validate(orjson.loads(content)), self._request: request}
        for name, check in self._checks:
            given[name] = await check(request)
        response: Response = await self.route.endpoint(**given)
        return response


def _again(content: bytes, more: bool, receive: Receive) -> Receive:
    """Return a `receive` that tells once more what was read of the body; `more` says whether there is more to read."""
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": content, "more_body": more}

    return replay
