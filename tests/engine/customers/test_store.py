"""The table in the home: stored with its manifest, read back whole, explained for one customer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.customers.store import build_customer_table, customer_table_file, newest_moment, read_customer_table
from engine.errors import BadFile, NoHistory, NotFound
from engine.history.opening import open_history
from engine.history.tables import upsert_table
from engine.settings import Settings
from tests.engine.customers.histories import NOW, customers, drawn_town, lines_of, moment


@pytest.fixture
def filled(settings: Settings) -> Settings:
    placed = drawn_town(150, seed=5)
    open_history(settings).append(placed, lines_of(placed, [["dal"]] * placed.height))
    upsert_table(settings, "customers", customers({"customer_id": "p1"}, {"customer_id": "c00001", "language": "zh"}))
    return settings


def test_what_was_built_is_read_back_with_its_manifest(filled: Settings) -> None:
    stages: list[str] = []
    built = build_customer_table(filled, now=NOW.at, horizon_days=30, report=stages.append)
    stored = read_customer_table(filled)
    assert stored.table.equals(built.table, null_equal=True)
    assert stored.facts == built.facts
    assert stored.facts["history"] == open_history(filled).fingerprint()
    assert stored.facts["horizon_days"] == 30
    assert len(stages) >= 4
    assert customer_table_file(filled).with_suffix(".svg").read_text().startswith("<svg")


def test_by_default_it_is_as_of_the_newest_orders_day_but_never_of_tomorrow(filled: Settings) -> None:
    window = open_history(filled).window()
    assert window is not None
    assert newest_moment(filled, now=NOW.at + timedelta(days=400)).date == window[1].date()
    early = datetime(2025, 6, 1, tzinfo=UTC)
    assert newest_moment(filled, now=early).at == early


def test_nothing_built_nothing_known_and_broken_files_are_told_apart(settings: Settings) -> None:
    with pytest.raises(NotFound, match="regulars customers build"):
        read_customer_table(settings)
    with pytest.raises(NoHistory, match="no order yet"):
        build_customer_table(settings, now=NOW.at)
    with pytest.raises(NoHistory, match="nobody is known"):
        build_customer_table(settings, now=NOW.at, as_of=moment("2020-01-01"))
    customer_table_file(settings).parent.mkdir(parents=True, exist_ok=True)
    customer_table_file(settings).write_bytes(b"PAR1?")
    with pytest.raises(BadFile, match="no customer table of ours"):
        read_customer_table(settings)
