"""What is kept of a customer's events, and what of it is too old or too many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.events.event import Event
from engine.events.online.kept import KEPT_DAYS, KEPT_EVENTS, kept_events, to_kept, without_expired_dislikes
from engine.events.types import EVENT_TYPES

NOW = datetime(2026, 1, 16, 4, tzinfo=UTC)


def viewed(seq: int) -> Event:
    return Event(f"e{seq}", "view", "ann", NOW, {"item_id": "soup"}, seq)


def disliked(days_ago: float) -> Event:
    return Event("e", "not_interested", "ann", NOW - timedelta(days=days_ago), {"item_id": "soup"}, 1)


@pytest.mark.parametrize("name", [name for name, declared in EVENT_TYPES.items() if declared.kept is None])
def test_types_that_serving_does_not_use_are_not_kept(name: str) -> None:
    assert to_kept(Event("e", name, "ann", NOW, {}, 1)) is None


def test_a_type_of_a_later_release_is_not_kept() -> None:
    assert to_kept(Event("e", "later", "ann", NOW, {"item_id": "soup"}, 1)) is None


def test_only_declared_properties_are_kept() -> None:
    event = Event("e", "impression", "ann", NOW, {"item_id": "soup", "request_id": "r", "slot": 1}, 1)
    kept = to_kept(event)
    assert kept is not None
    assert kept.properties == {"item_id": "soup"}


def test_equal_order_ids_stay_equal_and_are_short() -> None:
    found = [to_kept(Event("e", "rating", "ann", NOW, {"order_id": "x" * 200, "rating": 5}, seq)) for seq in (1, 2)]
    ids = {str(each.properties["order_id"]) for each in found if each is not None}
    assert [len(each) for each in ids] == [16]


def test_an_order_without_an_id_keeps_the_id_of_its_event() -> None:
    kept = to_kept(Event("e7", "order", "ann", NOW, {"items": []}, 1))
    assert kept is not None
    assert kept.event_id == "e7"


def test_views_are_kept_a_few_deep_and_never_push_out_orders() -> None:
    order = Event("o", "order", "ann", NOW, {"order_id": "o1", "items": []}, 1)
    kept = kept_events([order, *(viewed(seq) for seq in range(2, 100))])
    assert [event.seq for event in kept] == [1, *range(80, 100)]


def test_only_the_newest_are_kept() -> None:
    orders = [Event(f"e{n}", "order", "ann", NOW, {"order_id": f"o{n}"}, n) for n in range(1, KEPT_EVENTS + 6)]
    assert [event.seq for event in kept_events(orders)] == list(range(6, KEPT_EVENTS + 6))


def test_a_dislike_expires_after_ninety_days() -> None:
    fresh, expired = disliked(KEPT_DAYS), disliked(KEPT_DAYS + 0.1)
    assert without_expired_dislikes([fresh], NOW) == [fresh]
    assert without_expired_dislikes([expired, viewed(2)], NOW) == [viewed(2)]


def test_other_events_that_old_stay() -> None:
    old = Event("e", "order", "ann", NOW - timedelta(days=200), {"order_id": "o1"}, 1)
    assert without_expired_dislikes([old, disliked(100), disliked(1)], NOW) == [old, disliked(1)]
