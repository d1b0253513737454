"""A segment's YAML form is read to the last clause, and a wrong one says where."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.errors import BadDefinition
from engine.segments.parse import parse_rule
from engine.segments.rule import All, AnyOf, Clause, Not


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
