"""API keys: who may call what. Only a digest is stored; the key itself is shown once, when it is made."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import secrets
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine, String, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.database.audit import record
from engine.database.session import Base, Instant, transaction
from engine.errors import BadRequest, DatabaseUnavailable, Forbidden, NotFound, Unauthorised, did_you_mean

SCOPES = {
    "recommend": "POST /v1/recommend/*",
    "events": "POST /v1/events",
    "customers": "GET /v1/customers/{id}",
    "segments": "/v1/segments: read, save, count, preview and explain segments",
    "metrics": "GET /metrics",
    "docs": "GET /docs and /openapi.json; every key may read them",
}
PREFIX = "rg_"
FRESH_S = 5.0
# With the database away, keys seen lately still open the recommend routes for a while.
STALE_S = 600.0
MOST_CACHED = 10_000
KEY_HEADERS = frozenset({b"authorization", b"x-api-key"})


class ApiKeyRow(Base):
    """One key; `digest` is SHA-256 of it (keys hold 256 random bits, so no salt or slow hash is needed)."""

    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str] = mapped_column(String(400))
    created_at: Mapped[datetime] = mapped_column(Instant())
    revoked_at: Mapped[datetime | None] = mapped_column(Instant())


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called, by key id, and what she may do."""

    key_id: str
    scopes: frozenset[str]


def create_key(session: Session, now: datetime, *, name: str, scopes: Sequence[str], actor: str) -> tuple[str, str]:
    """Add a key and return (id, key); the key cannot be read again.

    Raises BadRequest for a scope that does not exist or when there is none.
    """
    if not scopes:
        raise BadRequest(f"a key needs a scope; choose from {', '.join(SCOPES)}", where="--scope")
    for scope in scopes:
        if scope not in SCOPES:
            raise BadRequest(f"unknown scope {scope!r}{did_you_mean(scope, SCOPES)}", where="--scope")
    key_id, key = secrets.token_hex(6), PREFIX + secrets.token_urlsafe(32)
    session.add(
        ApiKeyRow(
            id=key_id,
            name=name,
            digest=_digest(key),
            scopes=" ".join(sorted(set(scopes))),
            created_at=now,
            revoked_at=None,
        )
    )
    record(
        session, now, actor=actor, action="key.create", target=key_id, detail={"name": name, "scopes": sorted(scopes)}
    )
    return key_id, key


def revoke_key(session: Session, now: datetime, key_id: str, *, actor: str) -> None:
    """Close a key; running services notice within five seconds. Raises NotFound."""
    row = session.get(ApiKeyRow, key_id)
    if row is None:
        raise NotFound(f"no key {key_id!r}; `regulars keys list` shows them", where="ID")
    if row.revoked_at is None:
        row.revoked_at = now
        record(session, now, actor=actor, action="key.revoke", target=key_id)


def list_keys(session: Session) -> list[ApiKeyRow]:
    """Return all keys, oldest first."""
    return list(session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.created_at, ApiKeyRow.id)))


class KeyRing:
    """Looks keys up, remembering each answer for five seconds, so that a busy app costs no query a request.

    A key in use is looked up again before its answer grows old, by one question whoever asks meanwhile, so that nobody
    waits for the database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen: dict[str, tuple[float, Caller | None]] = {}
        self._asking: dict[str, asyncio.Task[bool]] = {}

    async def caller(self, key: str) -> Caller:
        """Return who holds `key`. Raises Unauthorised, or DatabaseUnavailable when it can not be looked up."""
        digest = _digest(key)
        now = time.monotonic()
        at, caller = self._seen.get(digest, (-STALE_S, None))
        if now - at > FRESH_S / 2:
            asking = self._asking.get(digest)
            if asking is None:
                asking = self._asking[digest] = asyncio.create_task(self._renew(digest, now))
            if now - at > FRESH_S:
                # One who hangs up must not take the answer from the others.
                if await asyncio.shield(asking):
                    caller = self._seen[digest][1]
                elif caller is None or now - at > STALE_S:
                    raise DatabaseUnavailable("keys cannot be checked: the database does not answer")
        if caller is None:
            raise Unauthorised("unknown or revoked API key; `regulars keys create` makes one", where="Authorization")
        return caller

    async def _renew(self, digest: str, now: float) -> bool:
        """Look the key up and remember what is found since `now`; False where the database does not answer."""
        try:
            caller = await run_in_threadpool(self._look_up, digest)
        except OperationalError:
            return False
        finally:
            del self._asking[digest]
        if len(self._seen) >= MOST_CACHED:
            self._seen.clear()
        self._seen[digest] = (now, caller)
        return True

    def _look_up(self, digest: str) -> Caller | None:
        with transaction(self._engine) as session:
            row = session.scalar(select(ApiKeyRow).where(ApiKeyRow.digest == digest))
            if row is None or row.revoked_at is not None:
                return None
            return Caller(row.id, frozenset(row.scopes.split()))


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
    told = _headers(request)
    kind, _, value = told.get(b"authorization", "").partition(" ")
    if kind.lower() == "bearer" and value.strip():
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    if key := told.get(b"x-api-key"):
        return key.strip()
    raise Unauthorised("no API key; send `Authorization: Bearer <key>`", where="Authorization")


def _headers(request: Request) -> dict[bytes, str]:
    """Return the headers a key may be in, the first of each name; the framework's mapping takes ten times as long."""
    found: dict[bytes, str] = {}
    for name, value in request.scope["headers"]:
        if name in KEY_HEADERS:
            found.setdefault(name, value.decode("latin-1"))
    return found


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def utc_now() -> datetime:
    """Return the present instant; the one clock of the API room, replaced in tests."""
    return datetime.now(UTC)
