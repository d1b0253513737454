"""Expressions are two-valued, days have edges, and clocks are the customer's own."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from engine.segments.compile import Clock, anniversaries, comparison, earliest_instant, expression, measure_column
from engine.segments.fields import ValueKind
from engine.segments.rule import All, AnyOf, Clause, Measure, Value, Window
from tests.engine.segments.given import rule_of

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLOCK = Clock(AT, ("UTC",))


def compared(values: list[object], kind: ValueKind, operator: str, value: Value) -> list[bool]:
    found = pl.DataFrame({"x": values}).select(comparison(pl.col("x"), kind, operator, value, CLOCK))
    return found.to_series().to_list()


@pytest.mark.parametrize(
    ("kind", "operator", "value", "expected"),
    [
        ("number", "at_least", 2, [False, True, False]),
        ("number", "between", (1, 1.5), [True, False, False]),
        ("number", "in", (2.0, 7), [False, True, False]),
        ("number", "known", True, [True, True, False]),
        ("number", "known", False, [False, False, True]),
    ],
)
def test_a_comparison_with_an_unknown_value_is_false(
    kind: ValueKind, operator: str, value: Value, expected: list[bool]
) -> None:
    assert compared([1, 2, None], kind, operator, value) == expected


def test_words_are_compared_whole_and_lists_by_what_they_contain() -> None:
    assert compared(["north", None], "word", "not_in", ("north",)) == [False, False]
    assert compared([["a", "b"], None], "words", "contains_any", ("b", "c")) == [True, False]


def test_not_turns_an_unknown_round() -> None:
    frame = pl.DataFrame({"orders": [1, None]})
    twice = rule_of({"not": {"orders": {"at_least": 2}}})
    assert frame.select(expression(twice, CLOCK)).to_series().to_list() == [True, True]


def test_no_rules_match_everyone_under_all_and_nobody_under_any() -> None:
    frame = pl.DataFrame({"orders": [1]})
    assert [frame.select(expression(rule, CLOCK)).item() for rule in (All(()), AnyOf(()))] == [True, False]


def test_days_back_are_open_at_their_far_edge_and_closed_at_the_near_one() -> None:
    edge = AT - timedelta(days=30)
    instants: list[object] = [edge, edge + timedelta(microseconds=1), AT, AT + timedelta(microseconds=1)]
    assert compared(instants, "instant", "within_days", 30) == [False, True, True, False]
    assert compared(instants, "instant", "older_than_days", 30) == [True, False, False, False]
    assert compared(instants, "instant", "in_next_days", 1) == [False, False, False, True]


def test_anniversaries_cross_the_year_and_keep_29_february_on_the_28th_of_common_years() -> None:
    assert anniversaries(date(2025, 12, 31), 2) == [101, 1231]
    assert anniversaries(date(2026, 2, 28), 1) == [228, 229]
    assert anniversaries(date(2028, 2, 28), 1) == [228]


def test_late_runs_past_midnight_and_every_hour_has_one_daypart() -> None:
    assert CLOCK.hours_of("late") == [0, 1, 2, 3, 4, 22, 23]
    parts = ("breakfast", "lunch", "afternoon", "dinner", "late")
    assert sorted(hour for part in parts for hour in CLOCK.hours_of(part)) == list(range(24))


def test_the_earliest_instant_is_the_later_of_both_bounds() -> None:
    start = AT - timedelta(days=10)
    assert earliest_instant(Measure("count", "order"), CLOCK) is None
    assert earliest_instant(Measure("count", "order", (), Window(last_days=30, start=start)), CLOCK) == start
    assert earliest_instant(Measure("count", "order", (), Window(last_days=5, start=start)), CLOCK) == AT - timedelta(5)


def test_equal_measures_share_a_column_and_others_do_not() -> None:
    one, same, other = (Measure("count", "order", (), Window(last_days=days)) for days in (30, 30, 31))
    assert measure_column(one) == measure_column(same) != measure_column(other)


def test_a_language_takes_in_its_regional_tags_and_no_other_language() -> None:
    spoken = pl.DataFrame({"language": ["zh", "zh-Hant-TW", "zho", "en-GB", None]})

    def found(operator: str, value: Value) -> list[bool]:
        rule = Clause("language", operator, value)
        return spoken.select(expression(rule, CLOCK)).to_series().to_list()

    assert found("equals", "zh") == [True, True, False, False, False]
    assert found("equals", "zh_hant") == [False, True, False, False, False]
    assert found("in", ("zh", "en")) == [True, True, False, True, False]
    assert found("not_in", ("zh",)) == [False, False, True, True, False]
