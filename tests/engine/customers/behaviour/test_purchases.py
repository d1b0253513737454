"""What counts as an order: delivered, known by then, once, and not below zero."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.customers.behaviour.purchases import OrderDays, order_days, read_purchases
from engine.customers.forecast.lifetime_value import recency_frequency_at
from engine.customers.moment import Moment, end_of
from engine.errors import Conflict
from engine.history.parquet import ParquetHistory
from tests.engine.customers.histories import NOW, customers, moment, order, orders

ROWS = st.tuples(st.sampled_from("abcd"), st.integers(0, 60), st.integers(-500, 5000) | st.none())


def days_of(frame: pl.DataFrame, *, at: Moment = NOW, count: str = "day") -> OrderDays:
    return order_days(read_purchases(frame.lazy(), customers(), at), count=count)


def test_orders_of_the_last_day_count_and_those_after_it_do_not_exist() -> None:
    late = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
    frame = orders(
        order("a", 1),
        order("a", 0, ordered_at=late),
        order("a", 0, ordered_at=late + timedelta(seconds=1)),
        order("future", -5),
    )
    found = read_purchases(frame.lazy(), customers(), NOW)
    assert found.ids.to_list() == ["a"]
    assert found.orders.height == 2


def test_t_is_whole_days_to_the_date_and_first_days_count_from_zero() -> None:
    frame = orders(order("a", 0, ordered_at=datetime(1997, 1, 1, 18, tzinfo=UTC)))
    known = recency_frequency_at(days_of(frame, at=moment("1997-09-30")), moment("1997-09-30").day)
    assert (known.x.tolist(), known.tx_days.tolist(), known.t_days.tolist()) == ([0], [0], [272])


def test_orders_of_one_day_count_once_unless_each_shall() -> None:
    frame = orders(order("a", 9), order("a", 9.2, order_cents=500), order("a", 3))
    once, each = days_of(frame), days_of(frame, count="order")
    assert np.diff(once.start).tolist() == [2]
    assert once.value.tolist() == [15.0, 10.0]
    assert np.diff(each.start).tolist() == [3]


def test_days_are_cut_in_the_companys_zone() -> None:
    # 20:00 and 22:00 UTC are one evening in London but two days in Kolkata, and the other way round at 18:00 and 19:00.
    frame = orders(
        order("a", 0, ordered_at=datetime(2026, 2, 1, 18, tzinfo=UTC)),
        order("a", 0, ordered_at=datetime(2026, 2, 1, 19, tzinfo=UTC)),
    )
    assert len(days_of(frame).day) == 1
    assert len(days_of(frame, at=moment("2026-03-01", "Asia/Kolkata")).day) == 2


def test_free_orders_count_and_negative_ones_only_take_money_back() -> None:
    frame = orders(order("a", 5, order_cents=0), order("a", 4, order_cents=-700), order("b", 3, order_cents=-100))
    found = read_purchases(frame.lazy(), customers(), NOW)
    assert found.orders["cents"].to_list() == [0]
    assert found.corrections["cents"].sort().to_list() == [-700, -100]
    assert np.diff(order_days(found).start).tolist() == [1, 0]


def test_an_unknown_amount_is_no_zero() -> None:
    frame = orders(order("a", 9, order_cents=None), order("a", 5), order("a", 4, order_cents=None), order("a", 4))
    known = recency_frequency_at(days_of(frame), NOW.day)
    assert (known.x[0], known.valued[0], known.mean_value[0]) == (2, 2, 10.0)
    alone = recency_frequency_at(days_of(orders(order("b", 9), order("b", 2, order_cents=None))), NOW.day)
    assert (alone.x[0], alone.valued[0]) == (1, 0)
    assert np.isnan(alone.mean_value[0])


def test_cancelled_and_placed_orders_are_none_and_refunded_ones_are_complaints() -> None:
    frame = orders(
        *(order("a", i, status=s) for i, s in enumerate(["placed", "cancelled", "rejected", "refunded", "delivered"]))
    )
    found = read_purchases(frame.lazy(), customers(), NOW)
    assert found.orders.height == 1
    assert found.refunds.height == 2


def test_foreign_amounts_are_unknown_and_counted() -> None:
    frame = orders(order("a", 1), order("a", 2), order("a", 3, currency="EUR"), order("a", 4, currency=None))
    found = read_purchases(frame.lazy(), customers(), NOW)
    assert (found.currency, found.unclear) == ("USD", 1)
    assert found.orders["cents"].null_count() == 1


def test_yen_have_no_minor_units_and_rials_three_digits() -> None:
    yen = read_purchases(orders(order("a", 1, order_cents=900, currency="JPY")).lazy(), customers(), NOW)
    rials = read_purchases(orders(order("a", 1, order_cents=9000, currency="OMR")).lazy(), customers(), NOW)
    assert order_days(yen).value.tolist() == [900.0]
    assert order_days(rials).value.tolist() == [9.0]


def test_who_registered_twice_or_later_or_never_ordered_is_handled() -> None:
    known = customers(
        {"customer_id": "a"}, {"customer_id": "a"}, {"customer_id": "p"},
        {"customer_id": "later", "registered_at": NOW.at + timedelta(days=1)},
    )  # fmt: skip
    found = read_purchases(orders(order("a", 1)).lazy(), known, NOW)
    assert found.ids.to_list() == ["a", "p"]


def test_a_repeated_order_id_is_one_order_or_refused_by_history(home: Path) -> None:
    history = ParquetHistory(home / "history")
    lines = pl.DataFrame(schema={"order_id": pl.String, "line_no": pl.Int32, "customer_id": pl.String,
                                 "ordered_at": pl.Datetime("us", "UTC"), "status": pl.String, "item_id": pl.String,
                                 "quantity": pl.Float32})  # fmt: skip
    twice = orders(order("a", 2, order_id="x"), order("a", 2, order_id="x"))
    history.append(twice, lines)
    history.append(twice, lines)
    assert read_purchases(history.orders(), customers(), NOW).orders.height == 1
    with pytest.raises(Conflict, match="another customer"):
        history.append(orders(order("b", 2, order_id="x")), lines)


def test_nobody_at_all_gives_empty_arrays() -> None:
    found = read_purchases(orders().lazy(), customers(), NOW)
    assert (found.n, found.orders.height, len(order_days(found).day)) == (0, 0, 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, max_size=40), st.integers(0, 60))
def test_arrays_equal_a_plain_reading_of_the_orders(rows: list[tuple[str, int, int | None]], ago: int) -> None:
    frame = orders(*(order(who, day, order_cents=cents) for who, day, cents in rows))
    at = end_of(NOW.back(ago).date, "UTC")
    found = read_purchases(frame.lazy(), customers(), at)
    known = recency_frequency_at(order_days(found), at.day)
    plain: dict[str, set[int]] = {}
    for who, day, cents in rows:
        if day >= ago and (cents is None or cents >= 0):
            plain.setdefault(who, set()).add(NOW.day - day)
    assert [found.ids[int(i)] for i in known.customer] == sorted(plain)
    for i, who in enumerate(sorted(plain)):
        days = plain[who]
        assert known.x[i] == len(days) - 1
        assert known.tx_days[i] == max(days) - min(days)
        assert known.t_days[i] == at.day - min(days)


def test_hours_and_weekdays_are_on_the_customers_own_clock_and_days_on_the_companys() -> None:
    """Lunch in Shanghai is not late at night because the company counts in UTC; 20:00 UTC on Sunday is Monday there."""
    noon, evening = datetime(2026, 2, 3, 4, tzinfo=UTC), datetime(2026, 2, 1, 20, tzinfo=UTC)
    frame = orders(
        *(order(who, 0, ordered_at=at, order_id=f"{who}{at.hour}") for who in "abc" for at in (noon, evening))
    )
    people = customers(
        {"customer_id": "a", "timezone": "Asia/Shanghai"},
        {"customer_id": "b", "timezone": "Nowhere/Land"},
        {"customer_id": "stranger", "timezone": "Asia/Tokyo"},
    )
    found = read_purchases(frame.lazy(), people, NOW)
    assert found.ids.to_list() == ["a", "b", "c", "stranger"]
    by_customer = found.orders.sort("customer", "second").select("customer", "hour", "weekday", "day").rows()
    days = [day for *_, day in by_customer]
    assert [row[:3] for row in by_customer] == [(0, 4, 1), (0, 12, 2), (1, 20, 7), (1, 4, 2), (2, 20, 7), (2, 4, 2)]
    assert days == [days[0], days[1]] * 3
