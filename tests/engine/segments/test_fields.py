"""Every column of the customer table that can be compared is a field, under a name without its unit."""

from __future__ import annotations

import polars as pl
import pytest

from engine.customers.columns import TABLE_COLUMNS
from engine.segments.fields import OPERATORS, OWN_FIELDS, SEGMENT_FIELDS


def test_every_column_but_ids_and_shares_is_a_field() -> None:
    columns = {field.column for field in SEGMENT_FIELDS.values()}
    left_out = {each.name for each in TABLE_COLUMNS} - columns
    assert left_out == {"customer_id", "daypart_shares", "weekday_shares"}
    assert columns - {each.name for each in TABLE_COLUMNS} == OWN_FIELDS.keys() - {"push_reachable"}


@pytest.mark.parametrize(
    ("name", "column", "kind", "origin"),
    [
        ("revenue", "revenue_cents", "money", "history"),
        ("orders", "orders", "number", "history"),
        ("language", "language", "word", "registration"),
        ("birthday", "birthday", "date", "registration"),
        ("tier", "tier", "word", "table"),
        ("top_cuisines", "top_cuisines", "words", "table"),
        ("slowing_at", "slowing_at", "instant", "table"),
        ("push_reachable", "push_reachable", "boolean", "registration"),
        ("consent", "consent", "boolean", "consent"),
    ],
)
def test_kind_and_origin_follow_from_the_declaration(name: str, column: str, kind: str, origin: str) -> None:
    field = SEGMENT_FIELDS[name]
    assert (field.column, field.kind, field.origin) == (column, kind, origin)


def test_a_field_names_its_meaning_with_unit_or_values() -> None:
    assert SEGMENT_FIELDS["tier"].about.endswith("[platinum, gold, iron, lead]")
    assert SEGMENT_FIELDS["revenue"].about.endswith("[major units]")
    assert SEGMENT_FIELDS["orders"].about.endswith("[orders]")


def test_numbers_of_eight_bits_are_narrow_and_no_others() -> None:
    narrow = {field.column for field in SEGMENT_FIELDS.values() if field.narrow}
    assert narrow == {each.name for each in TABLE_COLUMNS if each.dtype == pl.Int8}


def test_every_kind_of_a_field_has_its_comparisons() -> None:
    assert {field.kind for field in SEGMENT_FIELDS.values()} <= OPERATORS.keys()
