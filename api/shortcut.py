"""The way of every order: a request that is plainly right goes straight to its route's function.

FastAPI takes longer to find a route and solve its dependencies than the models take to answer. What a route declares,
and what it says to a wrong request, stay FastAPI's: whatever is not plainly right is handed to it as if unread.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from fastapi import Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.errors import RegularsError

JSON = b"application/json"


class Shortcut:
    """Calls routes that take one JSON body and checks of the request, and that change nothing.

    A check or route that refuses is asked again by FastAPI, which then says why.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self.app = app
        self.ways = {route.path: Way(route) for route in routes if isinstance(route, APIRoute)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what can be answered at once; pass everything else on."""
        way = self.ways.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if way is None or not any(n == b"content-type" and v.startswith(JSON) for n, v in scope["headers"]):
            await self.app(scope, receive, send)
            return
        content, more = b"", True
        try:
            while more:
                message = await receive()
                if message["type"] != "http.request":  # the caller hung up
                    return
                content += message.get("body", b"")
                more = message.get("more_body", False)
            response = await way.answer(Request(scope, receive), content)
        except (ValueError, RegularsError):
            await self.app(scope, _again(content, receive), send)
            return
        except HTTPException as error:
            await self.app(scope, _refusing(error), send)
            return
        scope["route"] = way.route
        await response(scope, receive, send)


class Way:
    """One route without the framework around it."""

    def __init__(self, route: APIRoute) -> None:
        (body,) = route.dependant.body_params
        self.route = route
        self._validate = body.field_info.annotation.__pydantic_validator__.validate_python  # type: ignore[union-attr]
        self._body, self._request = body.name, str(route.dependant.request_param_name)
        self._checks: list[tuple[str, Any]] = [(str(check.name), check.call) for check in route.dependant.dependencies]

    async def answer(self, request: Request, content: bytes) -> ASGIApp:
        """Return the route's response. Raises ValueError or RegularsError for whatever FastAPI shall answer."""
        given: dict[str, Any] = {self._body: self._validate(orjson.loads(content)), self._request: request}
        for name, check in self._checks:
            given[name] = await check(request)
        response: ASGIApp = await self.route.endpoint(**given)
        return response


def _again(content: bytes, receive: Receive) -> Receive:
    """Return a `receive` that tells the body once more."""
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": content, "more_body": False}

    return replay


def _refusing(error: HTTPException) -> Receive:
    async def refuse() -> Message:
        raise error

    return refuse
