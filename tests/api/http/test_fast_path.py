"""The short way through a route says what the long way says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import Response
from fastapi.testclient import TestClient

from api.app import Service, build
from api.http.json_body import JsonRoute
from api.http.problems import install
from api.schemas.requests import DishesRequest
from engine.errors import Forbidden, NotFound
from engine.settings import Settings

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
    b'{"limit": true}',
    b'{"explain": "yes"}',
    b'{"explain": 1}',
    b'{"context": {"latitude": true, "longitude": 1}}',
    b'{"context": {"latitude": 31, "longitude": 121.5}}',
    b'{"context": {"latitude": "31", "longitude": 121.5}}',
    b'{"context": {"at": "1764000000"}}',
    b'{"context": {"at": "2026-01-16"}}',
    b'{"context": {"at": "2026-01-16T12:05:00+08:00"}}',
    b'{"lists": {"most_per_vendor": true}}',
    b'{"lists": {"most_per_vendor": 2, "repeat_max": 1}}',
    b'{"lists": {"repeat_max": "1"}}',
    b'{"exclude": ["d1", "\\u0000"]}',
    b'{"\\udfff": 1}',
    b"[" * 2_000 + b"]" * 2_000,
    b'{"exclude": ' + b"[" * 2_000 + b"]" * 2_000 + b"}",
]


async def caller(request: Request) -> str:
    if "x-api-key" in request.headers:
        raise Forbidden("not with this key", where="Authorization")
    return "somebody"


def published(*, short: bool) -> TestClient:
    router = APIRouter(prefix="/v1", route_class=JsonRoute)

    @router.post("/dishes")
    async def dishes(request: Request, body: DishesRequest, _caller: Annotated[str, Depends(caller)]) -> Response:
        ways.append("route" in request.scope)
        if body.customer_id == "gone":
            raise NotFound("no such customer", where="customer_id")
        if body.customer_id == "broken":
            raise ZeroDivisionError
        return Response(f"{_caller} {request.method} {body!r}")

    ways: list[bool] = []
    app = Service() if short else FastAPI()
    app.state.ways = ways
    install(app)
    app.include_router(router)
    if isinstance(app, Service):
        app.enable_fast_path(router.routes)
    return TestClient(app, raise_server_exceptions=False)


def ways_of(app: TestClient) -> list[bool]:
    service: Any = app.app
    found: list[bool] = service.state.ways
    return found


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "text/plain", None])
@pytest.mark.parametrize("body", BODIES)
def test_every_body_gets_the_answer_that_fastapi_gives(body: bytes, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    short, long = (published(short=way).post("/v1/dishes", content=body, headers=headers) for way in (True, False))
    assert (short.status_code, short.content) == (long.status_code, long.content)


def test_a_body_in_many_pieces_is_read_whole() -> None:
    content = json.dumps({"exclude": [f"d{i}" for i in range(3000)]}).encode()
    pieces = (content[i : i + 1000] for i in range(0, len(content), 1000))
    answer = published(short=True).post("/v1/dishes", content=pieces, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert "'d2999'" in answer.text


def test_a_right_request_takes_the_short_way_and_a_refused_one_is_told_why() -> None:
    app = published(short=True)
    assert app.post("/v1/dishes", json={}).status_code == 200
    assert ways_of(app) == [False]  # FastAPI had not found the route yet
    assert app.post("/v1/dishes", json={}, headers={"x-api-key": "k"}).json()["code"] == "forbidden"
    assert app.post("/v1/dishes", json={"customer_id": "gone"}).json()["field"] == "customer_id"
    assert app.get("/v1/dishes").status_code == 405


def test_every_list_has_a_short_way(tmp_path: Path) -> None:
    app = build(Settings.from_environment({}, home=tmp_path))
    lists = {"addons", "again", "dishes", "for-segment", "similar", "vendors"}
    assert app.fast_path is not None
    assert app.fast_path.ways.keys() == {f"/v1/recommend/{name}" for name in lists}


def test_a_route_that_fails_is_answered_as_everywhere() -> None:
    short, long = (published(short=way).post("/v1/dishes", json={"customer_id": "broken"}) for way in (True, False))
    assert short.status_code == long.status_code == 500
    assert short.json() | {"request_id": ""} == long.json() | {"request_id": ""}


def test_a_body_beyond_the_limit_is_left_to_fastapi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.app.MOST_BYTES", 1000)
    app = published(short=True)
    pieces = (b'{"exclude": ["' + b"x" * 900, b"y" * 900 + b'"]}')
    answer = app.post("/v1/dishes", content=iter(pieces), headers={"content-type": "application/json"})
    assert answer.status_code == 422  # read whole and refused for what is in it
    assert ways_of(app) == []
