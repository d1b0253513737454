"""A town of two hundred dormant customers, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from engine.database.session import connect
from engine.settings import Settings
from tests.campaigns.runs.steps import NOW
from tests.campaigns.town import settle_town


@pytest.fixture
def town(settings: Settings, database_url: str | None) -> Settings:
    town = replace(settings, database_url=database_url)
    settle_town(town, 200, now=NOW, consents=(None, None, None, True, False))
    return town


@pytest.fixture
def database(town: Settings) -> Iterator[Engine]:
    database = connect(town)
    yield database
    database.dispose()
