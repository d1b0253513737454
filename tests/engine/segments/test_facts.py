"""What a rule needs is gathered: of everyone, or of one customer alone."""

from __future__ import annotations

import polars as pl
import pytest

from engine.segments.facts import gather, members, needs_figures_only
from tests.engine.customers.histories import NOW, customers, lines_of, order, orders
from tests.engine.segments.given import rule_of, sources_with

KNOWN = customers(
    {"customer_id": "a", "language": "zh", "gender": "f", "zone": "north", "marketing_consent": True},
    {"customer_id": "p", "language": "en", "push_token": "sealed"},
)
PLACED = orders(order("a", 40, order_cents=2000), order("a", 2, order_cents=1000), order("b", 1))


def ids(tree: object, **more: pl.DataFrame) -> list[str]:
    sources = sources_with(PLACED, KNOWN, **more)  # type: ignore[arg-type]
    return members(rule_of(tree), sources, NOW.at).collect()["customer_id"].sort().to_list()


@pytest.mark.parametrize(
    ("tree", "only"),
    [
        ({"orders": {"at_least": 2}}, True),
        ({"all": [{"language": "zh"}, {"not": {"revenue": {"above": 5}}}]}, True),
        ({"tier": "gold"}, False),
        ({"gender": "f"}, False),
        ({"birthday": {"anniversary_within_days": 7}}, False),
        ({"count": {"event": "order", "at_least": 1}}, False),
        ({"sample": {"salt": "x", "share": 0.5}}, False),
    ],
)
def test_a_rule_of_figures_alone_is_recognised(tree: object, *, only: bool) -> None:
    assert needs_figures_only(rule_of(tree)) is only


def test_customers_who_ordered_and_those_registered_are_both_looked_at() -> None:
    assert ids({"orders": {"at_most": 1}}) == ["b", "p"]
    assert ids({"not": {"language": "zh"}}) == ["b", "p"]
    assert ids({"push_reachable": True}) == ["p"]
    assert ids({"push_reachable": False}) == ["a", "b"]
    assert ids({"home_zone": {"equals": "north"}}) == ["a"]


def test_consent_is_the_logs_statement_else_the_imports() -> None:
    stated = pl.DataFrame({"customer_id": ["p", "a"], "stated": [True, False]})
    assert ids({"consent": True}) == ["a"]
    assert ids({"consent": True}, consents=stated) == ["p"]
    assert ids({"consent": {"known": False}}, consents=stated) == ["b"]


def test_columns_of_the_table_are_joined_and_narrow_ones_widened() -> None:
    table = pl.DataFrame({"customer_id": ["a", "b"], "r": [5, None], "tier": ["gold", "lead"]}).cast({"r": pl.Int8})
    assert ids({"r": {"at_most": 300}}, table=table) == ["a"]
    assert ids({"tier": {"in": ["gold", "lead"]}}, table=table) == ["a", "b"]


def test_one_customer_has_a_row_whether_known_or_not() -> None:
    sources = sources_with(PLACED, KNOWN, lines=lines_of(PLACED, [["x"]] * 3))
    rule = rule_of({"all": [{"orders": {"at_least": 1}}, {"count": {"event": "order_line", "at_least": 1}}]})
    for who, placed in (("a", 2), ("ghost", None)):
        found = gather(rule, sources, NOW.at, customer_id=who).frame.collect()
        assert found.select("customer_id", "orders").rows() == [(who, placed)]


def test_a_sample_is_the_same_customers_every_time() -> None:
    half = {"sample": {"salt": "spring", "share": 0.5}}
    other = {"sample": {"salt": "spring", "share": 0.5, "from": 0.5}}
    assert ids(half) == ids(half)
    assert sorted([*ids(half), *ids(other)]) == ["a", "b", "p"]
