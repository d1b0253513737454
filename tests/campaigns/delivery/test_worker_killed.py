"""A worker killed with SIGKILL loses nobody and sends nobody the same message twice.

Real processes, real databases, and for the webhook a receiver that drops repeats by Idempotency-Key as providers do.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from aiohttp import web
from sqlalchemy import func, select

from campaigns.rows import DecisionRow, MessageRow
from campaigns.runs.data import read_data
from campaigns.runs.launch import launch
from campaigns.runs.plan import make_plan
from engine.database.session import connect, transaction
from engine.settings import Settings
from tests.campaigns.town import settle_town, winback

CUSTOMERS = 400
LEASE_S = 2.0
SLOTS = 4


def launch_winback(settings: Settings, channel: str) -> tuple[set[str], set[str]]:
    """Launch and return who is treated and who is held out."""
    settle_town(settings, CUSTOMERS)
    database = connect(settings)
    definition = winback(channel=channel)
    now = datetime.now(UTC)
    with transaction(database) as session:
        make_plan(session, definition, read_data(settings), now=now, actor="test")
    with transaction(database) as session:
        launch(session, definition, read_data(settings), now=now, actor="test")
    with transaction(database) as session:
        arms = {row.customer_id: row.arm for row in session.scalars(select(DecisionRow))}
    database.dispose()
    treated = {customer for customer, arm in arms.items() if arm == "treated"}
    return treated, set(arms) - treated


def start_worker(settings: Settings, environment: dict[str, str], *extra: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from cli.main import run; run()", "worker", "--home", str(settings.home)]
    return subprocess.Popen(
        [*command, "--lease", str(LEASE_S), "--slots", str(SLOTS), "--json", *extra],
        env={k: v for k, v in os.environ.items() if not k.startswith("REGULARS_")} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[3],
    )


def kill_once(worker: subprocess.Popen[bytes], reached: Callable[[], int], enough: int) -> None:
    """Kill the worker while it is sending: once `enough` messages have arrived, in the middle of the next ones."""
    end = time.monotonic() + 30
    while reached() < enough:
        assert worker.poll() is None, "the worker ended before it could be killed"
        assert time.monotonic() < end, "the worker sends nothing"
        time.sleep(0.001)
    worker.send_signal(signal.SIGKILL)
    worker.communicate(timeout=10)
    assert worker.returncode == -signal.SIGKILL


def environment_of(settings: Settings) -> dict[str, str]:
    return {"REGULARS_DATABASE_URL": settings.database_url} if settings.database_url else {}


def states(settings: Settings) -> dict[str, int]:
    database = connect(settings)
    with transaction(database) as session:
        rows = session.execute(select(MessageRow.state, func.count()).group_by(MessageRow.state)).all()
    database.dispose()
    return {row[0]: row[1] for row in rows}


def test_killed_while_recording_everyone_treated_has_one_line(settings: Settings, database_url: str | None) -> None:
    settings = replace(settings, database_url=database_url)
    treated, held = launch_winback(settings, "recording")
    file = settings.recording_file

    def lines() -> int:
        return file.read_bytes().count(b"\n") if file.exists() else 0

    for part in (1, 2, 3):
        kill_once(start_worker(settings, environment_of(settings)), lines, len(treated) * part // 8)
    assert states(settings)["queued"] > 0
    # What a kill inside a write leaves behind.
    with file.open("ab") as torn:
        torn.write(b'{"message_id":"msg_to')
    last = [start_worker(settings, environment_of(settings), "--drain") for _ in range(2)]
    for worker in last:
        out, _ = worker.communicate(timeout=60)
        assert worker.returncode == 0, out

    recorded = Counter(orjson.loads(line)["customer_id"] for line in file.read_bytes().splitlines())
    assert set(recorded) == treated
    assert set(recorded.values()) == {1}
    assert not recorded.keys() & held
    assert states(settings) == {"sent": len(treated)}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


class Receiver:
    """A provider: takes a POST, waits a little, delivers each Idempotency-Key once."""

    def __init__(self) -> None:
        self.delivered: dict[str, str] = {}
        self.requests = 0
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    async def take(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        self.requests += 1
        self.delivered.setdefault(request.headers["Idempotency-Key"], body["customer_id"])
        # The answer is late, so that a kill often falls between delivery and answer.
        await asyncio.sleep(0.02)
        return web.Response()

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/", self.take)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        return runner

    def __enter__(self) -> Receiver:
        self._thread.start()
        self._runner = asyncio.run_coroutine_threadsafe(self.start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def test_killed_while_posting_everyone_treated_is_delivered_once(
    settings: Settings, database_url: str | None, receiver: Receiver
) -> None:
    settings = replace(settings, database_url=database_url)
    treated, held = launch_winback(settings, "webhook")
    environment = environment_of(settings) | {
        "REGULARS_WEBHOOK_URL": receiver.url,
        "REGULARS_WEBHOOK_SECRET": "s3cret",
        "REGULARS_ALLOW_PRIVATE_ADDRESSES": "true",
    }
    kills = 3
    for part in range(1, kills + 1):
        kill_once(start_worker(settings, environment), lambda: len(receiver.delivered), len(treated) * part // 8)
    out, _ = start_worker(settings, environment, "--drain").communicate(timeout=60)
    counts = orjson.loads(out)

    assert Counter(receiver.delivered.values()) == dict.fromkeys(treated, 1)
    assert not set(receiver.delivered.values()) & held
    assert states(settings) == {"sent": len(treated)}
    assert counts["failed"] == counts["waiting"] == 0
    repeats = receiver.requests - len(receiver.delivered)
    assert repeats <= kills * SLOTS, "at most one message per slot in flight may repeat at each kill"


def test_sigterm_finishes_what_is_in_flight_and_ends_well(settings: Settings, receiver: Receiver) -> None:
    treated, _ = launch_winback(settings, "webhook")
    environment = {
        "REGULARS_WEBHOOK_URL": receiver.url,
        "REGULARS_WEBHOOK_SECRET": "s3cret",
        "REGULARS_ALLOW_PRIVATE_ADDRESSES": "true",
    }
    worker = start_worker(settings, environment)
    end = time.monotonic() + 30
    while len(receiver.delivered) < 40 and time.monotonic() < end:
        time.sleep(0.001)
    worker.send_signal(signal.SIGTERM)
    out, _ = worker.communicate(timeout=20)
    counts = orjson.loads(out)
    assert worker.returncode == 0
    assert counts["sent"] == counts["claimed"] == len(receiver.delivered) == receiver.requests
    assert states(settings) == {"sent": counts["sent"], "queued": len(treated) - counts["sent"]}
