"""The webhook signs, never follows redirects, never reaches private addresses, and judges every answer."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from campaigns.channels.base import Outgoing, SendOutcome
from campaigns.channels.webhook import WebhookChannel, is_public, outcome_of_status, signed_headers, signing_key
from engine.errors import InputError
from tests.servers import free_port

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HELLO = Outgoing(
    message_id="msg_1",
    campaign_id="w",
    run_id=1,
    step="message",
    customer_id="c1",
    language="en",
    title="T",
    body="B",
    coupon_code=None,
)
Serve = Callable[[Callable[[web.Request], Any]], Any]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    runners: list[web.AppRunner] = []

    async def start(handler: Callable[[web.Request], Any]) -> str:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
        return f"http://127.0.0.1:{runner.addresses[0][1]}/"

    yield start
    for runner in runners:
        await runner.cleanup()


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    # github.com/standard-webhooks/standard-webhooks, the libraries' shared test vector.
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed_headers(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_a_receiver_can_verify_what_it_got(serve: Serve) -> None:
    got: list[tuple[dict[str, str], bytes]] = []

    async def take(request: web.Request) -> web.Response:
        got.append((dict(request.headers), await request.read()))
        return web.Response()

    async with WebhookChannel(await serve(take), "whsec_c2VjcmV0", allow_private=True) as channel:
        assert await channel.send(HELLO) == SendOutcome("sent")
    ((headers, body),) = got
    lower = {name.lower(): value for name, value in headers.items()}
    signed = f"{lower['webhook-id']}.{lower['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(b"secret", signed, hashlib.sha256).digest()).decode()
    assert lower["webhook-signature"] == f"v1,{expected}"
    assert lower["webhook-id"] == lower["idempotency-key"] == "msg_1"
    assert abs(int(lower["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, "sent"), (202, "sent"), (204, "sent"),
        (301, "failed"), (307, "failed"), (400, "failed"), (401, "failed"), (404, "failed"), (410, "failed"),
        (408, "retry"), (425, "retry"), (429, "retry"), (500, "retry"), (503, "retry"),
    ],
)  # fmt: skip
def test_each_status_has_its_outcome(status: int, kind: str) -> None:
    assert outcome_of_status(status, None, NOW).kind == kind


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("Sun, 01 Mar 2026 12:05:00 GMT", 300.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("99999999999999", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(header: str | None, seconds: float | None) -> None:
    assert outcome_of_status(429, header, NOW).retry_after_s == seconds


async def test_a_redirect_is_not_followed(serve: Serve) -> None:
    paths: list[str] = []

    async def away(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with WebhookChannel(await serve(away), "s", allow_private=True) as channel:
        outcome = await channel.send(HELLO)
    assert outcome == SendOutcome("failed", "HTTP 302: redirects are not followed")
    assert paths == ["/"]


async def test_a_private_address_is_refused_when_the_connection_is_made(serve: Serve) -> None:
    requests = 0

    async def take(request: web.Request) -> web.Response:
        nonlocal requests
        requests += 1
        return web.Response()

    url = await serve(take)
    for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"):
        async with WebhookChannel(url.replace("127.0.0.1", host), "s") as channel:
            outcome = await channel.send(HELLO)
        assert outcome.kind != "sent", host
    assert requests == 0


async def test_a_name_that_resolves_to_a_private_address_only_later_is_refused(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: whatever any earlier look-up said, what counts is the address the socket would go to."""

    async def take(request: web.Request) -> web.Response:
        return web.Response()

    port = int((await serve(take)).rsplit(":", 1)[1].strip("/"))

    async def rebind(*_: object, **__: object) -> list[dict[str, object]]:
        return [
            {"hostname": "rebind.example", "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 0,
             "flags": socket.AI_NUMERICHOST}
        ]  # fmt: skip

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", rebind)
    async with WebhookChannel(f"http://rebind.example:{port}/", "s") as channel:
        outcome = await channel.send(HELLO)
    assert outcome.kind == "failed"
    assert "127.0.0.1 is not a public address" in outcome.detail


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True), ("2606:4700::1111", True), ("127.0.0.1", False), ("10.1.2.3", False),
        ("172.16.0.1", False), ("192.168.1.1", False), ("169.254.169.254", False), ("100.64.0.1", False),
        ("224.0.0.1", False), ("::1", False), ("fe80::1%eth0", False), ("fd00::1", False),
        ("::ffff:10.0.0.1", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False), ("255.255.255.255", False),
    ],
)  # fmt: skip
def test_only_public_addresses_count_as_public(address: str, public: bool) -> None:
    assert is_public(address) is public


async def test_silence_and_refusal_are_tried_again(serve: Serve) -> None:
    async def silent(request: web.Request) -> web.Response:
        await asyncio.sleep(1)
        return web.Response()

    async with WebhookChannel(await serve(silent), "s", allow_private=True, timeout_s=0.1) as channel:
        assert (await channel.send(HELLO)).kind == "retry"
    async with WebhookChannel(f"http://127.0.0.1:{free_port()}/", "s", allow_private=True) as channel:
        assert (await channel.send(HELLO)).kind == "retry"


async def test_no_more_requests_run_at_once_than_allowed(serve: Serve) -> None:
    running = most = 0

    async def slow(request: web.Request) -> web.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        return web.Response()

    async with WebhookChannel(await serve(slow), "s", allow_private=True, concurrency=3) as channel:
        await asyncio.gather(*(channel.send(HELLO) for _ in range(12)))
    assert most == 3


@pytest.mark.parametrize(
    ("url", "secret", "where"),
    [
        ("ftp://example.com", "s", "REGULARS_WEBHOOK_URL"),
        ("example.com/hook", "s", "REGULARS_WEBHOOK_URL"),
        ("https://example.com", "", "REGULARS_WEBHOOK_SECRET"),
        ("https://example.com", "whsec_%%", "REGULARS_WEBHOOK_SECRET"),
    ],
)
def test_settings_that_cannot_be_used_are_named(url: str, secret: str, where: str) -> None:
    with pytest.raises(InputError) as refused:
        WebhookChannel(url, secret)
    assert refused.value.where == where
