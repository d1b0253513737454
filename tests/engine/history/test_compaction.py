"""History receives what the inbox holds of orders, once, whatever happened in between."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from engine.database.session import transaction
from engine.events.event import Event
from engine.history.compaction import compact_inbox, orders_of_customer
from engine.history.opening import open_history
from engine.settings import Settings
from tests.inbox import NOW, Home, put, reported


def orders_of(settings: Settings) -> Mapping[str, dict[str, Any]]:
    return {row["order_id"]: row for row in open_history(settings).orders().collect().to_dicts()}


def test_orders_reported_by_event_become_history(inbox_home: Home) -> None:
    settings, database = inbox_home
    items = [{"item_id": "soup", "quantity": 2, "unit_price_cents": 450}, {"item_id": "soup", "unit_price_cents": 450}]
    put(database, reported(1, items=items, discount_cents=100, delivery_fee_cents=50, vendor_id="v", zone="z"))
    assert compact_inbox(database, settings) == 1
    order = orders_of(settings)["o1"]
    assert (order["order_cents"], order["status"], order["currency"], order["zone"]) == (1300, "delivered", "USD", "z")
    lines = open_history(settings).lines().collect()
    assert lines.select("line_no", "quantity", "line_cents").rows() == [(0, 2.0, 900), (1, 1.0, 450)]


def test_compacting_again_changes_nothing(inbox_home: Home) -> None:
    settings, database = inbox_home
    put(database, reported(1), reported(2))
    compact_inbox(database, settings)
    before = open_history(settings).fingerprint()
    assert compact_inbox(database, settings) == 2
    assert open_history(settings).fingerprint() == before


def test_a_run_that_died_before_its_watermark_moved_is_done_again(
    inbox_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, database = inbox_home
    put(database, reported(1), reported(2))
    with monkeypatch.context() as patched:
        patched.setattr("engine.history.compaction.move_watermark", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            compact_inbox(database, settings)
    assert len(orders_of(settings)) == 2
    assert compact_inbox(database, settings) == 2
    assert len(orders_of(settings)) == 2


def test_a_later_status_or_rating_reaches_the_order_in_the_inbox_or_in_history(inbox_home: Home) -> None:
    settings, database = inbox_home
    put(database, reported(1), reported(2), reported(3, "order_status", order_id="o1", status="refunded"))
    compact_inbox(database, settings)
    put(
        database,
        reported(4, "rating", order_id="o2", rating=2),
        reported(5, "order_status", order_id="nobody's", status="delivered"),
    )
    compact_inbox(database, settings)
    found = orders_of(settings)
    assert found["o1"]["status"] == "refunded"
    assert found["o2"]["rating"] == 2
    assert len(found) == 2
    statuses = open_history(settings).lines().filter(pl.col("order_id") == "o1").collect()["status"].to_list()
    assert statuses == ["refunded"]


def test_a_rating_of_one_dish_is_not_one_of_its_order(inbox_home: Home) -> None:
    settings, database = inbox_home
    put(database, reported(1), reported(2, "rating", order_id="o1", rating=1, item_id="soup"))
    compact_inbox(database, settings)
    assert orders_of(settings)["o1"]["rating"] is None


def test_an_order_id_of_another_customer_does_not_overwrite_history(inbox_home: Home) -> None:
    settings, database = inbox_home
    put(database, reported(1))
    compact_inbox(database, settings)
    put(database, Event("e9", "order", "mallory", NOW, {"order_id": "o1", "items": [{"item_id": "tea"}]}), reported(2))
    compact_inbox(database, settings)
    found = orders_of(settings)
    assert found["o1"]["customer_id"] == "ann"
    assert set(found) == {"o1", "o2"}


@pytest.mark.parametrize("between", [False, True])
@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([("order_status", 5, "cancelled"), ("order", 1, None)], "cancelled"),
        ([("order_status", 1, "cancelled"), ("order", 5, None)], "cancelled"),
        ([("order_status", 1, "cancelled"), ("order", 5, "placed")], "cancelled"),
        ([("order", 1, None), ("order_status", 5, "refunded"), ("order_status", 3, "delivered")], "refunded"),
        ([("order", 1, "placed"), ("order_status", 3, "cancelled"), ("order_status", 5, "delivered")], "delivered"),
        ([("order_status", 3, "delivered"), ("order_status", 5, "refunded"), ("order", 1, "placed")], "refunded"),
    ],
)
def test_the_last_status_by_instant_holds_however_reports_arrive(
    inbox_home: Home, events: list[tuple[str, int, str | None]], status: str, between: bool
) -> None:
    """A cancellation that arrives before its order, or after a newer word, with a compaction between or without."""
    settings, database = inbox_home
    for number, (kind, minute, word) in enumerate(events):
        told: dict[str, Any] = (
            {"order_id": "o1"} | ({"status": word} if word else {}) | ({"items": []} if kind == "order" else {})
        )
        put(database, Event(f"e{number}", kind, "ann", NOW + timedelta(minutes=minute), told))
        if between:
            compact_inbox(database, settings)
    compact_inbox(database, settings)
    assert orders_of(settings)["o1"]["status"] == status


@pytest.mark.parametrize("seed", range(6))
def test_one_customers_orders_are_what_compacting_now_would_leave(inbox_home: Home, seed: int) -> None:
    settings, database = inbox_home
    draw = random.Random(seed)
    statuses = ["placed", "delivered", "cancelled", "refunded"]
    for number in range(40):
        who = draw.choice(["ann", "ann", "bob"])
        order = {"order_id": f"{who}-{draw.randrange(4)}"}
        kind = draw.choice(["order", "order", "order_status", "rating"])
        told: dict[str, object]
        if kind == "order":
            told = order | {"items": [{"item_id": draw.choice("abc"), "unit_price_cents": draw.randrange(900)}]}
            told |= {"status": draw.choice(statuses)} if draw.random() < 0.5 else {}
        else:
            told = order | ({"status": draw.choice(statuses)} if kind == "order_status" else {"rating": 4})
        put(database, Event(f"e{number}", kind, who, NOW + timedelta(minutes=draw.randrange(60)), told))
        if draw.random() < 0.1:
            compact_inbox(database, settings)
    with transaction(database) as session:
        fresh = {who: orders_of_customer(session, settings, who) for who in ("ann", "bob", "nobody")}
    compact_inbox(database, settings)
    history = open_history(settings)
    with transaction(database) as session:
        for who, (orders, lines) in fresh.items():
            own = pl.col("customer_id") == who
            assert_frame_equal(orders, history.orders().filter(own).collect(), check_row_order=False)
            assert_frame_equal(lines, history.lines().filter(own).collect(), check_row_order=False)
            assert_frame_equal(orders, orders_of_customer(session, settings, who)[0], check_row_order=False)


def test_orders_before_an_instant_leave_out_what_was_reported_later(inbox_home: Home) -> None:
    settings, database = inbox_home
    put(database, reported(1), reported(5))
    with transaction(database) as session:
        orders, lines = orders_of_customer(session, settings, "ann", before=NOW + timedelta(minutes=3))
    assert orders["order_id"].to_list() == lines["order_id"].to_list() == ["o1"]
