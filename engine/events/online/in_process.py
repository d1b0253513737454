"""The online store of a single process, in its memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from engine.events.event import Event
from engine.events.online.kept import keep, to_kept


class InProcessStore:
    """A single process's online store, gone with the process and rebuilt from the inbox at start."""

    def __init__(self) -> None:
        self._events: dict[str, dict[int, Event]] = defaultdict(dict)
        self._watermark: int | None = None

    async def fold(self, events: Iterable[Event]) -> None:
        """Add stored events."""
        for event in events:
            kept = to_kept(event)
            if kept is not None:
                keep(self._events[event.customer_id], kept)

    async def recent(self, customer_id: str) -> list[Event]:
        """Return the customer's newest events, oldest first."""
        own = self._events.get(customer_id, {})
        return [own[seq] for seq in sorted(own)]

    async def watermark(self) -> int | None:
        """Return the inbox place up to which all is folded; None before the first rebuild."""
        return self._watermark

    async def advance(self, seq: int) -> None:
        """Note that all events up to `seq` are folded."""
        self._watermark = max(seq, self._watermark or 0)

    async def close(self) -> None:
        """Do nothing: there are no connections."""
