"""What lives as long as the process: the snapshot, the online state, and the background work that keeps both fresh."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError

from api.http.problems import NoModel
from api.serving.inbox_follower import InboxFollower
from api.serving.recent_events import RecentEvents
from api.serving.refresher import LOOK_EVERY_S, SnapshotRefresher
from api.serving.snapshot import ServingSnapshot
from engine.events.event import Event
from engine.events.online.store import OnlineStore
from engine.settings import Settings

log = structlog.get_logger()


@dataclass(slots=True)
class ServingState:
    """What routes ask; each part answers one question and can be used alone."""

    settings: Settings
    engine: Engine
    online: OnlineStore
    refresher: SnapshotRefresher = field(init=False)
    follower: InboxFollower = field(init=False)
    recent_events: RecentEvents = field(init=False)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Put the parts together."""
        self.refresher = SnapshotRefresher(self.settings)
        self.follower = InboxFollower(self.engine, self.online)
        self.recent_events = RecentEvents(self.online, self._went_down)

    @property
    def snapshot(self) -> ServingSnapshot | None:
        """What is answered from; None before the first artifact."""
        return self.refresher.snapshot

    @property
    def online_state(self) -> str:
        """How the online store is: rebuilding, ok or down."""
        return self.follower.state

    @property
    def fault(self) -> str | None:
        """Why the newest artifact or tables could not be taken in; None where they were."""
        return self.refresher.fault

    def require(self) -> ServingSnapshot:
        """Return what to answer from. Raises NoModel before the first artifact."""
        if self.refresher.snapshot is None:
            raise NoModel(self.fault or "nothing has been trained yet; run `regulars train`")
        return self.refresher.snapshot

    async def start(self) -> None:
        """Load what is there, rebuild the online state, then keep both fresh."""
        await self.refresh()
        await self.catch_up()
        self._tasks = [
            asyncio.create_task(self._forever(self.refresh)),
            asyncio.create_task(self._forever(self.catch_up)),
        ]

    async def stop(self) -> None:
        """End the background work."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.online.close()

    async def refresh(self) -> None:
        """Swap in a new artifact or changed tables, if there are any; a broken one leaves the old pair in place."""
        await self.refresher.refresh()

    async def catch_up(self) -> None:
        """Fold what the inbox has and the online store lacks."""
        await self.follower.catch_up()

    async def recent(self, customer_id: str | None, session_id: str | None = None) -> list[Event]:
        """Return the fresh events of a customer and of the session before they signed in, oldest first."""
        return await self.recent_events.of(customer_id, session_id)

    async def fold(self, events: list[Event]) -> bool:
        """Make stored events count at once; False while the online store is away (the inbox keeps them for later)."""
        return await self.follower.fold(events)

    async def database_answers(self) -> bool:
        """Say whether the database answers now."""
        try:
            await run_in_threadpool(self._ask_database)
        except OperationalError:
            return False
        return True

    def _ask_database(self) -> None:
        with self.engine.connect() as connection:
            connection.execute(select(1))

    def _went_down(self) -> None:
        self.follower.state = "down"

    async def _forever(self, work: Callable[[], object]) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await work()  # type: ignore[misc]
            except Exception:
                # The loop outlives whatever went wrong in one round; the next round tries again.
                log.exception("background_round_failed", pid=os.getpid())
