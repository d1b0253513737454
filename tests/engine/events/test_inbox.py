"""The inbox keeps each event once, in an order every reader can rely on; history receives what it says of orders."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from engine.database.session import connect, transaction
from engine.events.event import Event
from engine.events.inbox import events_of, last_seq, move_watermark, read_after, store, watermark
from engine.history.compaction import compact_inbox
from engine.history.orders import History

NOW = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)


def told(number, kind="order", customer="ann", **properties):
    if kind == "order":
        properties = {"order_id": f"o{number}", "items": [{"item_id": "soup", "unit_price_cents": 500}]} | properties
    return Event(f"e{number}", kind, customer, NOW + timedelta(minutes=number), properties)


@pytest.fixture
def home(settings, database_url):
    settings = replace(settings, database_url=database_url)
    engine = connect(settings)
    yield settings, engine
    engine.dispose()


def put(engine, *events, at=NOW):
    with transaction(engine) as session:
        return store(session, events, at)


def orders(settings):
    return {row["order_id"]: row for row in History(settings.history_folder).orders().collect().to_dicts()}


def test_an_event_is_stored_once_whoever_tells_it_again(home) -> None:
    _, engine = home
    first = put(engine, told(1), told(2), told(1, customer="somebody else"))
    again = put(engine, told(2), told(3))
    assert [event.event_id for event in first] == ["e1", "e2"]
    assert [event.event_id for event in again] == ["e3"]
    with transaction(engine) as session:
        assert [e.customer_id for e in read_after(session, 0)] == ["ann", "ann", "ann"]
        assert [e.seq for e in read_after(session, 0)] == [first[0].seq, first[1].seq, again[0].seq]


def test_what_is_read_is_what_was_told(home) -> None:
    _, engine = home
    event = told(1, items=[{"item_id": "汤", "quantity": 2}], zone="z")
    (stored,) = put(engine, event)
    with transaction(engine) as session:
        assert next(read_after(session, 0)) == stored
        assert replace(stored, seq=0) == event
        assert events_of(session, "ann", limit=5) == [stored]
        assert events_of(session, "bob", limit=5) == []


def test_reading_skips_other_types_and_older_receipts(home) -> None:
    _, engine = home
    put(engine, told(1), told(2, "view", item_id="soup"), at=NOW - timedelta(days=100))
    put(engine, told(3), at=NOW)
    with transaction(engine) as session:
        assert [e.event_id for e in read_after(session, 0, types=["view"])] == ["e2"]
        assert [e.event_id for e in read_after(session, 0, since=NOW - timedelta(days=90))] == ["e3"]


def test_a_rolled_back_batch_leaves_nothing(home) -> None:
    _, engine = home

    def fails() -> None:
        with transaction(engine) as session:
            store(session, [told(1)], NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    with transaction(engine) as session:
        assert last_seq(session) == 0


def test_a_reader_never_misses_an_event_of_a_slower_writer(home) -> None:
    _, engine = home
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        at = 0
        while True:
            last_round = done.is_set()
            with transaction(engine) as session:
                for event in read_after(session, at):
                    seen.append(event.seq)
                    at = event.seq
            if last_round:
                return

    def write(base: int) -> None:
        for i in range(25):
            put(engine, told(base + i), told(base + 100 + i))

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(base,)) for base in (1000, 2000, 3000)]
    reader.start()
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert len(seen) == len(set(seen)) == 150
    assert seen == sorted(seen)


def test_a_watermark_never_moves_back(home) -> None:
    _, engine = home
    with transaction(engine) as session:
        assert watermark(session, "history") == 0
        move_watermark(session, "history", 7)
        move_watermark(session, "history", 3)
        assert watermark(session, "history") == 7


def test_orders_told_by_event_become_history(home) -> None:
    settings, engine = home
    lines = [{"item_id": "soup", "quantity": 2, "unit_price_cents": 450}, {"item_id": "soup", "unit_price_cents": 450}]
    put(engine, told(1, items=lines, discount_cents=100, delivery_fee_cents=50, vendor_id="v", zone="z"))
    assert compact_inbox(engine, settings) == 1
    order = orders(settings)["o1"]
    assert (order["order_cents"], order["status"], order["currency"], order["zone"]) == (1300, "delivered", "USD", "z")
    lines = History(settings.history_folder).lines().collect()
    assert lines.select("line_no", "quantity", "line_cents").rows() == [(0, 2.0, 900), (1, 1.0, 450)]


def test_compacting_again_changes_nothing(home) -> None:
    settings, engine = home
    put(engine, told(1), told(2))
    compact_inbox(engine, settings)
    before = History(settings.history_folder).fingerprint()
    assert compact_inbox(engine, settings) == 2
    assert History(settings.history_folder).fingerprint() == before


def test_a_run_that_died_before_noting_its_progress_is_simply_done_again(home, monkeypatch) -> None:
    settings, engine = home
    put(engine, told(1), told(2))
    with monkeypatch.context() as patched:
        patched.setattr("engine.history.compaction.move_watermark", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            compact_inbox(engine, settings)
    assert len(orders(settings)) == 2
    assert compact_inbox(engine, settings) == 2
    assert len(orders(settings)) == 2


def test_a_later_status_or_rating_reaches_the_order_in_the_inbox_or_in_history(home) -> None:
    settings, engine = home
    put(engine, told(1), told(2), told(3, "order_status", order_id="o1", status="refunded"))
    compact_inbox(engine, settings)
    put(
        engine,
        told(4, "rating", order_id="o2", rating=2),
        told(5, "order_status", order_id="nobody's", status="delivered"),
    )
    compact_inbox(engine, settings)
    found = orders(settings)
    assert found["o1"]["status"] == "refunded"
    assert found["o2"]["rating"] == 2
    assert len(found) == 2
    statuses = History(settings.history_folder).lines().filter(pl.col("order_id") == "o1").collect()["status"].to_list()
    assert statuses == ["refunded"]


def test_a_rating_of_one_dish_is_not_one_of_its_order(home) -> None:
    settings, engine = home
    put(engine, told(1), told(2, "rating", order_id="o1", rating=1, item_id="soup"))
    compact_inbox(engine, settings)
    assert orders(settings)["o1"]["rating"] is None


def test_an_order_id_of_another_customer_does_not_overwrite_history(home) -> None:
    settings, engine = home
    put(engine, told(1))
    compact_inbox(engine, settings)
    put(engine, Event("e9", "order", "mallory", NOW, {"order_id": "o1", "items": [{"item_id": "tea"}]}), told(2))
    compact_inbox(engine, settings)
    found = orders(settings)
    assert found["o1"]["customer_id"] == "ann"
    assert set(found) == {"o1", "o2"}
