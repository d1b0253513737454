"""The inbox keeps each event once, in an order every reader can rely on."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.database.session import transaction
from engine.events.inbox import events_of, last_seq, move_watermark, read_after, store, watermark
from tests.inbox import NOW, Home, put, reported


def test_an_event_is_stored_once_however_often_it_is_sent(inbox_home: Home) -> None:
    _, database = inbox_home
    first = put(database, reported(1), reported(2), reported(1, customer="somebody else"))
    again = put(database, reported(2), reported(3))
    assert [event.event_id for event in first] == ["e1", "e2"]
    assert [event.event_id for event in again] == ["e3"]
    with transaction(database) as session:
        assert [e.customer_id for e in read_after(session, 0)] == ["ann", "ann", "ann"]
        assert [e.seq for e in read_after(session, 0)] == [first[0].seq, first[1].seq, again[0].seq]


def test_what_is_read_is_what_was_stored(inbox_home: Home) -> None:
    _, database = inbox_home
    event = reported(1, items=[{"item_id": "汤", "quantity": 2}], zone="z")
    (stored,) = put(database, event)
    with transaction(database) as session:
        assert next(read_after(session, 0)) == stored
        assert replace(stored, seq=0) == event
        assert events_of(session, "ann", limit=5) == [stored]
        assert events_of(session, "bob", limit=5) == []


def test_reading_skips_other_types_and_older_receipts(inbox_home: Home) -> None:
    _, database = inbox_home
    put(database, reported(1), reported(2, "view", item_id="soup"), at=NOW - timedelta(days=100))
    put(database, reported(3), at=NOW)
    with transaction(database) as session:
        assert [e.event_id for e in read_after(session, 0, types=["view"])] == ["e2"]
        assert [e.event_id for e in read_after(session, 0, since=NOW - timedelta(days=90))] == ["e3"]


def test_a_rolled_back_batch_leaves_nothing(inbox_home: Home) -> None:
    _, database = inbox_home

    def fails() -> None:
        with transaction(database) as session:
            store(session, [reported(1)], NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    with transaction(database) as session:
        assert last_seq(session) == 0


def test_a_reader_never_misses_an_event_of_a_slower_writer(inbox_home: Home) -> None:
    _, database = inbox_home
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        at = 0
        while True:
            last_round = done.is_set()
            with transaction(database) as session:
                for event in read_after(session, at):
                    seen.append(event.seq)
                    at = event.seq
            if last_round:
                return

    def write(base: int) -> None:
        for i in range(25):
            put(database, reported(base + i), reported(base + 100 + i))

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


def test_a_watermark_never_moves_back(inbox_home: Home) -> None:
    _, database = inbox_home
    with transaction(database) as session:
        assert watermark(session, "history") == 0
        move_watermark(session, "history", 7)
        move_watermark(session, "history", 3)
        assert watermark(session, "history") == 7
