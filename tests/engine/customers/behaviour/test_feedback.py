"""Survey answers and complaints come out of the inbox as they were received, from either database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from sqlalchemy import Engine

from engine.customers.behaviour import feedback
from engine.customers.behaviour.feedback import feedback_received_since, newest_feedback, read_feedback
from engine.customers.behaviour.satisfaction import FEEDBACK
from engine.customers.store import build_customer_table, customer_table_file, is_table_current, newest_moment
from engine.database.session import connect, transaction
from engine.events.event import Event
from engine.events.inbox import store
from engine.history.opening import open_history
from engine.settings import Settings
from tests.engine.customers.histories import NOW, lines_of, order, orders

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def inbox(settings: Settings, database_url: str | None) -> Iterator[Engine]:
    engine = connect(replace(settings, database_url=database_url))
    yield engine
    engine.dispose()


def put(engine: Engine, *events: Event, received_at: datetime = NOON) -> None:
    with transaction(engine) as session:
        store(session, events, received_at)


def complaint(number: int, *, at: datetime = NOON, customer: str = "a", **about: str) -> Event:
    return Event(f"e{number}", "complaint", customer, at, {"reason": "cold", **about})


def survey(number: int, kind: str, score: object, *, at: datetime = NOON) -> Event:
    return Event(f"e{number}", "survey", "a", at, {"kind": kind, "score": score})


def test_every_answer_and_complaint_is_read_and_nothing_else(inbox: Engine) -> None:
    put(
        inbox,
        Event("v", "view", "a", NOON, {"item_id": "dal"}),
        survey(1, "nps", 9),
        complaint(2, order_id="o1", item_id="dal", vendor_id="v1"),
        Event("r", "rating", "a", NOON, {"order_id": "o1", "rating": 1}),
        survey(3, "csat", 4.0, at=NOON - timedelta(days=1)),
    )
    found = read_feedback(inbox)
    assert dict(found.schema) == FEEDBACK
    assert found.drop("at").rows() == [
        ("a", "nps", 9.0, None, None, None),
        ("a", "complaint", None, "o1", "v1", "dal"),
        ("a", "csat", 4.0, None, None, None),
    ]
    assert found["at"].to_list() == [NOON, NOON, NOON - timedelta(days=1)]
    assert newest_feedback(inbox) == NOON


def test_without_a_database_or_without_feedback_there_is_none(inbox: Engine) -> None:
    empty = pl.DataFrame(schema=FEEDBACK)
    assert read_feedback(None).equals(empty)
    assert newest_feedback(None) is None
    put(inbox, Event("v", "view", "a", NOON, {"item_id": "dal"}))
    assert read_feedback(inbox).equals(empty)
    assert newest_feedback(inbox) is None


@pytest.mark.parametrize("many", [5, 6, 7])
def test_batches_lose_and_repeat_nothing(inbox: Engine, monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    monkeypatch.setattr(feedback, "FEEDBACK_BATCH", 3)
    put(inbox, *(complaint(i, customer=f"c{i}") for i in range(many)))
    assert read_feedback(inbox)["customer_id"].to_list() == [f"c{i}" for i in range(many)]


def test_what_came_since_an_instant_is_known_by_when_it_was_received(inbox: Engine) -> None:
    put(inbox, complaint(1, at=NOON + timedelta(hours=5)))
    assert feedback_received_since(inbox, NOON)
    assert not feedback_received_since(inbox, NOON + timedelta(seconds=1))


@pytest.fixture
def shop(settings: Settings) -> Settings:
    placed = orders(*(order(f"c{i}", i % 20, order_cents=1000 + i) for i in range(40)))
    open_history(settings).append(placed, lines_of(placed, [["dal"]] * placed.height))
    return settings


def test_newer_feedback_makes_its_day_the_moment_but_never_tomorrow(shop: Settings, inbox: Engine) -> None:
    late = NOON + timedelta(days=30)
    assert newest_moment(shop, now=late, database=inbox) == NOW
    put(inbox, complaint(1, at=NOON - timedelta(days=300)))
    assert newest_moment(shop, now=late, database=inbox) == NOW
    put(inbox, complaint(2, at=NOON))
    assert newest_moment(shop, now=late, database=inbox).date == NOON.date()
    assert newest_moment(shop, now=NOON, database=inbox).at == NOON
    assert newest_moment(shop, now=late) == NOW


def test_a_stored_table_is_current_until_an_order_or_feedback_comes(shop: Settings, inbox: Engine) -> None:
    assert not is_table_current(shop, inbox)
    put(inbox, complaint(1, customer="c3"), received_at=NOON - timedelta(seconds=1))
    built = build_customer_table(shop, now=NOON, database=inbox)
    assert built.table.filter(pl.col("complaints") > 0)["customer_id"].to_list() == ["c3"]
    assert is_table_current(shop, inbox)
    put(inbox, survey(2, "nps", 3), received_at=NOON + timedelta(minutes=1))
    assert not is_table_current(shop, inbox)
    build_customer_table(shop, now=NOON + timedelta(minutes=2), database=inbox)
    assert is_table_current(shop, inbox)
    more = orders(order("c1", 0.1, order_id="later"))
    open_history(shop).append(more, lines_of(more, [["dal"]]))
    assert not is_table_current(shop, inbox)
    build_customer_table(shop, now=NOON + timedelta(minutes=3), database=inbox)
    customer_table_file(shop).with_suffix(".json").write_text("{}")
    assert not is_table_current(shop, inbox)
