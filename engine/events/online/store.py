"""What an online store does: a cache of the inbox by customer, rebuilt from the inbox after a flush."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from engine.events.event import Event


class OnlineStore(Protocol):
    """Recent events by customer. Folding an event twice is the same as once."""

    async def fold(self, events: Iterable[Event]) -> None:
        """Add stored events. Raises OnlineUnavailable."""
        ...

    async def recent(self, customer_id: str) -> list[Event]:
        """Return the customer's newest events, oldest first, at most 200. Raises OnlineUnavailable."""
        ...

    async def watermark(self) -> int | None:
        """Return the inbox place up to which all is folded; None where the store is empty. Raises OnlineUnavailable."""
        ...

    async def advance(self, seq: int) -> None:
        """Note that all events up to `seq` are folded; never moves back. Raises OnlineUnavailable."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
