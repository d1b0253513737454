"""A home whose inbox events are put into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from engine.database.session import connect, transaction
from engine.events.event import Event
from engine.events.inbox import store
from engine.settings import Settings

NOW = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
Home = tuple[Settings, Engine]


def reported(number: int, kind: str = "order", customer: str = "ann", **properties: object) -> Event:
    """Return an event as the app reports it, `number` minutes after NOW."""
    if kind == "order":
        properties = {"order_id": f"o{number}", "items": [{"item_id": "soup", "unit_price_cents": 500}]} | properties
    return Event(f"e{number}", kind, customer, NOW + timedelta(minutes=number), properties)


@pytest.fixture
def inbox_home(settings: Settings, database_url: str | None) -> Iterator[Home]:
    """A fresh home and its database, in turn each kind there is."""
    settings = replace(settings, database_url=database_url)
    database = connect(settings)
    yield settings, database
    database.dispose()


def put(database: Engine, *events: Event, at: datetime = NOW) -> list[Event]:
    """Store events; return those that were new."""
    with transaction(database) as session:
        return store(session, events, at)
