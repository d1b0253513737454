"""What an online store owes, run on the in-process one and on real Redis."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from engine.errors import InputError, OnlineUnavailable
from engine.events.event import Event
from engine.events.online.in_process import InProcessStore
from engine.events.online.in_redis import RedisStore
from engine.events.online.kept import KEPT_EVENTS
from engine.events.online.open import open_online
from tests.servers import free_port

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(params=["in_process", "redis"])
async def store(request: pytest.FixtureRequest):
    made = InProcessStore() if request.param == "in_process" else RedisStore(request.getfixturevalue("redis_url"))
    yield made
    await made.close()


def event(seq, customer="ann", **properties):
    return Event("", "view", customer, AT, {"item_id": "汤"} | properties, seq)


async def test_a_customer_without_events_has_none(store) -> None:
    assert await store.recent("nobody") == []


async def test_what_is_read_is_what_was_folded_oldest_first(store) -> None:
    lines = [{"item_id": "汤"}, {"item_id": None}]
    order = Event("e3", "order", "ann", AT, {"items": lines, "latitude": 31.25, "status": "refunded"}, 3)
    events = [event(1), event(2, "bob"), order]
    await store.fold(reversed(events))
    assert await store.recent("ann") == [events[0], events[2]]
    assert await store.recent("bob") == [events[1]]


async def test_folding_twice_is_folding_once(store) -> None:
    await store.fold([event(1), event(2)])
    await store.fold([event(2), event(1)])
    assert [e.seq for e in await store.recent("ann")] == [1, 2]


async def test_folding_nothing_is_fine(store) -> None:
    await store.fold([])


async def test_only_the_newest_are_kept(store) -> None:
    await store.fold(bought(seq) for seq in range(1, KEPT_EVENTS + 11))
    kept = await store.recent("ann")
    assert [e.seq for e in kept] == list(range(11, KEPT_EVENTS + 11))


def bought(seq: int) -> Event:
    return Event(f"e{seq}", "order", "ann", AT, {"order_id": str(seq), "items": []}, seq)


def shown(seq: int) -> Event:
    return Event(f"e{seq}", "impression", "ann", AT, {"item_id": "汤", "request_id": "r", "slot": 1}, seq)


async def test_looks_never_push_out_what_she_did_and_are_kept_a_few_deep(store) -> None:
    await store.fold([bought(1)])
    await store.fold([event(seq, "ann") for seq in range(2, 100)])
    await store.fold([shown(seq) for seq in range(100, 200)])
    assert [e.seq for e in await store.recent("ann")] == [1, *range(80, 100), *range(160, 200)]


async def test_what_she_did_pushes_out_looks(store) -> None:
    await store.fold([event(1, "ann"), *(bought(seq) for seq in range(2, KEPT_EVENTS + 2))])
    assert [e.seq for e in await store.recent("ann")] == list(range(2, KEPT_EVENTS + 2))


async def test_of_an_impression_only_the_dish_is_kept(store) -> None:
    await store.fold([shown(1)])
    assert [e.properties for e in await store.recent("ann")] == [{"item_id": "汤"}]


async def test_customers_whose_ids_look_like_keys_do_not_mix(store) -> None:
    await store.fold([event(1, "a}"), event(2, "{a"), event(3, "a:b"), event(4, "顾客 1")])
    for seq, customer in enumerate(["a}", "{a", "a:b", "顾客 1"], start=1):
        assert [e.seq for e in await store.recent(customer)] == [seq]


async def test_a_new_store_says_it_must_be_rebuilt_and_progress_never_moves_back(store) -> None:
    assert await store.watermark() is None
    await store.advance(0)
    assert await store.watermark() == 0
    await store.advance(9)
    await store.advance(4)
    assert await store.watermark() == 9


async def test_redis_that_does_not_answer_is_unavailable_not_a_crash() -> None:
    store = RedisStore(f"redis://127.0.0.1:{free_port()}/0")
    for call in (store.fold([event(1)]), store.recent("ann"), store.watermark(), store.advance(1)):
        with pytest.raises(OnlineUnavailable, match="REGULARS_REDIS_URL"):
            await call
    await store.close()


def test_a_url_that_is_none_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="redis://localhost"):
        open_online("localhost")


def test_without_a_url_the_store_is_this_process() -> None:
    assert isinstance(open_online(None), InProcessStore)


async def test_many_who_ask_at_once_each_get_their_own(store) -> None:
    await store.fold([event(seq, f"c{seq}") for seq in range(1, 60)])
    found = await asyncio.gather(*(store.recent(f"c{seq}") for seq in range(1, 70)))
    assert [[e.seq for e in own] for own in found] == [[seq] if seq < 60 else [] for seq in range(1, 70)]


async def test_who_stops_waiting_takes_nobody_else_along(store) -> None:
    await store.fold([event(1, "ann"), event(2, "bob")])
    impatient, patient = (asyncio.ensure_future(store.recent(name)) for name in ("ann", "bob"))
    await asyncio.sleep(0)
    impatient.cancel()
    assert [e.seq for e in await patient] == [2]


async def test_connections_are_kept_and_those_that_redis_closed_are_replaced(redis_url) -> None:
    store = RedisStore(redis_url)
    await store.fold([event(1, "ann"), event(2, "bob")])
    first = asyncio.ensure_future(store.recent("ann"))
    while not store._fetching:
        await asyncio.sleep(0)
    both = await asyncio.gather(first, store.recent("bob"))
    assert [e.seq for own in both for e in own] == [1, 2]
    kept = list(store._idle)
    await store.recent("ann")
    assert len(kept) == 2
    assert {id(each) for each in store._idle} == {id(each) for each in kept}
    await store._redis.client_kill_filter(_type="normal", skipme=True)
    assert [e.seq for e in await store.recent("bob")] == [2]
    assert len(store._idle) == 1
    await store.close()
    cleaner = Redis.from_url(redis_url)
    await cleaner.delete("regulars:recent:{ann}", "regulars:recent:{bob}")
    await cleaner.aclose()


async def test_a_redis_that_accepts_and_says_nothing_is_given_up_soon_every_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts, and nobody reads
        store = RedisStore(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        for _ in range(2):
            with pytest.raises(OnlineUnavailable):
                await asyncio.wait_for(store.recent("ann"), 5)
        await store.close()


async def test_one_spoilt_key_spoils_no_other_answer(redis_url) -> None:
    store = RedisStore(redis_url)
    await store.fold([event(1, "ann")])
    await store._redis.set("regulars:recent:{bob}", "no set")
    spoilt, fine = await asyncio.gather(store.recent("bob"), store.recent("ann"), return_exceptions=True)
    assert isinstance(spoilt, OnlineUnavailable)
    assert [e.seq for e in fine] == [1]
    await store._redis.delete("regulars:recent:{bob}")
    await store.close()


async def test_a_connection_that_redis_has_closed_is_made_anew(redis_url) -> None:
    store, other = RedisStore(redis_url), Redis.from_url(redis_url)
    await store.fold([event(1, "ann")])
    assert [e.seq for e in await store.recent("ann")] == [1]
    await other.client_kill_filter(_type="normal", skipme=True)
    assert [e.seq for e in await store.recent("ann")] == [1]
    await other.delete("regulars:recent:{ann}")
    await store.close()
    await other.aclose()


async def test_only_what_lists_look_at_is_kept(store) -> None:
    told = {"order_id": "o1", "items": [{"item_id": "a", "quantity": 2, "cents": 900}], "note": "x" * 500}
    await store.fold([Event("e1", "order", "ann", AT.replace(microsecond=123456), told, 1)])
    (kept,) = await store.recent("ann")
    assert kept.properties == {"order_id": kept.properties["order_id"], "items": [{"item_id": "a"}]}
    assert (kept.event_id, kept.at) == ("", AT.replace(microsecond=123000))


async def test_of_an_orders_status_is_kept_that_it_is_on_its_way_or_undone(store) -> None:
    statuses = ("placed", "delivered", "cancelled", "rejected", "refunded")
    for seq, status in enumerate(statuses, start=1):
        told = {"order_id": f"o{seq}", "status": status, "items": [{"item_id": "a"}]}
        await store.fold([Event(f"e{seq}", "order", "ann", AT, told, seq)])
    kept = [event.properties.get("status") for event in await store.recent("ann")]
    assert kept == ["placed", None, "cancelled", "rejected", "refunded"]


async def test_what_lists_never_look_at_is_not_kept(store) -> None:
    said = {"survey": {"kind": "nps", "score": 9}, "order_status": {"order_id": "o1", "status": "delivered"}}
    await store.fold([Event(f"e{seq}", kind, "ann", AT, said[kind], seq) for seq, kind in enumerate(said, start=1)])
    assert await store.recent("ann") == []


async def test_an_order_its_status_and_its_rating_still_find_each_other(store) -> None:
    told = {"order": {"items": [{"item_id": "a"}]}, "order_status": {"status": "cancelled"}, "rating": {"rating": 5}}
    events = [
        Event(f"e{seq}", kind, "ann", AT, {"order_id": "o1"} | more, seq)
        for seq, (kind, more) in enumerate(told.items(), start=1)
    ]
    await store.fold([*events, Event("e9", "order", "ann", AT, {"order_id": "o2", "items": []}, 9)])
    *same, other = [event.properties["order_id"] for event in await store.recent("ann")]
    assert len(set(same)) == 1
    assert other not in same


async def test_an_order_an_earlier_release_kept_is_cancelled_by_a_status_told_now(redis_url) -> None:
    store = RedisStore(redis_url)
    old = b'[7,"","order",1767323045000,{"order_id":"o1","status":"placed","items":[{"item_id":"soup"}]}]'
    await store._redis.zadd("regulars:recent:{zoe}", {old: 7})
    cancelled = Event("e8", "order_status", "zoe", AT, {"order_id": "o1", "status": "cancelled"}, 8)
    await store.fold([cancelled])
    kept = await store.recent("zoe")
    assert kept[0].properties["order_id"] == kept[1].properties["order_id"]
    # Told again to this release, it is one order still.
    await store.fold([Event("", "order", "zoe", AT, {"order_id": "o1", "items": [{"item_id": "soup"}]}, 7)])
    assert [event.seq for event in await store.recent("zoe")] == [7, 8]
    await store._redis.delete("regulars:recent:{zoe}")
    await store.close()


async def test_what_only_a_later_release_understands_is_passed_over(redis_url) -> None:
    store = RedisStore(redis_url)
    await store.fold([event(1, "zoe")])
    (own,) = await store._redis.zrange("regulars:recent:{zoe}", 0, -1)
    await store._redis.zadd("regulars:recent:{zoe}", {b"\x1e" + own[1:]: 2, own + b"\x7f": 3})
    assert [kept.seq for kept in await store.recent("zoe")] == [1]
    await store._redis.delete("regulars:recent:{zoe}")
    await store.close()


async def test_what_an_earlier_release_kept_is_still_read(redis_url) -> None:
    store = RedisStore(redis_url)
    old = b'[7,"e7","view","2026-01-02T03:04:05+00:00",{"item_id":"soup","more":1}]'
    await store._redis.zadd("regulars:recent:{zoe}", {old: 7 - 2**51})
    assert await store.recent("zoe") == [Event("e7", "view", "zoe", AT, {"item_id": "soup", "more": 1}, 7)]
    await store._redis.delete("regulars:recent:{zoe}")
    await store.close()
