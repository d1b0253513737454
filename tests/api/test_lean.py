"""The short way through a route says what the long way says."""

from __future__ import annotations

import json

import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from fastapi.testclient import TestClient

from api.lean import LeanRoute
from api.problems import install
from api.schemas import DishesRequest

BODIES = [
    b'{"customer_id": "ann", "limit": 3}',
    b"{}",
    b"",
    b"null",
    b"[]",
    b"{",
    b'{"limit": NaN}',
    b'{"limit": "3"}',
    b'{"limit": 3.0}',
    b'{"limit": 0}',
    b'{"unheard_of": 1}',
    b'{"customer_id": "\\ud800"}',
    b'{"customer_id": "\xff"}',
    b'{"context": {"at": "yesterday"}}',
    b'{"context": {"at": 1700000000}}',
    b'{"limit": 123456789012345678901234567890}',
]


def served(route_class=None) -> TestClient:
    router = APIRouter(**({"route_class": route_class} if route_class else {}))

    @router.post("/dishes")
    async def dishes(request: Request, body: DishesRequest) -> Response:
        return Response(f"{request.method} {body!r}")

    app = FastAPI()
    install(app)
    app.include_router(router)
    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "text/plain", None])
@pytest.mark.parametrize("body", BODIES)
def test_every_body_gets_the_answer_that_fastapi_gives(body, kind) -> None:
    headers = {} if kind is None else {"content-type": kind}
    short, long = (app.post("/dishes", content=body, headers=headers) for app in (served(LeanRoute), served()))
    assert (short.status_code, short.content) == (long.status_code, long.content)


def test_a_body_in_many_pieces_is_read_whole() -> None:
    content = json.dumps({"exclude": [f"d{i}" for i in range(3000)]}).encode()
    pieces = (content[i : i + 1000] for i in range(0, len(content), 1000))
    answer = served(LeanRoute).post("/dishes", content=pieces, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert "'d2999'" in answer.text


def test_it_documents_itself_like_any_route() -> None:
    assert served(LeanRoute).app.openapi() == served().app.openapi()  # type: ignore[attr-defined]
