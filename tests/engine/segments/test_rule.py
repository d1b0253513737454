"""A segment's YAML form is read to the last clause, and a wrong one is named with its place."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.errors import BadDefinition
from engine.segments.parse import parse_rule
from engine.segments.rule import All, AnyOf, Clause, EventClause, Measure, Not, Sample, Window


def test_a_tree_of_clauses_becomes_a_typed_rule() -> None:
    tree = {
        "all": [
            {"days_since_last_order": {"at_least": 30, "below": 120}},
            {"any": [{"zone": {"in": ["north", "south"]}}, {"language": "zh"}]},
            {"not": {"revenue": {"below": 50}}},
        ]
    }
    assert parse_rule(tree, currency="USD") == All(
        (
            All((Clause("days_since_last_order", "at_least", 30), Clause("days_since_last_order", "below", 120))),
            AnyOf((Clause("zone", "in", ("north", "south")), Clause("language", "equals", "zh"))),
            Not(Clause("revenue", "below", 5000)),
        )
    )


@pytest.mark.parametrize(("currency", "cents"), [("USD", 5000), ("JPY", 50), ("OMR", 50_000)])
def test_money_is_in_major_units_of_the_currency(currency: str, cents: int) -> None:
    assert parse_rule({"revenue": {"at_least": 50}}, currency=currency) == Clause("revenue", "at_least", cents)


@pytest.mark.parametrize("text", ["2026-03-01", "2026-03-01T08:00:00+08:00", datetime(2026, 3, 1, tzinfo=UTC)])
def test_an_instant_may_be_a_day_a_text_or_a_yaml_timestamp(text: object) -> None:
    found = parse_rule({"registered_at": {"at_least": text}}, currency="USD")
    assert found == Clause("registered_at", "at_least", datetime(2026, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (
            {"all": [{"orders": {"at_least": 2}}, {"orderz": {"at_least": 2}}]},
            "segment.all[1].orderz: unknown field; did you mean 'orders'?",
        ),
        ({"orders": {"atleast": 2}}, "segment.orders.atleast: unknown comparison; did you mean 'at_least'?"),
        ({"orders": {"at_least": "two"}}, "segment.orders.at_least: expected a number such as 30"),
        ({"orders": {"at_least": True}}, "segment.orders.at_least: expected a number such as 30"),
        ({"orders": {"at_least": float("nan")}}, "segment.orders.at_least: expected a number such as 30"),
        ({"orders": 2}, "segment.orders: expected a comparison such as {at_least: 2}"),
        ({"orders": {}}, "segment.orders: expected a comparison such as {at_least: 2}"),
        ({"revenue": {"at_least": 1.005}}, "segment.revenue.at_least: expected an amount in USD such as 50"),
        ({"zone": {"in": []}}, "segment.zone.in: expected a list of 1 to 10,000 values"),
        ({"zone": {"in": ["a", 3]}}, "segment.zone.in[1]: expected text; put quotes around it"),
        ({"zone": {"at_least": "a"}}, "segment.zone.at_least: unknown comparison"),
        ({"marketing_consent": "yes"}, "segment.marketing_consent.equals: expected true or false"),
        ({"registered_at": {"below": "soon"}}, "segment.registered_at.below: expected an instant"),
        ({"language": {"known": "x"}}, "segment.language.known: expected true or false"),
        ({"all": []}, "segment.all: expected a list with at least one clause"),
        ({"all": {"orders": {"at_least": 1}}}, "segment.all: expected a list"),
        ({"orders": {"at_least": 1}, "language": "zh"}, "segment: expected one clause here"),
        (["orders"], "segment: expected a clause"),
        ({"count": {"event": "ordr"}}, "segment.count.event: unknown event; did you mean 'order'?"),
        ({"count": {"event": "order"}}, "segment.count: expected a comparison"),
        ({"count": {"event": "order", "atleast": 1}}, "segment.count.atleast: unknown name; did you mean 'at_least'?"),
        ({"count": {"event": "order", "last_days": 0}}, "segment.count.last_days: expected days above 0"),
        (
            {"absent": {"event": "order", "last_days": 9, "before_days": 9}},
            "segment.absent.before_days: leaves nothing",
        ),
        ({"absent": {"event": "order", "at_least": 1}}, "segment.absent.at_least: unknown name"),
        (
            {"absent": {"event": "order", "between": ["2026-03-02", "2026-03-01"]}},
            "segment.absent.between: the first instant is not before the second",
        ),
        (
            {"any": [{"count": {"event": "order", "where": {"vendr": "v"}, "at_least": 1}}]},
            "segment.any[0].count.where.vendr: unknown property; did you mean 'vendor'?",
        ),
        (
            {"count": {"event": "order", "where": {"daypart": "lunsh"}, "at_least": 1}},
            "segment.count.where.daypart.equals: unknown daypart; did you mean 'lunch'?",
        ),
        (
            {"count": {"event": "order", "where": {"weekday": "mondy"}, "at_least": 1}},
            "segment.count.where.weekday.equals: unknown weekday; did you mean 'monday'?",
        ),
        ({"sum": {"event": "order", "at_least": 1}}, "segment.sum.of: name what to sum"),
        ({"sum": {"event": "view", "of": "item", "at_least": 1}}, "segment.sum.of: name what to sum"),
        ({"top_cuisines": "Sichuan"}, "segment.top_cuisines: expected a comparison such as {contains: Sichuan}"),
        ({"birthday": {"at_least": "soon"}}, "segment.birthday.at_least: expected a date"),
        ({"birthday": {"anniversary_within_days": 1.5}}, "segment.birthday.anniversary_within_days: expected whole"),
        ({"orders": {"between": [3, 2]}}, "segment.orders.between: the first value is above the second"),
        ({"sample": {"salt": "x", "share": 2}}, "segment.sample.share: expected a share"),
        (
            {"sample": {"salt": "x", "share": 0.6, "from": 0.5}},
            "segment.sample.share: the share is empty or runs past 1",
        ),
        ({"sample": {"salt": "", "share": 0.6}}, "segment.sample.salt: expected text"),
        ("platinum", "segment.segment: no segment 'platinum' is known here"),
        ({"segment": 3}, "segment.segment: expected the name"),
        (None, "segment: expected a clause"),
        ({3: 4}, "segment.3: unknown field"),
    ],
)
def test_a_wrong_clause_says_where_and_what_to_do(tree: object, message: str) -> None:
    with pytest.raises(BadDefinition) as refused:
        parse_rule(tree, currency="USD")
    assert str(refused.value).startswith(message)


def test_a_tree_that_is_too_deep_or_too_large_is_refused() -> None:
    deep: dict[str, object] = {"orders": {"at_least": 1}}
    for _ in range(50):
        deep = {"not": deep}
    with pytest.raises(BadDefinition, match="too large"):
        parse_rule(deep, currency="USD")
    # The same list again and again, as YAML aliases make it: small in the file, endless when read.
    wide: dict[str, object] = {"orders": {"at_least": 1}}
    for _ in range(15):
        wide = {"any": [wide] * 9}
    with pytest.raises(BadDefinition, match="too large"):
        parse_rule(wide, currency="USD")


def test_an_event_clause_has_filters_a_window_and_comparisons() -> None:
    tree = {
        "sum": {
            "event": "order",
            "of": "amount",
            "where": {"vendor": "v1", "weekday": {"in": ["saturday", 7]}, "discounted": False},
            "last_days": 90,
            "at_least": 50,
            "below": 200,
        }
    }
    where = (
        Clause("vendor", "equals", "v1"),
        Clause("weekday", "in", (6, 7)),
        Clause("discounted", "equals", False),
    )
    measure = Measure("sum", "order", where, Window(last_days=90), "amount")
    assert parse_rule(tree, currency="USD") == All(
        (EventClause(measure, "at_least", 5000), EventClause(measure, "below", 20000))
    )


def test_absence_is_a_count_of_none_and_a_sample_a_range_of_buckets() -> None:
    window = Window(start=datetime(2026, 3, 1, tzinfo=UTC), before=datetime(2026, 3, 8, tzinfo=UTC))
    absent = {"absent": {"event": "cart", "between": ["2026-03-01", "2026-03-08"]}}
    assert parse_rule(absent, currency="USD") == EventClause(Measure("count", "cart", (), window), "equals", 0)
    assert parse_rule({"sample": {"salt": "x", "share": 0.1, "from": 0.5}}, currency="USD") == Sample("x", 5000, 6000)
