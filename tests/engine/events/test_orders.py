"""Which orders reported by events count besides those training learned, and how each ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.events.event import Event
from engine.events.orders import named_items, ordered_items, placed_and_changed, standing_orders

NOW = datetime(2026, 1, 16, 4, tzinfo=UTC)
UNREAD = 0


def placed(order_id: str, seq: int, item: str = "soup", **properties: object) -> Event:
    lines = [{"item_id": item}]
    at = NOW + timedelta(minutes=seq)
    return Event(f"e{seq}", "order", "ann", at, {"order_id": order_id, "items": lines} | properties, seq)


def status(order_id: str, seq: int, new: str) -> Event:
    properties = {"order_id": order_id, "status": new}
    return Event(f"e{seq}", "order_status", "ann", NOW + timedelta(minutes=seq), properties, seq)


def instant(seq: int) -> int:
    return int(NOW.timestamp()) + 60 * seq


def items_of(event: Event) -> str | None:
    return "+".join(ordered_items(event)) or None


def test_an_order_counts_at_its_instant() -> None:
    found = standing_orders([placed("o1", 1)], UNREAD, items_of)
    assert found == ([("soup", instant(1))], set())


@pytest.mark.parametrize("new", ["cancelled", "rejected", "refunded"])
def test_an_order_that_is_undone_no_longer_counts(new: str) -> None:
    assert standing_orders([placed("o1", 1), status("o1", 2, new)], UNREAD, items_of).orders == []
    assert standing_orders([placed("o1", 1, status=new)], UNREAD, items_of).orders == []


def test_an_undone_order_that_is_placed_again_counts_at_its_first_instant() -> None:
    events = [placed("o1", 1), status("o1", 2, "cancelled"), placed("o1", 3, "tea")]
    assert standing_orders(events, UNREAD, items_of).orders == [("tea", instant(1))]


def test_orders_are_sorted_by_instant_however_they_arrive() -> None:
    events = [placed("o3", 3), placed("o1", 1), placed("o2", 2)]
    assert [at for _, at in standing_orders(events, UNREAD, items_of).orders] == [instant(1), instant(2), instant(3)]


def test_what_training_read_as_delivered_is_learned() -> None:
    events = [placed("o1", 1), placed("o2", 2, status="placed"), placed("o3", 3)]
    found = standing_orders(events, 2, items_of, {instant(1)})
    assert found.orders == [("soup", instant(2)), ("soup", instant(3))]


def test_an_order_on_its_way_that_arrived_before_training_is_learned() -> None:
    events = [placed("o1", 1, status="placed"), status("o1", 2, "delivered")]
    assert standing_orders(events, 2, items_of).orders == []
    assert standing_orders(events, 1, items_of).orders == [("soup", instant(1))]


def test_a_learned_order_undone_since_is_told() -> None:
    events = [placed("o1", 1), status("o1", 5, "refunded"), status("o9", 6, "refunded")]
    assert standing_orders(events, 4, items_of, {instant(1), instant(3)}) == ([], {instant(1)})


def test_an_order_of_which_nothing_is_read_leaves_the_former_one() -> None:
    events = [placed("o1", 1), placed("o1", 2, items=[])]
    assert standing_orders(events, UNREAD, items_of).orders == [("soup", instant(1))]


def test_events_without_an_order_id_are_orders_of_their_own() -> None:
    events = [Event(f"e{seq}", "order", "ann", NOW, {"items": [{"item_id": "soup"}]}, seq) for seq in (1, 2)]
    assert len(standing_orders(events, UNREAD, items_of).orders) == 2


@given(
    st.lists(
        st.tuples(st.sampled_from(["o1", "o2"]), st.sampled_from(["order", "placed", "cancelled", "refunded"])),
        max_size=8,
    )
)
def test_an_order_counts_if_it_was_placed_after_it_was_last_undone(steps: list[tuple[str, str]]) -> None:
    events = [
        placed(order_id, seq) if what == "order" else status(order_id, seq, what)
        for seq, (order_id, what) in enumerate(steps, start=1)
    ]
    expected = 0
    for order_id in ("o1", "o2"):
        own = [what for each, what in steps if each == order_id]
        if "order" in own:
            # A status from before the order is one of that order.
            first = own.index("order")
            own = ["order", *own[max(first - 1, 0) : first], *own[first + 1 :]]
        expected += [what for what in own if what != "placed"][-1:] == ["order"]
    assert len(standing_orders(events, UNREAD, items_of).orders) == expected


def test_the_last_placed_order_of_an_id_and_its_latest_changes_are_found() -> None:
    rating = {"order_id": "o1", "rating": 2}
    events = [
        placed("o1", 1),
        status("o1", 2, "placed"),
        Event("e3", "rating", "ann", NOW, rating, 3),
        Event("e4", "rating", "ann", NOW, rating | {"rating": 5, "item_id": "soup"}, 4),
        placed("o1", 5, "tea"),
        status("o1", 6, "delivered"),
        status("o2", 7, "refunded"),
    ]
    orders, changes = placed_and_changed(events)
    assert orders == {"o1": events[4]}
    assert changes == {"o1": {"status": "delivered", "rating": 2}, "o2": {"status": "refunded"}}


@pytest.mark.parametrize("items", [None, "soup", [], ["soup"], [{"item_id": None}]])
def test_lines_that_are_none_have_no_items(items: object) -> None:
    assert ordered_items(Event("e1", "order", "ann", NOW, {"items": items})) == []


def test_items_are_named_once_by_orders_and_by_single_dishes() -> None:
    view = Event("e2", "view", "ann", NOW, {"item_id": "tea"}, 2)
    assert named_items([placed("o1", 1), view, placed("o2", 3), status("o1", 4, "cancelled")]) == ["soup", "tea"]
