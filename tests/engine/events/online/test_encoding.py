"""Kept events come back from their bytes as they were, and a common order fits the block Redis stores compactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.events.event import Event
from engine.events.online.encoding import decode, encode
from engine.events.online.kept import to_kept
from engine.events.types import EVENT_TYPES

LISTPACK = 64
texts = st.one_of(st.text(max_size=40), st.uuids().map(str), st.uuids().map(lambda each: str(each).upper()))
values = st.one_of(texts, st.integers(-3, 300), st.floats(-90, 90), st.none(), st.booleans())
lines = st.lists(st.fixed_dictionaries({"item_id": st.one_of(texts, st.none(), st.integers())}), max_size=4)
given_properties = st.fixed_dictionaries(
    {},
    optional={
        "order_id": values,
        "status": st.one_of(values, st.sampled_from(["placed", "delivered", "cancelled", "rejected", "refunded"])),
        "zone": values,
        "vendor_id": values,
        "latitude": values,
        "longitude": values,
        "item_id": values,
        "rating": values,
        "items": st.one_of(lines, values),
        "note": texts,
    },
)
instants = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.sampled_from(sorted(EVENT_TYPES)), texts, instants, given_properties, st.integers(1, 2**40))
def test_whatever_is_kept_comes_back_as_it_was(
    kind: str, event_id: str, at: datetime, properties: dict[str, object], seq: int
) -> None:
    kept = to_kept(Event(event_id, kind, "ann", at, properties, seq))
    if kept is not None:
        assert decode("ann", encode(kept)) == kept
        # Folded again, an event must be the same member: it counts once.
        assert encode(kept) == encode(decode("ann", encode(kept)))


def kept_of(event: Event) -> Event:
    kept = to_kept(event)
    assert kept is not None
    return kept


def typical(**more: object) -> Event:
    items = [{"item_id": f"d-000123{n}", "quantity": 1, "unit_price_cents": 1800} for n in range(2)]
    properties = {"order_id": "0b6f1c62-8a53-4c9e-9a4e-5f0f0e6b7a11", "status": "delivered", "items": items} | more
    return Event("e-1", "order", "ann", datetime(2026, 3, 1, tzinfo=UTC), properties, 123_456_789)


@pytest.mark.parametrize(
    "more",
    [{}, {"zone": "riverside", "status": "placed"}, {"zone": "z-001", "latitude": 31.2, "longitude": 121.4}],
)
def test_a_common_order_fits_the_block_redis_keeps(more: dict[str, object]) -> None:
    assert len(encode(kept_of(typical(**more)))) <= LISTPACK


def test_dishes_with_uuids_fit_it_too() -> None:
    items = [{"item_id": f"0b6f1c62-8a53-4c9e-9a4e-5f0f0e6b7a1{n}"} for n in range(2)]
    assert len(encode(kept_of(typical(items=items, zone="z-001")))) <= LISTPACK


def test_positions_are_exact_to_a_few_metres() -> None:
    kept = kept_of(typical(latitude=31.2345678, longitude=121.4567891)).properties
    assert kept["latitude"] == pytest.approx(31.2345678, abs=1e-5)
    assert kept["longitude"] == pytest.approx(121.4567891, abs=1e-5)


def test_an_instant_that_fits_no_five_bytes_is_kept_all_the_same() -> None:
    for at in (datetime(1999, 1, 1, tzinfo=UTC), datetime(2070, 1, 1, tzinfo=UTC) + timedelta(milliseconds=7)):
        kept = kept_of(Event("", "view", "ann", at, {"item_id": "soup"}, 1))
        assert decode("ann", encode(kept)) == kept


def test_the_bytes_of_a_member_are_those_of_every_release_since_the_compact_form() -> None:
    at = datetime(2026, 1, 16, 4, 5, 6, 789_000, tzinfo=UTC)
    order: dict[str, object] = {"order_id": "9001", "items": [{"item_id": "soup"}], "zone": "z1", "status": "placed"}
    order |= {"vendor_id": "v1", "latitude": 31.25, "longitude": 121.5}
    assert encode(kept_of(Event("e1", "order", "ann", at, order, 300))).hex() == (
        "01ac022c66938c65021cde0f2187da5f000a04047a31050000fa410000f34206047631080108736f7570"
    )
    rating = {"order_id": "9001", "rating": 5}
    assert encode(kept_of(Event("e2", "rating", "ann", at, rating, 301))).hex() == (
        "06ad022c66938c65021cde0f2187da5f000905"
    )
