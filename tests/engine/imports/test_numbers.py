"""Which mark is the decimal one is told by the whole column, or asked about; never guessed."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.imports.numbers import COMMA, POINT, Marks, read_figures, told_marks


def read(*words: str | None, marks: Marks | None = None) -> list[float | None]:
    return read_figures(pl.Series(words, dtype=pl.String), marks).values.to_list()


@pytest.mark.parametrize("word", ["45.000", "45,000", "1.000", "100.000", "₫45.000", "-45.000", "45.000 VND"])
def test_three_digits_after_a_single_mark_are_a_question(word: str) -> None:
    found = read_figures(pl.Series([word, "7", None]))
    assert found.ambiguous.to_list() == [True, False, False]
    assert found.values.to_list() == [None, 7.0, None]


@pytest.mark.parametrize(
    ("words", "figures"),
    [
        (["45.000", "1.250.000"], [45000.0, 1250000.0]),
        (["45.000", "1.299,99"], [45000.0, 1299.99]),
        (["45.000", "7,5"], [45000.0, 7.5]),
        (["45.000", "12.5"], [45.0, 12.5]),
        (["45.000", "0.500"], [45.0, 0.5]),
        (["45,000", "1,250,000"], [45000.0, 1250000.0]),
        (["45,000", "12.50"], [45000.0, 12.5]),
        (["1,00,000", "45,000"], [100000.0, 45000.0]),
    ],
)
def test_one_cell_of_the_column_answers_it(words: list[str], figures: list[float]) -> None:
    assert read(*words) == figures


@pytest.mark.parametrize(
    ("word", "figure"),
    [
        ("$30.00", 30.0), ("-$3.00", -3.0), ("$-3.00", -3.0), ("($3.00)", -3.0), ("$(3.00)", -3.0), ("3.00-", -3.0),
        ("−3.00", -3.0), ("€ 12,50", 12.5), ("12,50 €", 12.5), ("R$ 1.234,50", 1234.5), ("12 500,00", 12500.0),
        ("12\u00a0500,00", 12500.0), ("1\u202f250,5", 1250.5), ("1'250.50", 1250.5), ("￥１２.５", 12.5),
        ("USD 12.5", 12.5), ("12.5 EUR", 12.5), ("12.5元", 12.5), ("12,5 zł", 12.5), ("Rs. 12.50", 12.5), (".5", 0.5),
        ("$1,250.00", 1250.0), ("1,23,456.75", 123456.75), ("+5", 5.0),
    ],
)  # fmt: skip
def test_money_is_read_as_people_write_it(word: str, figure: float) -> None:
    assert read(word) == [figure]


@pytest.mark.parametrize("word", ["many", "1.2.3", "12,3,4", "-1-", "1,2,3.4", "1e5", "abc 12", "12:30"])
def test_what_is_no_figure_is_not_read(word: str) -> None:
    found = read_figures(pl.Series([word]))
    assert found.values.to_list() == [None]
    assert (found.unreadable | found.ambiguous).to_list() == [True]


def test_the_map_decides_where_it_speaks() -> None:
    assert read("45.000", marks=COMMA) == [45000.0]
    assert read("45.000", marks=POINT) == [45.0]
    assert read("1.250,00", marks=POINT) == [None]


def test_a_column_that_contradicts_itself_is_read_cell_by_cell_and_asked_about() -> None:
    found = read_figures(pl.Series(["1.250,00", "1,250.00", "45.000"]))
    assert found.values.to_list() == [1250.0, 1250.0, None]
    assert found.ambiguous.to_list() == [False, False, True]


@given(st.lists(st.integers(0, 10**9), min_size=1), st.sampled_from([(",", "."), (".", ",")]))
def test_a_column_of_cents_is_read_whatever_its_marks(cents: list[int], marks: tuple[str, str]) -> None:
    decimal, thousands = marks
    words = [f"{n // 100:,}|{n % 100:02}".replace(",", thousands).replace("|", decimal) for n in cents]
    assert read(*words) == pytest.approx([n / 100 for n in cents])


@given(st.lists(st.from_regex(r"\A\d{1,3}([.,]\d{1,3}){0,2}\Z"), min_size=2, max_size=8), st.data())
def test_a_piece_of_a_column_is_read_as_the_whole(words: list[str], data: st.DataObject) -> None:
    whole = pl.Series(words)
    cut = data.draw(st.integers(1, len(words) - 1))
    told = told_marks(whole)
    pieces = [read_figures(piece, told=told).values for piece in (whole[:cut], whole[cut:])]
    assert pl.concat(pieces).to_list() == read(*words)
