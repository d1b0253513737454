"""What every channel keeps, run on each of them: a new channel joins by one line in CHANNELS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from campaigns.channels.base import Channel, Outgoing, SendOutcome
from campaigns.channels.recording import RecordingChannel
from campaigns.channels.registry import channel_names
from campaigns.channels.webhook import WebhookChannel

HELLO = Outgoing(
    message_id="msg_1",
    campaign_id="winback",
    run_id=1,
    step="message",
    customer_id="c1",
    language="zh",
    title=None,
    body="您好 \n {{ not a template }}",
    coupon_code="ABCD-EFGH-JKLM",
)


@dataclass(frozen=True, slots=True)
class Stand:
    """A channel to try: `make` gives one more of it on the same target, `arrived` what customers got by now."""

    make: Callable[[], Channel]
    arrived: Callable[[], list[dict[str, object]]]


@asynccontextmanager
async def recording(folder: Path) -> AsyncIterator[Stand]:
    file = folder / "outbox" / "recording.ndjson"
    yield Stand(lambda: RecordingChannel(file), lambda: [orjson.loads(line) for line in file.read_bytes().splitlines()])


@asynccontextmanager
async def webhook(folder: Path) -> AsyncIterator[Stand]:
    delivered: dict[str, dict[str, object]] = {}

    async def take(request: web.Request) -> web.Response:
        delivered.setdefault(request.headers["Idempotency-Key"], orjson.loads(await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield Stand(lambda: WebhookChannel(url, "secret", allow_private=True), lambda: list(delivered.values()))
    finally:
        await runner.cleanup()


CHANNELS: dict[str, Callable[[Path], AbstractAsyncContextManager[Stand]]] = {
    "recording": recording,
    "webhook": webhook,
}


@pytest.fixture(params=sorted(CHANNELS))
async def stand(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stand]:
    async with CHANNELS[request.param](tmp_path) as opened:
        yield opened


def test_every_channel_of_the_product_is_under_this_contract() -> None:
    assert CHANNELS.keys() == set(channel_names())


async def test_a_sent_message_arrives_whole(stand: Stand) -> None:
    async with stand.make() as channel:
        assert await channel.send(HELLO) == SendOutcome("sent")
    assert stand.arrived() == [HELLO.as_json()]


async def test_the_same_id_again_reaches_the_customer_once(stand: Stand) -> None:
    async with stand.make() as channel:
        for _ in range(3):
            assert (await channel.send(HELLO)).kind == "sent"
    async with stand.make() as after_a_restart:
        assert (await after_a_restart.send(HELLO)).kind == "sent"
    assert len(stand.arrived()) == 1


async def test_many_at_once_from_several_workers_each_arrive_once(stand: Stand) -> None:
    messages = [replace(HELLO, message_id=f"msg_{i}", customer_id=f"c{i}") for i in range(200)]
    async with stand.make() as one, stand.make() as other:
        outcomes = await asyncio.gather(*(channel.send(each) for each in messages for channel in (one, other)))
    assert {each.kind for each in outcomes} == {"sent"}
    assert sorted(str(each["customer_id"]) for each in stand.arrived()) == sorted(m.customer_id for m in messages)


async def test_a_channel_knows_its_name(stand: Stand) -> None:
    assert stand.make().name in channel_names()
