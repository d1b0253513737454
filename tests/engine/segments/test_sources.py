"""What segments read of a real home: the inbox, months of history, and the customer table, stored or computed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.columns import LINES, ORDERS
from engine.customers import store as customer_store
from engine.database.session import connect, transaction
from engine.events.event import Event
from engine.events.inbox import store
from engine.history.opening import open_history
from engine.history.tables import upsert_table
from engine.segments.explain import explain_membership
from engine.segments.facts import members
from engine.segments.parse import parse_rule
from engine.segments.sources import OpenSession, home_segment_sources
from engine.settings import Settings
from tests.engine.segments.city import AS_OF, ENV, city_home

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def open_session(settings: Settings, database_url: str) -> Iterator[OpenSession]:
    database = connect(replace(settings, database_url=database_url))
    yield lambda: transaction(database)
    database.dispose()


def found(
    settings: Settings, open_session: OpenSession, tree: object, at: datetime = NOW, *, exact: bool = True
) -> list[str]:
    rule = parse_rule(tree, currency="USD")
    return (
        members(rule, home_segment_sources(settings, open_session, exact=exact), at)
        .collect()["customer_id"]
        .sort()
        .to_list()
    )


def test_events_of_the_inbox_count_within_their_window_and_by_the_menu(
    settings: Settings, open_session: OpenSession
) -> None:
    upsert_table(settings, "customers", pl.DataFrame({"customer_id": ["a", "b", "c"]}))
    dishes = {"item_id": ["d1", "d2"], "category": ["soup", "rice"], "cuisine": [None, "Thai"], "vendor_id": ["v", "v"]}
    upsert_table(settings, "items", pl.DataFrame(dishes))
    upsert_table(settings, "vendors", pl.DataFrame({"vendor_id": ["v"], "cuisine": ["Korean"]}))
    stored = [
        Event("1", "view", "a", NOW - DAY, {"item_id": "d1"}),
        Event("2", "view", "a", NOW - 9 * DAY, {"item_id": "d1"}),
        Event("3", "view", "b", NOW, {"item_id": "d2"}),
        Event("4", "view", "c", NOW + DAY, {"item_id": "d1"}),
        Event("5", "rating", "c", NOW - DAY, {"order_id": "o", "rating": 2}),
        Event("6", "rating", "b", NOW - DAY, {"order_id": "p", "rating": 5}),
    ]
    with open_session() as session:
        store(session, stored, NOW)
    view = {"event": "view", "at_least": 1}
    assert found(settings, open_session, {"count": view}) == ["a", "b"]
    assert found(settings, open_session, {"count": {**view, "at_least": 2}}) == ["a"]
    assert found(settings, open_session, {"count": {**view, "at_least": 2, "last_days": 9}}) == []
    assert found(settings, open_session, {"count": {**view, "where": {"category": "rice"}}}) == ["b"]
    assert found(settings, open_session, {"count": {**view, "where": {"cuisine": "Korean"}}}) == ["a"]
    assert found(settings, open_session, {"absent": {"event": "view"}}) == ["c"]
    assert found(
        settings, open_session, {"count": {"event": "rating", "where": {"rating": {"at_most": 2}}, "at_least": 1}}
    ) == ["c"]
    rule = parse_rule({"last": {"event": "view", "within_days": 2}}, currency="USD")
    explained = explain_membership(rule, home_segment_sources(settings, open_session), NOW, "a")
    assert (explained.matched, explained.value) == (True, NOW - DAY)


def test_a_window_opens_only_the_months_it_reaches(settings: Settings) -> None:
    at = [datetime(2026, month, 15, tzinfo=UTC) for month in (1, 2, 3)]
    rows = [
        {"order_id": str(i), "customer_id": "a", "ordered_at": each, "status": "delivered"} for i, each in enumerate(at)
    ]
    orders = pl.DataFrame([{name: row.get(name) for name in ORDERS} for row in rows], schema=ORDERS)
    history = open_history(settings)
    history.append(orders, pl.DataFrame(schema=LINES))

    def months(since: datetime) -> list[datetime]:
        return history.orders(since=since).collect()["ordered_at"].to_list()

    assert months(at[0]) == at
    assert months(at[0] + timedelta(microseconds=1)) == at[1:]
    assert months(at[2] + DAY) == []


def test_the_table_is_of_the_very_instant_unless_now_is_asked(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(city_home(), home)
    settings = Settings.from_environment(ENV, home=home)
    database = connect(settings)
    computed: list[datetime] = []
    compute = customer_store.compute_customer_table

    def counted(chosen: Settings, moment: Any, **options: Any) -> Any:
        computed.append(moment.at)
        return compute(chosen, moment, **options)

    monkeypatch.setattr(customer_store, "compute_customer_table", counted)
    slowing = {"lifecycle": "slowing"}
    stored = found(settings, lambda: transaction(database), slowing, AS_OF)
    assert (len(stored) > 0, computed) == (True, [])
    assert found(settings, lambda: transaction(database), slowing, AS_OF + DAY, exact=False) == stored
    assert computed == []
    earlier = AS_OF - 20 * DAY
    assert found(settings, lambda: transaction(database), slowing, earlier) != stored
    found(settings, lambda: transaction(database), slowing, AS_OF + 2 * DAY, exact=False)
    assert computed == [earlier, AS_OF + 2 * DAY]
    database.dispose()


def test_a_complaint_told_after_the_table_was_stored_is_seen_by_the_next_question(
    settings: Settings, open_session: OpenSession
) -> None:
    order = {"order_id": "o", "customer_id": "a", "ordered_at": NOW - DAY, "status": "delivered", "order_cents": 900}
    orders = pl.DataFrame([{name: order.get(name) for name in ORDERS}], schema=ORDERS, orient="row")
    open_history(settings).append(orders, pl.DataFrame(schema=LINES))
    complained = {"complaints": {"at_least": 1}}
    customer_store.build_customer_table(settings, now=NOW, database=open_session)
    assert found(settings, open_session, complained, exact=False) == []
    with open_session() as session:
        store(session, [Event("1", "complaint", "a", NOW - timedelta(hours=1), {"reason": "cold"})], NOW)
    assert found(settings, open_session, complained, exact=False) == ["a"]


def test_a_table_of_another_release_is_not_read(settings: Settings, open_session: OpenSession) -> None:
    order = {"order_id": "o", "customer_id": "a", "ordered_at": NOW - DAY, "status": "delivered", "order_cents": 900}
    orders = pl.DataFrame([{name: order.get(name) for name in ORDERS}], schema=ORDERS, orient="row")
    open_history(settings).append(orders, pl.DataFrame(schema=LINES))
    customer_store.build_customer_table(settings, now=NOW, database=open_session)
    path = customer_store.customer_table_file(settings)
    path.write_bytes(b"from a release that wrote another format")
    manifest = path.with_suffix(".json")
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"format": 2', '"format": 1'), encoding="utf-8")
    assert found(settings, open_session, {"lifecycle": {"equals": "new"}}, exact=False) == ["a"]
