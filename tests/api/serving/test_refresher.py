"""Taking a version in and letting one go, beside requests."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.serving import refresher
from api.serving.refresher import refresh_lock
from api.serving.state import ServingState
from engine.database.session import connect
from engine.events.online.open import open_online
from engine.settings import Settings
from training import run


def test_processes_take_a_version_in_one_after_another(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with refresh_lock(tmp_path):
            order.append("second")

    with refresh_lock(tmp_path):
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.1)
        order.append("first")
    waiting.join(5)
    assert order == ["first", "second"]


def test_a_folder_that_is_not_there_yet_stops_nobody(tmp_path: Path) -> None:
    with refresh_lock(tmp_path / "nothing"):
        pass


def test_a_version_that_answers_no_more_is_let_go(served_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresher, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(refresher, "REST_S", 0.0)
    engine = connect(served_home)
    state = ServingState(served_home, engine, open_online(None))

    async def swap() -> list[object]:
        await state.refresh()
        old = state.require().published
        seen = weakref.ref(old.baskets.items), weakref.ref(old.customers.text)
        first = old.version
        del old
        run.train(served_home, now=datetime.now(UTC), force=True)
        await state.refresh()
        assert state.require().published.version != first
        return [each() for each in seen]

    assert asyncio.run(swap()) == [None, None]
    engine.dispose()
