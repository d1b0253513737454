"""What the inbox holds reaches the online store, whatever was missed, and a store that is away is said so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from api.serving.inbox_follower import InboxFollower
from api.serving.recent_events import RecentEvents
from engine.database.session import connect, transaction
from engine.errors import OnlineUnavailable
from engine.events.event import Event
from engine.events.inbox import store
from engine.events.online.open import open_online
from engine.settings import Settings


class Away:
    """An online store that does not answer; `asked` counts how often it was tried."""

    def __init__(self) -> None:
        self.asked = 0

    async def watermark(self) -> int | None:
        raise OnlineUnavailable("away")

    async def advance(self, seq: int) -> None:
        raise OnlineUnavailable("away")

    async def fold(self, events: object) -> None:
        raise OnlineUnavailable("away")

    async def recent(self, customer_id: str) -> list[Event]:
        self.asked += 1
        raise OnlineUnavailable("away")

    async def close(self) -> None:
        return


@pytest.fixture
def database(settings: Settings) -> Iterator[Engine]:
    opened = connect(settings)
    yield opened
    opened.dispose()


def tell(database: Engine, *names: str) -> None:
    now = datetime.now(UTC)
    with transaction(database) as session:
        store(session, [Event(name, "view", "ann", now, {"item_id": name}) for name in names], now)


def test_catching_up_folds_what_was_missed_and_only_that(database: Engine) -> None:
    online = open_online(None)
    follower = InboxFollower(database, online)

    async def follow() -> list[list[str]]:
        seen = []
        for names in (("a", "b"), (), ("c",)):
            tell(database, *names)
            await follower.catch_up()
            seen.append([str(event.properties["item_id"]) for event in await online.recent("ann")])
        return seen

    assert asyncio.run(follow()) == [["a", "b"], ["a", "b"], ["a", "b", "c"]]
    assert follower.state == "ok"


def test_a_store_that_is_away_is_said_and_loses_nothing(database: Engine) -> None:
    follower = InboxFollower(database, Away())
    tell(database, "a")
    assert asyncio.run(follower.fold([])) is False
    asyncio.run(follower.catch_up())
    assert follower.state == "down"


def test_after_a_failure_requests_spare_the_store_for_a_while() -> None:
    away, down = Away(), []
    recent = RecentEvents(away, lambda: down.append(True))

    async def ask() -> list[list[Event]]:
        return [await recent.of("ann"), await recent.of("ann"), await recent.of(None)]

    assert asyncio.run(ask()) == [[], [], []]
    assert (away.asked, down) == (1, [True])
