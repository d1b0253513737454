"""Routes on the way of every order: a request that is right goes straight to its function.

FastAPI takes longer to solve a route's dependencies than the models take to answer. What a route declares, and what it
says to a wrong request, stay FastAPI's: whatever is not plainly right is handed to it unread.
"""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import Request
from fastapi.routing import APIRoute
from starlette.types import Message, Receive, Scope, Send

JSON = b"application/json"


class LeanRoute(APIRoute):
    """A route of one JSON body, checks that take the request, and a function that returns a response."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        (body,) = self.dependant.body_params
        self._validate = body.field_info.annotation.__pydantic_validator__.validate_python  # type: ignore[union-attr]
        self._body_name: str = body.name
        self._request_name = str(self.dependant.request_param_name)
        self._checks: list[tuple[str, Any]] = [(str(c.name), c.call) for c in self.dependant.dependencies]
        self._ordinary, self.app = self.app, self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        content = b""
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":  # the caller hung up
                return
            content += message.get("body", b"")
            more = message.get("more_body", False)
        asked = self._read(scope, content)
        if asked is None:
            await self._ordinary(scope, _again(content, receive), send)
            return
        request = Request(scope, receive)
        given = {self._body_name: asked, self._request_name: request}
        for name, check in self._checks:
            given[name] = await check(request)
        response = await self.endpoint(**given)
        await response(scope, receive, send)

    def _read(self, scope: Scope, content: bytes) -> Any:
        """Return the body as the route's model; None where it is not plainly one."""
        if not any(name == b"content-type" and value.startswith(JSON) for name, value in scope["headers"]):
            return None
        try:
            return self._validate(orjson.loads(content))
        except ValueError:
            return None


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
