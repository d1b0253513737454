"""The worker: claim, send, settle; on a stop signal it finishes what is in flight.

It claims as many messages as it has slots and no more before the outcome of each is committed. So a killed worker
leaves at most one message per slot without a recorded outcome, and only those can be sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal

import structlog
from sqlalchemy import Engine

from campaigns.channels.base import Channel, SendOutcome
from campaigns.delivery import outbox
from campaigns.delivery.outbox import Claim, Claimed, Settled
from campaigns.eligibility.registered import Registered
from engine.database.session import transaction
from engine.files.encryption import Seal

Mode = Literal["once", "drain", "forever"]
POLL_S = 1.0

log = structlog.get_logger("worker")


@dataclass(slots=True)
class Counts:
    """What a worker did. `claimed` counts messages taken to send; `waiting` those still queued when it ended."""

    claimed: int = 0
    sent: int = 0
    failed: int = 0
    retried: int = 0
    expired: int = 0
    dropped: int = 0
    dead_letter: int = 0
    waiting: int = 0

    def as_json(self) -> dict[str, int]:
        """Return it for scripts."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Sends messages of the outbox; `registered` returns what the customers table says as it is now.

    `lease` must be well above the longest a channel takes for one message.
    """

    database: Engine
    channels: Mapping[str, Channel]
    seal: Seal
    registered: Callable[[], Registered]
    clock: Callable[[], datetime]
    slots: int = 32
    lease: timedelta = timedelta(seconds=60)

    async def run(self, mode: Mode, stop: asyncio.Event) -> Counts:
        """Work until `stop` is set, or `mode` ends it.

        `once` makes one claim. `drain` goes on until nothing falls due within a lease, so it also takes over
        from a worker that died; later retries stay queued and are counted as waiting.
        """
        counts = Counts()
        async with AsyncExitStack() as stack:
            opened = {name: await stack.enter_async_context(channel) for name, channel in self.channels.items()}
            while not stop.is_set():
                claim = await asyncio.to_thread(self._claim)
                await self._send_all(opened, claim, counts)
                if mode == "once":
                    break
                if claim.messages or claim.expired or claim.dropped or claim.dead_letter:
                    continue
                pause_s = await asyncio.to_thread(self._pause, mode)
                if pause_s is None:
                    break
                await _sleep(stop, pause_s)
        counts.waiting = await asyncio.to_thread(self._waiting)
        return counts

    async def _send_all(self, opened: Mapping[str, Channel], claim: Claim, counts: Counts) -> None:
        counts.claimed += len(claim.messages)
        counts.expired += claim.expired
        counts.dropped += claim.dropped
        counts.dead_letter += claim.dead_letter
        if claim.expired or claim.dropped or claim.dead_letter:
            log.info("not_sent", expired=claim.expired, dropped=claim.dropped, dead_letter=claim.dead_letter)
        if not claim.messages:
            return
        outcomes = await asyncio.gather(*(_send(opened[each.channel], each) for each in claim.messages))
        results = list(zip(claim.messages, outcomes, strict=True))
        settled = await asyncio.to_thread(self._settle, results)
        counts.sent += settled.sent
        counts.failed += settled.failed
        counts.retried += settled.retried
        counts.dead_letter += settled.dead_letter
        log.info("settled", sent=settled.sent, failed=settled.failed, retried=settled.retried)
        for run_id in settled.paused:
            log.error("run_paused", run_id=run_id, reason="more messages failed than error_threshold allows")

    def _claim(self) -> Claim:
        with transaction(self.database) as session:
            return outbox.claim(
                session,
                self.clock(),
                limit=self.slots,
                lease=self.lease,
                seal=self.seal,
                registered=self.registered(),
                channels=list(self.channels),
            )

    def _settle(self, results: list[tuple[Claimed, SendOutcome]]) -> Settled:
        with transaction(self.database) as session:
            return outbox.settle(session, self.clock(), results)

    def _pause(self, mode: Mode) -> float | None:
        """Return how many seconds to sleep, None to end."""
        if mode == "forever":
            return POLL_S
        with transaction(self.database) as session:
            due = outbox.next_work_at(session, list(self.channels))
        now = self.clock()
        if due is None or due > now + self.lease:
            return None
        return min(max((due - now).total_seconds(), 0.0) + 0.01, POLL_S)

    def _waiting(self) -> int:
        with transaction(self.database) as session:
            return outbox.waiting(session, list(self.channels))


async def _send(channel: Channel, claimed: Claimed) -> SendOutcome:
    try:
        return await channel.send(claimed.outgoing)
    except Exception as error:
        # A fault in the channel must not cost the other messages of the batch.
        log.exception("channel_failed", channel=channel.name, message_id=claimed.outgoing.message_id)
        return SendOutcome("retry", f"{type(error).__name__}: {error}"[:200])


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
