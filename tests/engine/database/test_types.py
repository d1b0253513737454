"""Columns hold instants in UTC, whatever zone they were given in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from engine.database.audit import AuditRow, record
from engine.database.session import connect, transaction
from engine.settings import Settings


@pytest.fixture
def database(settings: Settings, database_url: str | None) -> Iterator[Engine]:
    opened = connect(replace(settings, database_url=database_url))
    yield opened
    opened.dispose()


def test_instants_come_back_in_utc_and_without_a_zone_are_refused(database: Engine) -> None:
    local = datetime(2026, 3, 1, 8, 30, tzinfo=timezone(timedelta(hours=8)))
    with transaction(database) as session:
        record(session, local, actor="cli:test", action="try", target="x", detail={"n": 1})
    with transaction(database) as session:
        at = session.scalars(select(AuditRow.at)).one()
    assert at == local
    assert at.tzinfo == UTC
    with pytest.raises(Exception, match="time zone"), Session(database) as session:  # noqa: PT012
        record(session, datetime(2026, 1, 1), actor="a", action="b", target="c")  # noqa: DTZ001
        session.flush()
