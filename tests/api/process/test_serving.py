"""The service as it runs: swaps under load, several workers, Redis flushed or gone."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import redis

from engine import artifact
from engine.settings import Settings
from tests.api.conftest import App, opened, real_server
from tests.servers import free_port
from training import run


def view(number: Any, customer: str = "c001") -> Any:
    return {"event_id": f"e{number}", "type": "view", "customer_id": customer, "properties": {"item_id": "d01"}}


def order(number: int, dish: str, customer: str) -> dict[str, Any]:
    lines = {"order_id": f"o{number}", "items": [{"item_id": dish}]}
    return {"event_id": f"e{number}", "type": "order", "customer_id": customer, "properties": lines}


def wait_for(check: Callable[..., Any], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.05)
    raise AssertionError("did not happen in time")


def first(answer: dict[str, Any]) -> str:
    return answer["items"][0]["item_id"]


def test_a_new_artifact_is_swapped_in_without_a_failed_request(served_home: Settings) -> None:
    statuses: list[int] = []
    versions: set[str] = set()
    stop = threading.Event()
    with real_server(served_home) as client:

        def load() -> None:
            while not stop.is_set():
                answer = client.post("/v1/recommend/dishes", json={"customer_id": "c003"})
                statuses.append(answer.status_code)
                versions.add(answer.json().get("model_version", "none"))

        users = [threading.Thread(target=load) for _ in range(3)]
        for user in users:
            user.start()
        old = artifact.live_version(served_home.artifacts_folder)
        new = run.train(served_home, now=datetime.now(UTC), force=True).version
        wait_for(lambda: new in versions)
        stop.set()
        for user in users:
            user.join()
    assert {old, new} <= versions
    assert set(statuses) == {200}


def test_two_workers_share_what_one_of_them_was_told(served_home: Settings, redis_url: str) -> None:
    with real_server(served_home, "--workers", "2", env={"REGULARS_REDIS_URL": redis_url}) as client:
        wait_for(lambda: client.get("/health/ready").json().get("status") == "ready")
        for number in range(8):
            customer = f"new{number}"
            dish = f"d{number + 1:02d}"
            assert client.post("/v1/events", json={"events": [order(number, dish, customer)]}).status_code == 202
            for _ in range(4):
                # A new connection each time, so that either worker may answer.
                headers = {"Connection": "close"}
                answer = client.post("/v1/recommend/dishes", json={"customer_id": customer}, headers=headers)
                assert first(answer.json()) == dish
        assert "regulars_requests_total" in client.get("/metrics").text


def test_several_workers_without_redis_are_refused_in_one_line(served_home: Settings) -> None:
    command = [sys.executable, "-c", "from cli.main import run; run()", "serve", "--workers", "2"]
    found = subprocess.run([*command, "--home", str(served_home.home)], capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert "REGULARS_REDIS_URL" in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


def test_a_taken_port_is_one_line(served_home: Settings) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-c", "from cli.main import run; run()", "serve", "--port", port]
        found = subprocess.run([*command, "--home", str(served_home.home)], capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stderr.strip() == f"error[conflict]: --port: port {port} is taken; choose another"


def test_a_flushed_redis_is_rebuilt_from_the_inbox(open_app: Callable[..., Any], redis_url: str) -> None:
    with open_app(redis_url=redis_url) as app:
        app.tell(order(1, "d11", "new"))
        assert first(app.dishes("new")) == "d11"
        redis.Redis.from_url(redis_url).flushall()
        assert app.dishes("new")["notes"] == ["unknown_customer"]  # goes on, without fresh events
        app.client.portal.call(app.client.app.state.live.catch_up)
        assert first(app.dishes("new")) == "d11"
        assert app.client.get("/health/ready").json()["status"] == "ready"


def test_redis_gone_degrades_and_its_return_heals(open_app: Callable[..., Any], redis_url: str) -> None:
    del redis_url  # asked for only to be skipped loudly where Redis is not installed
    port = free_port()
    serve = ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no", "--loglevel", "warning"]
    server = subprocess.Popen(serve, stdout=subprocess.DEVNULL)
    wait_for(lambda: _answers(port))
    try:
        with open_app(redis_url=f"redis://127.0.0.1:{port}/0") as app:
            assert app.tell(order(1, "d11", "new"))["fresh"] is True
            server.terminate()
            server.wait(10)
            answer = app.dishes("new", limit=3)
            assert len(answer["items"]) == 3
            assert app.tell(order(2, "d10", "new"))["fresh"] is False
            assert app.client.get("/health/ready").json() | {"model_version": None} == {
                "status": "degraded",
                "model_version": None,
                "online": "down",
                "database": "ok",
            }
            server = subprocess.Popen(serve, stdout=subprocess.DEVNULL)
            wait_for(lambda: app.client.get("/health/ready").json()["status"] == "ready")
            wait_for(lambda: {i["item_id"] for i in app.dishes("new", limit=2)["items"]} == {"d11", "d10"})
    finally:
        server.kill()
        server.wait(10)


def test_the_in_process_store_is_rebuilt_at_start(served_home: Settings) -> None:
    with opened(served_home) as app:
        app.tell(order(1, "d11", "new"))
    with opened(served_home) as again:
        assert first(again.dishes("new")) == "d11"


def test_metrics_count_requests_by_route_not_by_path(app: App) -> None:
    app.client.get("/v1/customers/c001")
    app.client.get("/v1/customers/c002")
    found = app.client.get("/metrics").text
    assert 'route="/v1/customers/{customer_id}"' in found
    assert "c001" not in found


def _answers(port: int) -> bool:
    try:
        return bool(redis.Redis(port=port).ping())
    except redis.RedisError:
        return False
