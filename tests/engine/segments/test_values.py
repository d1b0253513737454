"""Values are read into the units they are compared in; one that does not fit is refused at its place."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from engine.errors import BadDefinition
from engine.segments.fields import ValueKind
from engine.segments.rule import Value
from engine.segments.values import read_days, read_instant, read_value


@pytest.mark.parametrize(
    ("kind", "operator", "written", "value"),
    [
        ("money", "at_least", "3.20", 320),
        ("money", "between", [1, 2.5], (100, 250)),
        ("number", "in", [1, 2.5], (1, 2.5)),
        ("word", "equals", "north", "north"),
        ("boolean", "equals", False, False),
        ("weekday", "in", ["Monday", 7], (1, 7)),
        ("daypart", "equals", "lunch", "lunch"),
        ("date", "equals", "1990-03-01", date(1990, 3, 1)),
        ("date", "anniversary_within_days", 7, 7),
        ("instant", "at_least", date(2026, 3, 1), datetime(2026, 3, 1, tzinfo=UTC)),
        ("instant", "within_days", 0.5, 0.5),
        ("number", "known", True, True),
    ],
)
def test_a_value_is_read_in_the_unit_of_its_kind(kind: ValueKind, operator: str, written: object, value: Value) -> None:
    assert read_value(kind, operator, written, currency="USD", where="here") == value


@pytest.mark.parametrize(
    ("kind", "operator", "written", "message"),
    [
        ("money", "at_least", "much", r"here: expected an amount in USD"),
        ("number", "at_least", True, "expected a number"),
        ("number", "at_least", float("inf"), "expected a number"),
        ("number", "between", [2, 1], "first value is above the second"),
        ("number", "in", [], "list of 1 to 10,000"),
        ("word", "in", ["north", 3], r"here\[1\]: expected text"),
        ("daypart", "equals", "lunhc", "did you mean 'lunch'"),
        ("weekday", "equals", "mondey", "did you mean 'monday'"),
        ("weekday", "equals", 8, "unknown weekday"),
        ("date", "equals", "yesterday", "expected a date"),
        ("date", "anniversary_within_days", 1.5, "whole days"),
        ("instant", "at_least", "soon", "expected an instant"),
        ("boolean", "equals", "yes", "true or false"),
        ("number", "known", "yes", "true or false"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_place(
    kind: ValueKind, operator: str, written: object, message: str
) -> None:
    with pytest.raises(BadDefinition, match=message):
        read_value(kind, operator, written, currency="USD", where="here")


def test_days_are_above_zero_and_an_instant_without_a_zone_is_utc() -> None:
    assert read_days(30, "x") == 30
    for wrong in (0, -1, 40_000, True, "30"):
        with pytest.raises(BadDefinition, match="x: expected days"):
            read_days(wrong, "x")
    assert read_instant("2026-03-01T10:00:00+08:00", "x") == datetime(2026, 3, 1, 2, tzinfo=UTC)
    assert read_instant("2026-03-01T10:00:00", "x") == datetime(2026, 3, 1, 10, tzinfo=UTC)
