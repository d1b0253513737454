"""A trained home, and the service over it in this process or as a real one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import polars as pl
import pytest
from starlette.testclient import TestClient

from api.app import build
from api.serving.state import ServingState
from engine.columns import CUSTOMERS, ITEMS, OFFERS, VENDORS
from engine.database.keys import create_key
from engine.database.session import connect, transaction
from engine.history.opening import open_history
from engine.history.tables import TableName, upsert_table
from engine.settings import Settings
from tests.baskets import random_town, tables
from training import run

NOW = datetime.now(UTC)
SCOPES = ("recommend", "events", "customers", "metrics", "segments")
DISHES = [f"d{i:02d}" for i in range(12)]
VENDOR = {dish: f"v{i % 3}" for i, dish in enumerate(DISHES)}


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a small town, trained once and copied for every test."""
    settings = Settings.from_environment({}, home=tmp_path_factory.mktemp("trained"))
    told = {c: [(day, dishes[:1]) for day, dishes in placed] for c, placed in random_town(60, 12, seed=6).items()}
    orders, lines = tables(told, vendors=VENDOR, zones={c: f"z{int(c[1:]) % 2}" for c in told})
    # The town's last order was yesterday.
    shift = pl.lit(NOW - timedelta(days=1)) - orders["ordered_at"].max()
    moved = (pl.col("ordered_at") + shift).dt.cast_time_unit("us")
    open_history(settings).append(orders.with_columns(moved), lines.with_columns(moved))
    fill(settings, "items", ITEMS, [{"item_id": d, "name": d.upper(), "vendor_id": VENDOR[d]} for d in DISHES])
    fill(settings, "vendors", VENDORS, [{"vendor_id": "v1", "zones": "z1"}])
    fill(settings, "customers", CUSTOMERS, [{"customer_id": "c002", "language": "zh", "marketing_consent": True}])
    offers = [
        {"offer_id": "five", "kind": "amount", "amount_cents": 500, "min_spend_cents": 2000},
        {"offer_id": "tenth", "kind": "percent", "percent": 10.0},
        {"offer_id": "welcome", "kind": "amount", "amount_cents": 900, "audience": "first_order"},
        {"offer_id": "secret", "kind": "amount", "amount_cents": 900, "audience": "issued"},
    ]
    fill(settings, "offers", OFFERS, offers)
    run.train(settings, now=NOW)
    return settings.home


def fill(settings: Settings, name: TableName, schema: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    frame = pl.DataFrame([{key: row.get(key) for key in schema} for row in rows], schema=schema, orient="row")
    upsert_table(settings, name, frame)


@pytest.fixture
def served_home(trained_home: Path, home: Path, settings: Settings) -> Settings:
    """A fresh copy of the trained home, on its own SQLite."""
    shutil.copytree(trained_home, home, dirs_exist_ok=True)
    return settings


def key_for(settings: Settings, *scopes: str) -> str:
    engine = connect(settings)
    with transaction(engine) as session:
        _, key = create_key(session, NOW, name="test", scopes=scopes or SCOPES, actor="test")
    engine.dispose()
    return key


@dataclass
class App:
    """A client that holds a key with every scope, and the settings behind it."""

    client: TestClient
    settings: Settings

    @property
    def live(self) -> ServingState:
        """What the running service answers from."""
        service: Any = self.client.app
        state: ServingState = service.state.live
        return state

    def call(self, work: Callable[..., Awaitable[Any]], *given: object) -> Any:
        """Run a coroutine function in the service's own event loop."""
        assert self.client.portal is not None
        return self.client.portal.call(work, *given)

    def dishes(self, customer: str | None = "c001", status: int = 200, **body: Any) -> dict[str, Any]:
        answer = self.client.post("/v1/recommend/dishes", json={"customer_id": customer, **body})
        assert answer.status_code == status, answer.text
        return answer.json()

    def tell(self, *events: Any, status: int = 202) -> dict[str, Any]:
        answer = self.client.post("/v1/events", json={"events": list(events)})
        assert answer.status_code == status, answer.text
        return answer.json()


@contextmanager
def opened(settings: Settings) -> Iterator[App]:
    key = key_for(settings)
    with TestClient(build(settings), headers={"Authorization": f"Bearer {key}"}) as client:
        yield App(client, settings)


@pytest.fixture
def app(served_home: Settings) -> Iterator[App]:
    with opened(served_home) as running:
        yield running


@pytest.fixture(scope="module")
def standing(trained_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One service for all tests of a file that leave it as it was: every start maps a version's hundred files."""
    home = tmp_path_factory.mktemp("standing") / "home"
    shutil.copytree(trained_home, home)
    with opened(Settings.from_environment({}, home=home)) as running:
        yield running


@pytest.fixture
def open_app(served_home: Settings) -> Callable[..., AbstractContextManager[App]]:
    """Return a function that opens the service with other settings."""
    return lambda **other: opened(replace(served_home, **other))


@contextmanager
def real_server(settings: Settings, *options: str, env: dict[str, str] | None = None) -> Iterator[httpx2.Client]:
    """`regulars serve` as its own process, on a free port."""
    import os

    command = [sys.executable, "-c", "from cli.main import run; run()", "serve", "--port", "0", "--json", *options]
    process = subprocess.Popen(
        [*command, "--home", str(settings.home)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(env or {})},
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        said = ""
        while not said.rstrip().endswith("}"):
            line = process.stdout.readline()
            assert line, process.stderr.read()
            said += line
        headers = {"Authorization": f"Bearer {key_for(settings)}"}
        with httpx2.Client(base_url=json.loads(said)["address"], headers=headers, timeout=20) as client:
            client.get("/health/ready")
            yield client
    finally:
        process.terminate()
        _, complaints = process.communicate(timeout=20)
        assert "Traceback" not in complaints, complaints
