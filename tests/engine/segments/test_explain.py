"""Every clause is shown with what it expected and what it met."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.errors import NotFound
from engine.segments.explain import explain_membership, is_known
from engine.segments.rule import InSegment
from tests.engine.customers.histories import NOW, customers, order, orders
from tests.engine.segments.given import rule_of, sources_with

SOURCES = sources_with(
    orders(order("a", 40), order("a", 2, order_cents=3000), order("b", 1, status="rejected")),
    customers({"customer_id": "p", "registered_at": NOW.at}, {"customer_id": "q", "registered_at": NOW.at}),
)


def test_the_tree_keeps_the_rules_order_and_nesting() -> None:
    rule = rule_of({"all": [{"orders": {"at_least": 3}}, {"not": {"revenue": {"above": 100}}}]})
    assert explain_membership(rule, SOURCES, NOW.at, "a").as_json() == {
        "kind": "all",
        "matched": False,
        "inner": [
            {"kind": "clause", "matched": False, "field": "orders", "operator": "at_least", "expected": 3, "value": 2},
            {
                "kind": "not",
                "matched": True,
                "inner": [
                    {"kind": "clause", "matched": False, "field": "revenue", "operator": "above", "expected": 10000,
                     "value": 4000}
                ],
            },
        ],
    }  # fmt: skip


def test_an_event_clause_names_which_events_count() -> None:
    tree = {"sum": {"event": "order", "of": "amount", "where": {"zone": {"in": ["n", "s"]}}, "last_days": 30,
                    "before_days": 1, "before": "2026-03-01", "at_least": 1}}  # fmt: skip
    found = explain_membership(rule_of(tree), SOURCES, NOW.at, "a")
    assert (found.kind, found.field, found.expected, found.value) == ("sum", "order", 100, 0)
    assert found.about == (
        "of amount, zone in (n, s), in the last 30 days, up to 1 days ago, before 2026-03-01T00:00:00+00:00"
    )


def test_a_named_segment_and_a_sample_show_name_and_bucket() -> None:
    inner = rule_of({"orders": {"at_least": 1}})
    named = explain_membership(InSegment("mine", inner), SOURCES, NOW.at, "a")
    assert (named.kind, named.about, named.matched) == ("segment", "mine", True)
    drawn = explain_membership(rule_of({"sample": {"salt": "x", "share": 1}}), SOURCES, NOW.at, "a")
    assert (drawn.kind, drawn.field, drawn.expected) == ("sample", "x", (0, 10_000))
    assert 0 <= int(str(drawn.value)) < 10_000


def test_somebody_unknown_by_then_is_not_explained() -> None:
    rule = rule_of({"not": {"orders": {"at_least": 1}}})
    assert explain_membership(rule, SOURCES, NOW.at, "p").matched
    before = NOW.at - timedelta(microseconds=1)
    for who, at in (("ghost", NOW.at), ("p", before), ("b", NOW.at)):
        with pytest.raises(NotFound, match=who):
            explain_membership(rule, SOURCES, at, who)
    assert is_known(SOURCES, NOW.at, "a")
    assert not is_known(SOURCES, NOW.at, "b")
