"""What every online store must do, run on the in-process one and on real Redis."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from engine.errors import InputError, OnlineUnavailable
from engine.events.event import Event
from engine.events.online.in_process import InProcessStore
from engine.events.online.in_redis import RedisStore
from engine.events.online.kept import KEPT_EVENTS
from engine.events.online.open import open_online
from engine.events.online.store import OnlineStore
from tests.servers import free_port

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(params=["in_process", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[OnlineStore]:
    made: OnlineStore = (
        InProcessStore() if request.param == "in_process" else RedisStore(request.getfixturevalue("redis_url"))
    )
    yield made
    await made.close()


def event(seq: int, customer: str = "ann", **properties: object) -> Event:
    return Event("", "view", customer, AT, {"item_id": "汤", **properties}, seq)


async def test_a_customer_without_events_has_none(store: OnlineStore) -> None:
    assert await store.recent("nobody") == []


async def test_what_is_read_is_what_was_folded_oldest_first(store: OnlineStore) -> None:
    lines = [{"item_id": "汤"}, {"item_id": None}]
    order = Event("e3", "order", "ann", AT, {"items": lines, "latitude": 31.25, "status": "refunded"}, 3)
    events = [event(1), event(2, "bob"), order]
    await store.fold(reversed(events))
    assert await store.recent("ann") == [events[0], events[2]]
    assert await store.recent("bob") == [events[1]]


async def test_folding_twice_is_folding_once(store: OnlineStore) -> None:
    await store.fold([event(1), event(2)])
    await store.fold([event(2), event(1)])
    assert [e.seq for e in await store.recent("ann")] == [1, 2]


async def test_folding_nothing_is_fine(store: OnlineStore) -> None:
    await store.fold([])


async def test_only_the_newest_are_kept(store: OnlineStore) -> None:
    await store.fold(bought(seq) for seq in range(1, KEPT_EVENTS + 11))
    kept = await store.recent("ann")
    assert [e.seq for e in kept] == list(range(11, KEPT_EVENTS + 11))


def bought(seq: int) -> Event:
    return Event(f"e{seq}", "order", "ann", AT, {"order_id": str(seq), "items": []}, seq)


def shown(seq: int) -> Event:
    return Event(f"e{seq}", "impression", "ann", AT, {"item_id": "汤", "request_id": "r", "slot": 1}, seq)


async def test_views_never_push_out_orders_and_are_kept_a_few_deep(store: OnlineStore) -> None:
    await store.fold([bought(1)])
    await store.fold([event(seq, "ann") for seq in range(2, 100)])
    await store.fold([shown(seq) for seq in range(100, 200)])
    assert [e.seq for e in await store.recent("ann")] == [1, *range(80, 100), *range(160, 200)]


async def test_orders_push_out_views(store: OnlineStore) -> None:
    await store.fold([event(1, "ann"), *(bought(seq) for seq in range(2, KEPT_EVENTS + 2))])
    assert [e.seq for e in await store.recent("ann")] == list(range(2, KEPT_EVENTS + 2))


async def test_of_an_impression_only_the_dish_is_kept(store: OnlineStore) -> None:
    await store.fold([shown(1)])
    assert [e.properties for e in await store.recent("ann")] == [{"item_id": "汤"}]


async def test_customers_whose_ids_look_like_keys_do_not_mix(store: OnlineStore) -> None:
    await store.fold([event(1, "a}"), event(2, "{a"), event(3, "a:b"), event(4, "顾客 1")])
    for seq, customer in enumerate(["a}", "{a", "a:b", "顾客 1"], start=1):
        assert [e.seq for e in await store.recent(customer)] == [seq]


async def test_a_new_store_has_no_watermark_and_a_watermark_never_moves_back(store: OnlineStore) -> None:
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


def test_a_wrong_url_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="redis://localhost"):
        open_online("localhost")


def test_without_a_url_the_store_is_this_process() -> None:
    assert isinstance(open_online(None), InProcessStore)


async def test_concurrent_readers_each_get_their_own_events(store: OnlineStore) -> None:
    await store.fold([event(seq, f"c{seq}") for seq in range(1, 60)])
    found = await asyncio.gather(*(store.recent(f"c{seq}") for seq in range(1, 70)))
    assert [[e.seq for e in own] for own in found] == [[seq] if seq < 60 else [] for seq in range(1, 70)]


async def test_a_cancelled_reader_does_not_cancel_the_others(store: OnlineStore) -> None:
    await store.fold([event(1, "ann"), event(2, "bob")])
    impatient, patient = (asyncio.ensure_future(store.recent(name)) for name in ("ann", "bob"))
    await asyncio.sleep(0)
    impatient.cancel()
    assert [e.seq for e in await patient] == [2]


async def test_connections_are_kept_and_those_that_redis_closed_are_replaced(redis_url: str) -> None:
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


async def test_a_redis_that_accepts_and_never_answers_times_out_every_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts, and nobody reads
        store = RedisStore(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        for _ in range(2):
            with pytest.raises(OnlineUnavailable):
                await asyncio.wait_for(store.recent("ann"), 5)
        await store.close()


async def test_a_key_of_the_wrong_type_fails_no_other_answer(redis_url: str) -> None:
    store = RedisStore(redis_url)
    await store.fold([event(1, "ann")])
    await store._redis.set("regulars:recent:{bob}", "no set")
    spoilt, fine = await asyncio.gather(store.recent("bob"), store.recent("ann"), return_exceptions=True)
    assert isinstance(spoilt, OnlineUnavailable)
    assert not isinstance(fine, BaseException)
    assert [e.seq for e in fine] == [1]
    await store._redis.delete("regulars:recent:{bob}")
    await store.close()


async def test_a_connection_that_redis_has_closed_is_made_anew(redis_url: str) -> None:
    store, other = RedisStore(redis_url), Redis.from_url(redis_url)
    await store.fold([event(1, "ann")])
    assert [e.seq for e in await store.recent("ann")] == [1]
    await other.client_kill_filter(_type="normal", skipme=True)
    assert [e.seq for e in await store.recent("ann")] == [1]
    await other.delete("regulars:recent:{ann}")
    await store.close()
    await other.aclose()


async def test_only_what_serving_uses_is_kept(store: OnlineStore) -> None:
    properties = {"order_id": "o1", "items": [{"item_id": "a", "quantity": 2, "cents": 900}], "note": "x" * 500}
    await store.fold([Event("e1", "order", "ann", AT.replace(microsecond=123456), properties, 1)])
    (kept,) = await store.recent("ann")
    assert kept.properties == {"order_id": kept.properties["order_id"], "items": [{"item_id": "a"}]}
    assert (kept.event_id, kept.at) == ("", AT.replace(microsecond=123000))


async def test_of_an_orders_status_is_kept_that_it_is_on_its_way_or_undone(store: OnlineStore) -> None:
    statuses = ("placed", "delivered", "cancelled", "rejected", "refunded")
    for seq, status in enumerate(statuses, start=1):
        properties = {"order_id": f"o{seq}", "status": status, "items": [{"item_id": "a"}]}
        await store.fold([Event(f"e{seq}", "order", "ann", AT, properties, seq)])
    kept = [event.properties.get("status") for event in await store.recent("ann")]
    assert kept == ["placed", None, "cancelled", "rejected", "refunded"]


async def test_what_serving_never_uses_is_not_kept(store: OnlineStore) -> None:
    survey = Event("e1", "survey", "ann", AT, {"kind": "nps", "score": 9}, 1)
    delivered = Event("e2", "order_status", "ann", AT, {"order_id": "o1", "status": "delivered"}, 2)
    await store.fold([survey, delivered])
    assert await store.recent("ann") == []


async def test_an_order_its_status_and_its_rating_still_find_each_other(store: OnlineStore) -> None:
    reported: dict[str, dict[str, object]] = {
        "order": {"items": [{"item_id": "a"}]},
        "order_status": {"status": "cancelled"},
        "rating": {"rating": 5},
    }
    events = [
        Event(f"e{seq}", kind, "ann", AT, {"order_id": "o1"} | more, seq)
        for seq, (kind, more) in enumerate(reported.items(), start=1)
    ]
    await store.fold([*events, Event("e9", "order", "ann", AT, {"order_id": "o2", "items": []}, 9)])
    *same, other = [event.properties["order_id"] for event in await store.recent("ann")]
    assert len(set(same)) == 1
    assert other not in same


async def test_an_order_an_earlier_release_kept_is_cancelled_by_a_status_stored_now(redis_url: str) -> None:
    store = RedisStore(redis_url)
    old = b'[7,"","order",1767323045000,{"order_id":"o1","status":"placed","items":[{"item_id":"soup"}]}]'
    await store._redis.zadd("regulars:recent:{zoe}", {old: 7})
    cancelled = Event("e8", "order_status", "zoe", AT, {"order_id": "o1", "status": "cancelled"}, 8)
    await store.fold([cancelled])
    kept = await store.recent("zoe")
    assert kept[0].properties["order_id"] == kept[1].properties["order_id"]
    # Folded again by this release, it is one order still.
    await store.fold([Event("", "order", "zoe", AT, {"order_id": "o1", "items": [{"item_id": "soup"}]}, 7)])
    assert [event.seq for event in await store.recent("zoe")] == [7, 8]
    await store._redis.delete("regulars:recent:{zoe}")
    await store.close()


async def test_what_only_a_later_release_can_decode_is_skipped(redis_url: str) -> None:
    store = RedisStore(redis_url)
    await store.fold([event(1, "zoe")])
    (own,) = await store._redis.zrange("regulars:recent:{zoe}", 0, -1)
    assert isinstance(own, bytes)
    await store._redis.zadd("regulars:recent:{zoe}", {b"\x1e" + own[1:]: 2, own + b"\x7f": 3})
    assert [kept.seq for kept in await store.recent("zoe")] == [1]
    await store._redis.delete("regulars:recent:{zoe}")
    await store.close()


async def test_what_an_earlier_release_kept_is_still_read(redis_url: str) -> None:
    store = RedisStore(redis_url)
    old = b'[7,"e7","view","2026-01-02T03:04:05+00:00",{"item_id":"soup","more":1}]'
    await store._redis.zadd("regulars:recent:{zoe}", {old: 7 - 2**51})
    assert await store.recent("zoe") == [Event("e7", "view", "zoe", AT, {"item_id": "soup", "more": 1}, 7)]
    await store._redis.delete("regulars:recent:{zoe}")
    await store.close()
