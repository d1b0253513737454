"""The worker's modes: one batch, drain, or until told to stop; a broken channel costs nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

import pytest
from sqlalchemy import Engine

from campaigns.channels.base import Channel, Outgoing, SendOutcome
from campaigns.delivery.worker import Counts, Mode, Worker
from campaigns.eligibility.registered import RegisteredPeople
from campaigns.runs.data import read_data
from campaigns.runs.launch import launch
from campaigns.runs.plan import make_plan
from engine.database.session import connect, transaction
from engine.files.encryption import seal_of
from engine.settings import Settings
from tests.campaigns.town import settle_town, winback


class Scripted:
    """A provider's stand-in at the company border: answers each attempt by a rule of the test."""

    name = "recording"

    def __init__(
        self, answer: Mapping[str, list[SendOutcome]] | None = None, broken: frozenset[str] = frozenset()
    ) -> None:
        self.answer = {who: list(outcomes) for who, outcomes in (answer or {}).items()}
        self.broken = broken
        self.seen: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    async def send(self, message: Outgoing) -> SendOutcome:
        self.seen.append(message.customer_id)
        if message.customer_id in self.broken:
            raise RuntimeError("a fault in the channel's own code")
        script = self.answer.get(message.customer_id)
        return script.pop(0) if script else SendOutcome("sent")


@pytest.fixture
def launched(settings: Settings) -> Iterator[Engine]:
    settle_town(settings, 50)
    database = connect(settings)
    now = datetime.now(UTC)
    for act in (make_plan, launch):
        with transaction(database) as session:
            act(session, replace(winback(), holdout=0.0), read_data(settings), now=now, actor="t", global_holdout=0.0)
    yield database
    database.dispose()


async def work(settings: Settings, database: Engine, channel: Channel, mode: Mode, stop: asyncio.Event) -> Counts:
    worker = Worker(
        database=database,
        channels={channel.name: channel},
        seal=seal_of(settings),
        registered=RegisteredPeople(settings).current,
        clock=lambda: datetime.now(UTC),
        slots=8,
        lease=timedelta(seconds=5),
    )
    return await worker.run(mode, stop)


async def test_once_takes_one_batch(settings: Settings, launched: Engine) -> None:
    counts = await work(settings, launched, Scripted(), "once", asyncio.Event())
    assert counts == Counts(claimed=8, sent=8, waiting=42)


async def test_drain_sends_everything_and_waits_for_short_retries(settings: Settings, launched: Engine) -> None:
    channel = Scripted({"c7": [SendOutcome("retry", "HTTP 503")], "c9": [SendOutcome("failed", "HTTP 404")]})
    counts = await work(settings, launched, channel, "drain", asyncio.Event())
    assert counts == Counts(claimed=51, sent=49, failed=1, retried=1)
    assert channel.seen.count("c7") == 2


async def test_drain_leaves_a_distant_retry_waiting(settings: Settings, launched: Engine) -> None:
    channel = Scripted({"c7": [SendOutcome("retry", "HTTP 429", 900.0)]})
    counts = await work(settings, launched, channel, "drain", asyncio.Event())
    assert (counts.sent, counts.retried, counts.waiting) == (49, 1, 1)


async def test_a_fault_in_a_channel_is_tried_again_and_costs_nobody_else(settings: Settings, launched: Engine) -> None:
    counts = await work(settings, launched, Scripted(broken=frozenset({"c3"})), "once", asyncio.Event())
    rest = await work(settings, launched, Scripted(), "drain", asyncio.Event())
    assert counts.claimed == 8
    assert counts.sent + counts.retried == 8
    assert counts.sent + rest.sent == 50


async def test_told_to_stop_it_ends_without_taking_more(settings: Settings, launched: Engine) -> None:
    stop = asyncio.Event()
    stop.set()
    assert await work(settings, launched, Scripted(), "forever", stop) == Counts(waiting=50)


async def test_running_for_ever_it_ends_soon_after_being_told(settings: Settings, launched: Engine) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.5, stop.set)
    async with asyncio.timeout(10):
        counts = await work(settings, launched, Scripted(), "forever", stop)
    assert counts.sent == counts.claimed
    assert counts.sent + counts.waiting == 50
