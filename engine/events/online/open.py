"""Which online store a service uses."""

from __future__ import annotations

from engine.events.online.in_process import InProcessStore
from engine.events.online.in_redis import RedisStore
from engine.events.online.store import OnlineStore


def open_online(redis_url: str | None) -> OnlineStore:
    """Return the online store in force: Redis where a URL is set, else this process's memory."""
    return RedisStore(redis_url) if redis_url else InProcessStore()
