"""A channel that posts messages to a URL, signed by the Standard Webhooks rules (standardwebhooks.com).

It reaches public addresses only, unless the operator allows private ones. The check sits where the socket is made, so
a name that resolves to another address between check and connection gains nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import socket
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
import orjson

from campaigns.channels.base import Outgoing, SendOutcome
from campaigns.channels.registry import ChannelSpec, SendOptions, register_channel
from engine.errors import InputError
from engine.settings import Settings

RETRYABLE = frozenset({408, 425, 429})
DRAINED_BYTES = 64 * 1024
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class PrivateAddress(OSError):
    """The receiver's address is not public."""


class WebhookChannel:
    """Posts JSON to `url`; at most `concurrency` requests at once, each within `timeout_s`.

    Raises InputError for a URL or secret that cannot be used.
    """

    name = "webhook"

    def __init__(
        self, url: str, secret: str, *, allow_private: bool = False, concurrency: int = 32, timeout_s: float = 10.0
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError("expected a URL such as https://example.com/hooks", where="REGULARS_WEBHOOK_URL")
        self._url = url
        self._key = signing_key(secret)
        self._allow_private = allow_private
        self._concurrency = concurrency
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=self._concurrency, socket_factory=self._open_socket)
        # No proxies from the environment and no cookies: nothing but the signed body leaves.
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=self._timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, message: Outgoing) -> SendOutcome:
        if self._session is None:
            raise RuntimeError("the channel is not open")
        body = orjson.dumps(message.as_json())
        headers = signed_headers(self._key, message.message_id, int(time.time()), body)
        try:
            async with self._session.post(self._url, data=body, headers=headers, allow_redirects=False) as response:
                # Reading a little lets the connection serve the next message; a flood of bytes is cut off.
                await response.content.read(DRAINED_BYTES)
                return outcome_of_status(response.status, response.headers.get("Retry-After"), datetime.now(UTC))
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, PrivateAddress):
                return SendOutcome("failed", f"{error.os_error}; allow it with REGULARS_ALLOW_PRIVATE_ADDRESSES=true")
            return SendOutcome("retry", f"no connection: {error.os_error.strerror or error.os_error}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return SendOutcome("retry", f"{type(error).__name__}: {error}"[:200])

    def _open_socket(
        self, address: tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[object, ...]]
    ) -> socket.socket:
        family, kind, protocol, _, name = address
        if not self._allow_private and not is_public(str(name[0])):
            raise PrivateAddress(f"{name[0]} is not a public address")
        return socket.socket(family=family, type=kind, proto=protocol)


def signing_key(secret: str) -> bytes:
    """Return the key of a Standard Webhooks secret (`whsec_` and base64), or of any other text its UTF-8 bytes.

    Raises InputError for a `whsec_` secret that is no base64, and for an empty one.
    """
    if not secret:
        raise InputError("is empty; give a secret the receiver knows too", where="REGULARS_WEBHOOK_SECRET")
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise InputError("what follows whsec_ is not base64", where="REGULARS_WEBHOOK_SECRET") from error


def signed_headers(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of one attempt; the signature covers id, time and body."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
        "idempotency-key": message_id,
        "user-agent": "Regulars",
    }


def outcome_of_status(status: int, retry_after: str | None, now: datetime) -> SendOutcome:
    """Return what an HTTP status means: 2xx sent; 408, 425, 429 and 5xx later; all else never."""
    if 200 <= status < 300:
        return SendOutcome("sent")
    if status in RETRYABLE or status >= 500:
        return SendOutcome("retry", f"HTTP {status}", _seconds(retry_after, now))
    if 300 <= status < 400:
        return SendOutcome("failed", f"HTTP {status}: redirects are not followed")
    return SendOutcome("failed", f"HTTP {status}")


def is_public(address: str) -> bool:
    """Tell whether an IP address is on the public internet, seen through IPv6 forms that carry an IPv4 address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        carried = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if carried is None and ip in NAT64:
            carried = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if carried is not None:
            ip = carried
    return ip.is_global and not ip.is_multicast


def _seconds(retry_after: str | None, now: datetime) -> float | None:
    if not retry_after:
        return None
    if retry_after.strip().isdecimal() and len(retry_after) < 10:
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
    except (ValueError, TypeError):
        return None
    return max(((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds(), 0.0)


def _build(settings: Settings, options: SendOptions) -> WebhookChannel | None:
    if not settings.webhook_url:
        return None
    return WebhookChannel(
        settings.webhook_url,
        settings.webhook_secret or "",
        allow_private=settings.allow_private_addresses,
        concurrency=options.concurrency,
        timeout_s=options.timeout_s,
    )


register_channel(
    ChannelSpec(name=WebhookChannel.name, build=_build, setting="REGULARS_WEBHOOK_URL", purpose="the URL it posts to")
)
