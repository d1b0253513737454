"""API keys: only a digest is stored; the key itself is shown once, when it is made."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.database.audit import record
from engine.database.session import Base
from engine.database.types import Instant
from engine.errors import BadRequest, NotFound, did_you_mean

SCOPES = {
    "recommend": "POST /v1/recommend/*",
    "events": "POST /v1/events",
    "customers": "GET /v1/customers/{id}",
    "segments": "/v1/segments: read, save, count, preview and explain segments",
    "metrics": "GET /metrics",
    "docs": "GET /docs and /openapi.json; every key may read them",
}
KEY_PREFIX = "rg_"


class ApiKeyRow(Base):
    """One key; `digest` is SHA-256 of it (keys hold 256 random bits, so no salt or slow hash is needed)."""

    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str] = mapped_column(String(400))
    created_at: Mapped[datetime] = mapped_column(Instant())
    revoked_at: Mapped[datetime | None] = mapped_column(Instant())


def create_key(session: Session, now: datetime, *, name: str, scopes: Sequence[str], actor: str) -> tuple[str, str]:
    """Add a key and return (id, key); the key cannot be read again.

    Raises BadRequest for a scope that does not exist or when there is none.
    """
    if not scopes:
        raise BadRequest(f"a key needs a scope; choose from {', '.join(SCOPES)}", where="--scope")
    for scope in scopes:
        if scope not in SCOPES:
            raise BadRequest(f"unknown scope {scope!r}{did_you_mean(scope, SCOPES)}", where="--scope")
    key_id, key = secrets.token_hex(6), KEY_PREFIX + secrets.token_urlsafe(32)
    session.add(
        ApiKeyRow(
            id=key_id,
            name=name,
            digest=digest_of(key),
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
    """Close a key; a running service refuses it within five seconds. Raises NotFound."""
    row = session.get(ApiKeyRow, key_id)
    if row is None:
        raise NotFound(f"no key {key_id!r}; `regulars keys list` shows them", where="ID")
    if row.revoked_at is None:
        row.revoked_at = now
        record(session, now, actor=actor, action="key.revoke", target=key_id)


def find_key(session: Session, digest: str) -> ApiKeyRow | None:
    """Return the key with this digest; None where there is none or it was revoked."""
    row = session.scalar(select(ApiKeyRow).where(ApiKeyRow.digest == digest))
    return None if row is None or row.revoked_at is not None else row


def list_keys(session: Session) -> list[ApiKeyRow]:
    """Return all keys, oldest first."""
    return list(session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.created_at, ApiKeyRow.id)))


def digest_of(key: str) -> str:
    """Return the digest under which a key is stored."""
    return hashlib.sha256(key.encode()).hexdigest()
