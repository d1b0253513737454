"""The fresh events of one customer, in one round trip; requests go on without them while the store is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter

from engine.errors import OnlineUnavailable
from engine.events.event import Event
from engine.events.online.kept import without_expired_dislikes
from engine.events.online.store import OnlineStore

# After Redis failed, requests go without it for this long instead of each waiting for the same timeout.
SPARE_S = 1.0


@dataclass(slots=True)
class RecentEvents:
    """Reads the online store for a request; `on_down` is called when it does not answer."""

    online: OnlineStore
    on_down: Callable[[], None]
    _spare_until: float = 0.0

    async def of(self, customer_id: str | None, session_id: str | None = None) -> list[Event]:
        """Return the fresh events of a customer and of their session before signing in, oldest first.

        None while the online store is away, and the state says so.
        """
        asked = customer_id or session_id
        if asked is None or time.monotonic() < self._spare_until:
            return []
        try:
            if session_id is None or session_id == asked:
                return without_expired_dislikes(await self.online.recent(asked), datetime.now(UTC))
            # Asked together they share a round trip.
            both = await asyncio.gather(self.online.recent(asked), self.online.recent(session_id))
            return without_expired_dislikes(sorted((*both[0], *both[1]), key=attrgetter("seq")), datetime.now(UTC))
        except OnlineUnavailable:
            self.on_down()
            self._spare_until = time.monotonic() + SPARE_S
            return []
