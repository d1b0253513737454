"""Follows the inbox: what it holds and the online store lacks is folded, at once and in the background."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import structlog
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from engine.database.session import transaction
from engine.errors import OnlineUnavailable
from engine.events.event import Event
from engine.events.inbox import last_seq, read_after
from engine.events.online.kept import KEPT_DAYS
from engine.events.online.store import OnlineStore

FOLD_BATCH = 2_000
log = structlog.get_logger()


@dataclass(slots=True)
class InboxFollower:
    """Folds the inbox into the online store; `state` says how the store is: rebuilding, ok or down."""

    engine: Engine
    online: OnlineStore
    state: Literal["rebuilding", "ok", "down"] = "rebuilding"

    async def catch_up(self) -> None:
        """Fold what the inbox has and the online store lacks; after a flush, everything of the last 90 days."""
        try:
            through = await self.online.watermark()
            if through is None:
                self.state = "rebuilding"
            await self._fold_after(through)
            self.state = "ok"
        except OnlineUnavailable as error:
            if self.state != "down":
                log.warning("online_down", detail=str(error))
            self.state = "down"
        except OperationalError:
            log.warning("catch_up_waits", detail="the database does not answer")

    async def fold(self, events: list[Event]) -> bool:
        """Make stored events count at once; False while the online store is away (the inbox keeps them for later)."""
        try:
            await self.online.fold(events)
        except OnlineUnavailable:
            self.state = "down"
            return False
        return True

    async def _fold_after(self, through: int | None) -> None:
        since = datetime.now(UTC) - timedelta(days=KEPT_DAYS) if through is None else None
        seq = through or 0
        while True:
            batch, end = await run_in_threadpool(self._next_events, seq, since)
            if batch:
                await self.online.fold(batch)
            seq = batch[-1].seq if len(batch) == FOLD_BATCH else max(seq, end)
            if batch or through is None:
                await self.online.advance(seq)
            if len(batch) < FOLD_BATCH:
                return

    def _next_events(self, seq: int, since: datetime | None) -> tuple[list[Event], int]:
        """Return up to a batch of events after `seq`, and the newest place at the time of asking."""
        with transaction(self.engine) as session:
            end = last_seq(session)
            batch: list[Event] = []
            if end > seq:
                for event in read_after(session, seq, since=since):
                    batch.append(event)
                    if len(batch) == FOLD_BATCH:
                        break
            return batch, end
