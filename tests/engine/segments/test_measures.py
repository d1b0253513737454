"""Events are counted, summed and dated per customer, each measure within its own window."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from engine.columns import UTC_INSTANT
from engine.segments.compile import Clock, measure_column
from engine.segments.measures import join_measures, measured_events, required_clauses
from engine.segments.rule import Clause, EventClause, Measure, Window
from tests.engine.customers.histories import NOW, items, lines_of, order, orders
from tests.engine.segments.given import rule_of, sources_with

CLOCK = Clock(NOW.at, ("UTC",))
PLACED = orders(
    order("a", 40, order_cents=2000, discount_cents=100), order("a", 2, order_cents=1000),
    order("a", 1, status="refunded"), order("b", 5, order_cents=None),
)  # fmt: skip
MENU = items({"item_id": "dal", "cuisine": "north"}, {"item_id": "tea", "vendor_id": "v1"})


def measured(*measures: Measure) -> dict[str, tuple[object, ...]]:
    lines = lines_of(PLACED, [["dal"], ["dal", "tea"], ["dal"], ["tea"]])
    sources = sources_with(PLACED, lines=lines, menu=MENU)
    frame = measured_events(measures[0].event, measures, sources, CLOCK, None).collect()
    return {row["customer_id"]: tuple(row[measure_column(each)] for each in measures)
            for row in frame.iter_rows(named=True)}  # fmt: skip


def test_only_delivered_orders_count_unless_a_status_is_named() -> None:
    assert measured(Measure("count", "order")) == {"a": (2,), "b": (1,)}
    refunded = Measure("count", "order", (Clause("status", "equals", "refunded"),))
    assert measured(refunded) == {"a": (1,)}


def test_measures_of_one_event_keep_their_own_windows_and_filters() -> None:
    ever, lately = Measure("count", "order"), Measure("count", "order", (), Window(last_days=30))
    spent = Measure("sum", "order", (), Window(), "amount")
    discounted = Measure("count", "order", (Clause("discounted", "equals", True),))
    assert measured(ever, lately, spent, discounted) == {"a": (2, 1, 3000, 1), "b": (1, 1, None, 0)}


def test_first_and_last_are_instants_of_what_counts() -> None:
    found = measured(Measure("first", "order"), Measure("last", "order"))
    noon = NOW.at.replace(hour=12, minute=0, second=0, microsecond=0)
    assert found == {
        "a": (noon - timedelta(days=40), noon - timedelta(days=2)),
        "b": (noon - timedelta(days=5),) * 2,
    }


def test_lines_are_filtered_by_the_menu() -> None:
    north = Measure("count", "order_line", (Clause("cuisine", "equals", "north"),))
    assert measured(north) == {"a": (2,)}
    unknown = Measure("count", "order_line", (Clause("cuisine", "known", False),))
    assert measured(unknown) == {"a": (1,), "b": (1,)}


def test_without_an_event_counts_and_sums_are_zero_and_instants_unknown() -> None:
    measures = (Measure("count", "order"), Measure("sum", "order", (), Window(), "amount"), Measure("last", "order"))
    sources = sources_with(orders(order("a", 2)))
    found = measured_events("order", measures, sources, CLOCK, None)
    everyone = pl.LazyFrame({"customer_id": ["a", "p"]})
    joined = join_measures(everyone, found, measures, must=False).collect().sort("customer_id")
    assert [joined[measure_column(each)][1] for each in measures] == [0, 0, None]
    assert joined.schema[measure_column(measures[2])] == UTC_INSTANT
    assert join_measures(everyone, found, measures, must=True).collect()["customer_id"].to_list() == ["a"]


def test_clauses_that_fail_without_an_event_are_those_required() -> None:
    count = {"count": {"event": "order", "at_least": 1}}
    tree = {"all": [count, {"any": [count]}, {"not": count}, {"count": {"event": "order", "at_least": 0}},
                    {"last": {"event": "order", "within_days": 9}}]}  # fmt: skip
    assert [(each.measure.what, each.operator) for each in required_clauses(rule_of(tree))] == [
        ("count", "at_least"),
        ("last", "within_days"),
    ]
    assert required_clauses(EventClause(Measure("last", "order"), "known", False)) == []
