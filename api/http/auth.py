"""Who may call what, by the API key of a request; `engine.database.keys` makes and revokes keys."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from engine.database.keys import digest_of, find_key
from engine.database.session import transaction
from engine.errors import DatabaseUnavailable, Forbidden, Unauthorised

FRESH_S = 5.0
# While the database does not answer, keys seen within this time stay valid.
STALE_S = 600.0
MOST_CACHED = 10_000
KEY_HEADERS = frozenset({b"authorization", b"x-api-key"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called, by key id, and what they may do."""

    key_id: str
    scopes: frozenset[str]


class KeyRing:
    """Looks keys up and remembers each answer for five seconds, so that a request costs no query.

    A key in use is looked up again before its answer expires, by one query however many requests present it, so that
    no request waits for the database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen: dict[str, tuple[float, Caller | None]] = {}
        self._renewing: dict[str, asyncio.Task[bool]] = {}

    async def caller(self, key: str) -> Caller:
        """Return who holds `key`. Raises Unauthorised, or DatabaseUnavailable when it can not be looked up."""
        digest = digest_of(key)
        now = time.monotonic()
        at, caller = self._seen.get(digest, (-STALE_S, None))
        if now - at > FRESH_S / 2:
            renewing = self._renewing.get(digest)
            if renewing is None:
                renewing = self._renewing[digest] = asyncio.create_task(self._renew(digest, now))
            if now - at > FRESH_S:
                # A caller that disconnects must not cancel the query for the others.
                if await asyncio.shield(renewing):
                    caller = self._seen[digest][1]
                elif caller is None or now - at > STALE_S:
                    raise DatabaseUnavailable("keys cannot be checked: the database does not answer")
        if caller is None:
            raise Unauthorised("unknown or revoked API key; `regulars keys create` makes one", where="Authorization")
        return caller

    async def _renew(self, digest: str, now: float) -> bool:
        """Look the key up and remember the answer as of `now`; False where the database does not answer."""
        try:
            caller = await run_in_threadpool(self._look_up, digest)
        except OperationalError:
            return False
        finally:
            del self._renewing[digest]
        if len(self._seen) >= MOST_CACHED:
            self._seen.clear()
        self._seen[digest] = (now, caller)
        return True

    def _look_up(self, digest: str) -> Caller | None:
        with transaction(self._engine) as session:
            row = find_key(session, digest)
            return None if row is None else Caller(row.id, frozenset(row.scopes.split()))


def requires(scope: str) -> Callable[[Request], Coroutine[Any, Any, Caller]]:
    """Return a dependency that lets only keys with `scope` pass (any key, for `docs`)."""

    async def check(request: Request) -> Caller:
        ring: KeyRing = request.app.state.keys
        caller = await ring.caller(_presented(request))
        if scope != "docs" and scope not in caller.scopes:
            raise Forbidden(f"this key lacks the scope {scope!r}; make one with --scope {scope}", where="Authorization")
        return caller

    return check


def _presented(request: Request) -> str:
    """Return the key of `Authorization: Bearer`, of `X-API-Key`, or the password of Basic (for browsers)."""
    headers = _headers(request)
    kind, _, value = headers.get(b"authorization", "").partition(" ")
    if kind.lower() == "bearer" and value.strip():
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    if key := headers.get(b"x-api-key"):
        return key.strip()
    raise Unauthorised("no API key; send `Authorization: Bearer <key>`", where="Authorization")


def _headers(request: Request) -> dict[bytes, str]:
    """Return the headers a key may be in, the first of each name; the framework's mapping takes ten times as long."""
    found: dict[bytes, str] = {}
    for name, value in request.scope["headers"]:
        if name in KEY_HEADERS:
            found.setdefault(name, value.decode("latin-1"))
    return found


def utc_now() -> datetime:
    """Return the present instant; the one clock of the API room, replaced in tests."""
    return datetime.now(UTC)
