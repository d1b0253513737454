"""Money reads with the currency's own digits and comes back from text exactly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.columns import minor_digits
from engine.money import minor_units, money_text


@pytest.mark.parametrize(
    ("cents", "currency", "text"),
    [
        (320, "USD", "$3.20"),
        (500, "USD", "$5"),
        (500, "JPY", "¥500"),
        (1250, "OMR", "OMR 1.250"),
        (123456789, "CNY", "¥1,234,567.89"),
        (-5, "EUR", "-€0.05"),
        (0, "USD", "$0"),
    ],
)
def test_money_reads_with_the_currencys_own_digits(cents: int, currency: str, text: str) -> None:
    assert money_text(cents, currency) == text


@given(st.integers(0, 10**12), st.sampled_from(["USD", "JPY", "OMR"]))
def test_an_amount_in_major_units_comes_back_as_the_same_minor_units(cents: int, currency: str) -> None:
    digits = minor_digits(currency)
    major = f"{cents // 10**digits}" + (f".{cents % 10**digits:0{digits}d}" if digits else "")
    assert minor_units(major, currency) == cents


@pytest.mark.parametrize("wrong", ["x", None, True, "5.001", float("nan"), float("inf"), [], "1e400"])
def test_what_is_no_amount_is_refused(wrong: object) -> None:
    assert minor_units(wrong, "USD") is None
