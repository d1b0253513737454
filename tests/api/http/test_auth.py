"""Who may call what."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from api.app import build
from api.http.auth import STALE_S, Caller, KeyRing
from engine.database.keys import SCOPES, revoke_key
from engine.database.session import connect, transaction
from engine.errors import DatabaseUnavailable
from engine.settings import Settings
from tests.api.conftest import key_for

OPEN = {"/health/live", "/health/ready"}
NOW = datetime.now(UTC)


@pytest.fixture
def client(served_home: Settings) -> Iterator[TestClient]:
    with TestClient(build(served_home)) as found:
        yield found


def routes(router: Any) -> Iterator[tuple[str, str]]:
    """Yield (method, path) of every route, those of included routers and the undocumented ones too."""
    for route in router.routes:
        if hasattr(route, "original_router"):
            yield from routes(route.original_router)
        else:
            yield from ((method, route.path) for method in sorted(route.methods) if method != "HEAD")


def test_no_route_but_health_is_open(client: TestClient) -> None:
    asked = 0
    for method, path in routes(client.app):
        answer = client.request(method, path.replace("{customer_id}", "c001").replace("{asset}", "swagger-ui.css"))
        if path in OPEN:
            assert answer.status_code == 200
        else:
            assert answer.status_code == 401, (method, path)
            assert answer.json()["code"] == "unauthorised"
            assert "Bearer" in answer.headers["www-authenticate"]
            asked += 1
    assert asked >= 8


def test_a_key_opens_only_its_scopes(client: TestClient, served_home: Settings) -> None:
    bearer = {"Authorization": f"Bearer {key_for(served_home, 'events')}"}
    assert client.post("/v1/recommend/dishes", json={}, headers=bearer).json()["code"] == "forbidden"
    assert client.get("/v1/customers/c001", headers=bearer).status_code == 403
    assert client.get("/metrics", headers=bearer).status_code == 403
    assert client.post("/v1/events", json={"events": []}, headers=bearer).status_code == 422


def test_a_key_may_come_as_bearer_as_header_or_as_a_browsers_password(
    client: TestClient, served_home: Settings
) -> None:
    key = key_for(served_home, "recommend")
    basic = base64.b64encode(f"me:{key}".encode()).decode()
    for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key}, {"Authorization": f"Basic {basic}"}):
        assert client.get("/openapi.json", headers=headers).status_code == 200


@pytest.mark.parametrize("value", ["Bearer wrong", "Basic !!!", "Basic bWU=", "Bearer", "Digest x"])
def test_a_wrong_key_is_401_whatever_its_form(client: TestClient, value: str) -> None:
    assert client.get("/docs", headers={"Authorization": value}).status_code == 401


def test_a_revoked_key_is_refused(client: TestClient, served_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.auth.FRESH_S", 0.0)
    key = key_for(served_home, "recommend")
    bearer = {"Authorization": f"Bearer {key}"}
    assert client.get("/docs", headers=bearer).status_code == 200
    engine = connect(served_home)
    with transaction(engine) as session:
        key_id = session.execute(text("SELECT id FROM api_keys WHERE scopes = 'recommend'")).scalar_one()
        revoke_key(session, NOW, key_id, actor="test")
    engine.dispose()
    assert client.get("/docs", headers=bearer).status_code == 401


def test_concurrent_requests_share_one_look_up_of_a_key_renewed_before_it_expires(
    served_home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, engine = key_for(served_home, "recommend"), connect(served_home)
    ring, clock = KeyRing(engine), 100.0
    monkeypatch.setattr("api.http.auth.time.monotonic", lambda: clock)
    looked_up: list[float] = []
    look_up = ring._look_up

    def counted(digest: str) -> Caller | None:
        looked_up.append(clock)
        return look_up(digest)

    monkeypatch.setattr(ring, "_look_up", counted)

    async def ask() -> None:
        nonlocal clock
        await asyncio.gather(*(ring.caller(key) for _ in range(20)))
        assert looked_up == [100.0]
        clock = 102.0
        await ring.caller(key)
        clock = 103.0
        await asyncio.gather(*(ring.caller(key) for _ in range(20)))  # answered from what is known
        await asyncio.gather(*ring._renewing.values())
        assert looked_up == [100.0, 103.0]
        clock = 107.0
        await ring.caller(key)
        await asyncio.gather(*ring._renewing.values())
        assert looked_up == [100.0, 103.0, 107.0]

    asyncio.run(ask())
    engine.dispose()


def test_without_the_database_a_known_key_stays_valid_for_a_while_and_a_new_one_is_503(
    served_home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, engine = key_for(served_home, "recommend"), connect(served_home)
    ring, clock = KeyRing(engine), 100.0
    monkeypatch.setattr("api.http.auth.time.monotonic", lambda: clock)

    def away(digest: str) -> Caller | None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    async def ask() -> None:
        nonlocal clock
        known = await ring.caller(key)
        monkeypatch.setattr(ring, "_look_up", away)
        clock = 130.0
        assert await ring.caller(key) == known
        with pytest.raises(DatabaseUnavailable):
            await ring.caller("rg_another")
        clock = 100.0 + STALE_S + 1
        with pytest.raises(DatabaseUnavailable):
            await ring.caller(key)

    asyncio.run(ask())
    engine.dispose()


def test_the_documentation_needs_no_other_host(client: TestClient, served_home: Settings) -> None:
    bearer = {"Authorization": f"Bearer {key_for(served_home, 'recommend')}"}
    page = client.get("/docs", headers=bearer).text
    assert "http://" not in page
    assert "https://" not in page
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert asset in page
        assert len(client.get(f"/docs/{asset}", headers=bearer).content) > 10_000
    assert client.get("/docs/../app.py", headers=bearer).status_code == 404


def test_every_described_route_has_an_example(client: TestClient, served_home: Settings) -> None:
    bearer = {"Authorization": f"Bearer {key_for(served_home, 'recommend')}"}
    described = client.get("/openapi.json", headers=bearer).json()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            answers = operation["responses"].get("200") or operation["responses"]["202"]
            if path.startswith("/v1"):
                assert "example" in answers["content"]["application/json"], (method, path)
            if method == "post":
                name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
                assert described["components"]["schemas"][name]["examples"]


def test_every_scope_says_what_it_opens() -> None:
    assert all("/" in about for about in SCOPES.values())
