"""A new figure of customers is declared once and computed once; segments, schema and reference follow by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli.docs import customer_table_page
from engine.customers import store
from engine.customers.columns import CUSTOMER_TABLE, TABLE_COLUMNS, TableColumn
from engine.customers.compute.inputs import Columns, TableInputs
from engine.customers.table import FIGURE_GROUPS, register_figure
from engine.database.session import connect, transaction
from engine.errors import BadDefinition
from engine.history.opening import open_history
from engine.segments.explain import explain_membership
from engine.segments.facts import members
from engine.segments.parse import parse_rule
from engine.segments.schema import segment_json_schema
from engine.segments.sources import home_segment_sources
from engine.settings import Settings
from tests.engine.customers.histories import NOW, lines_of, order, orders

LONGEST_GAP = TableColumn(
    "longest_gap_days", pl.Int8, "days", "orders", "Longest time between two order days; null with fewer than two."
)
RULE = {"longest_gap_days": {"at_least": 20}}


def longest_gap(inputs: TableInputs, columns: Columns) -> pl.Series:
    """Return the longest gap of each customer, in the order of `columns["customer_id"]`."""
    days = pl.DataFrame({"customer": inputs.days.customer, "day": inputs.days.day})
    gaps = days.group_by("customer").agg(pl.col("day").sort().diff().max().alias("gap"))
    everyone = pl.DataFrame({"customer": range(len(columns["customer_id"]))}, schema={"customer": pl.Int64})
    return everyone.join(gaps, on="customer", how="left", maintain_order="left")["gap"]


@pytest.fixture
def settings(home: Path) -> Settings:
    found = Settings.from_environment({}, home=home)
    placed = orders(order("a", 40), order("a", 10), order("a", 5), order("b", 9), order("b", 3), order("c", 1))
    open_history(found).append(placed, lines_of(placed, [["d"]] * placed.height))
    return found


@pytest.fixture
def declared() -> Iterator[None]:
    group = register_figure(LONGEST_GAP, longest_gap)
    yield
    FIGURE_GROUPS.remove(group)
    TABLE_COLUMNS.remove(LONGEST_GAP)
    del CUSTOMER_TABLE[LONGEST_GAP.name]


@pytest.mark.usefixtures("declared")
def test_a_declared_figure_is_computed_stored_and_read_back(settings: Settings) -> None:
    store.build_customer_table(settings, now=datetime(2026, 3, 2, tzinfo=UTC), as_of=NOW)
    table = store.read_customer_table(settings).table
    assert table.schema[LONGEST_GAP.name] == pl.Int8
    assert table.select("customer_id", LONGEST_GAP.name).rows() == [("a", 30), ("b", 6), ("c", None)]


@pytest.mark.usefixtures("declared")
def test_a_segment_may_name_it_select_by_it_and_explain_it(settings: Settings) -> None:
    rule = parse_rule(RULE, currency="USD")
    database = connect(settings)
    sources = home_segment_sources(settings, lambda: transaction(database))
    assert members(rule, sources, NOW.at).collect()["customer_id"].to_list() == ["a"]
    explained = explain_membership(rule, sources, NOW.at, "b")
    assert (explained.matched, explained.field, explained.expected, explained.value) == (
        False,
        "longest_gap_days",
        20,
        6,
    )
    # Beyond what eight bits hold: narrow columns are widened before they are compared.
    beyond = parse_rule({"longest_gap_days": {"at_most": 300}}, currency="USD")
    assert sorted(members(beyond, sources, NOW.at).collect()["customer_id"]) == ["a", "b"]


@pytest.mark.usefixtures("declared")
def test_a_wrong_comparison_of_it_says_where() -> None:
    with pytest.raises(BadDefinition, match="number") as error:
        parse_rule({"longest_gap_days": {"at_least": "long"}}, currency="USD")
    assert error.value.where == "segment.longest_gap_days.at_least"


@pytest.mark.usefixtures("declared")
def test_the_json_schema_and_the_reference_page_name_it_with_its_meaning() -> None:
    rule: Any = segment_json_schema()["$defs"]
    assert rule["rule"]["properties"]["longest_gap_days"] == {
        "description": f"{LONGEST_GAP.about} [days]",
        "$ref": "#/$defs/compare_number",
    }
    assert re.search(rf"\| `longest_gap_days` \| Int8 \| days \| orders \| {LONGEST_GAP.about}", customer_table_page())


def test_a_table_stored_before_a_figure_was_declared_is_not_current(
    settings: Settings, request: pytest.FixtureRequest
) -> None:
    store.build_customer_table(settings, now=datetime(2026, 3, 2, tzinfo=UTC), as_of=NOW)
    database = connect(settings)
    assert store.is_table_current(settings, database)
    request.getfixturevalue("declared")
    assert not store.is_table_current(settings, database)
    sources = home_segment_sources(settings, lambda: transaction(database))
    assert members(parse_rule(RULE, currency="USD"), sources, NOW.at).collect()["customer_id"].to_list() == ["a"]


@pytest.mark.usefixtures("declared")
def test_a_name_is_declared_once() -> None:
    with pytest.raises(ValueError, match="longest_gap_days"):
        register_figure(LONGEST_GAP, longest_gap)


def test_without_the_declaration_no_segment_knows_it() -> None:
    with pytest.raises(BadDefinition, match="unknown field"):
        parse_rule(RULE, currency="USD")
