"""A figure of an offer kind is read from a definition, a file and a table's row, and refused with its place."""

from __future__ import annotations

import polars as pl
import pytest

from engine.errors import BadDefinition
from engine.offers.kinds.fields import CAP, AmountField, PercentField, capped

AMOUNT = AmountField(name="amount", column="amount_cents", required=True, missing="what it takes off in {currency}")
OPTIONAL = AmountField(name="cap", column="cap_cents")
PERCENT = PercentField(name="percent", column="percent", required=True)


def test_an_amount_is_in_major_units_in_a_definition_and_minor_units_in_a_row() -> None:
    assert AMOUNT.of_definition(5, "USD") == AMOUNT.of_definition("5.00", "USD") == AMOUNT.of_row(500, "offers[x]")
    assert AMOUNT.of_definition(5, "JPY") == 5


def test_an_optional_amount_may_be_left_out() -> None:
    assert OPTIONAL.of_definition(None, "USD") is OPTIONAL.of_row(None, "offers[x]") is None
    assert OPTIONAL.of_row(0, "offers[x]") == 0


@pytest.mark.parametrize("value", [0, -1, "five", 5.001, True])
def test_an_amount_nobody_can_pay_is_refused_in_a_definition(value: object) -> None:
    with pytest.raises(BadDefinition, match=r"offer\.amount: expected an amount in USD above 0"):
        AMOUNT.of_definition(value, "USD")


@pytest.mark.parametrize("value", [None, 0, -1, 5.0])
def test_an_amount_a_row_needs_is_refused_without(value: object) -> None:
    with pytest.raises(BadDefinition, match=r"offers\[x\]\.amount_cents: expected"):
        AMOUNT.of_row(value, "offers[x]")


def test_a_missing_figure_says_what_it_is_for() -> None:
    with pytest.raises(BadDefinition, match="missing; what it takes off in CNY"):
        AMOUNT.of_definition(None, "CNY")
    with pytest.raises(BadDefinition, match="missing; the most one coupon may cost in CNY"):
        CAP.of_definition(None, "CNY")


def test_a_percentage_is_held_in_hundredths() -> None:
    assert PERCENT.of_definition(12.5, "USD") == PERCENT.of_row(12.5, "offers[x]") == 1250
    assert PERCENT.of_definition(100, "USD") == 10_000


@pytest.mark.parametrize("value", [None, 0, 0.001, 101, "20", True, float("nan")])
def test_no_percentage_is_refused(value: object) -> None:
    with pytest.raises(BadDefinition):
        PERCENT.of_definition(value, "USD")
    with pytest.raises(BadDefinition):
        PERCENT.of_row(value if value != 0.001 else -1.0, "offers[x]")


def test_cells_of_a_file_out_of_range_are_marked() -> None:
    refused, code = PERCENT.out_of_range(pl.Series([0.0, 10.0, 120.0, None]))
    assert (refused.to_list(), code) == ([True, False, True, None], "percent_out_of_range")
    assert AMOUNT.out_of_range(pl.Series([1])) is None


def test_a_cap_cuts_and_none_does_not() -> None:
    assert (capped(500, 300), capped(500, None), capped(200, 300)) == (300, 500, 200)
