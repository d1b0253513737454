"""Figures as people and programs write them: which mark is the decimal one, and what a cell then says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import polars as pl

# Signs and short words of money besides Unicode's own (\p{Sc}) and the codes of ISO 4217.
MONEY_WORDS = (
    r"US\$", r"R\$", r"HK\$", r"NT\$", r"A\$", r"C\$", r"S\$", r"MX\$", r"\p{Sc}", "元", "円", "圆", "块", "zł",
    r"kr\.?", "Kč", "Ft", r"Rs\.?", "RM", r"Rp\.?", r"руб\.?", "RMB", "đ", "lei",
)  # fmt: skip
DASHES = r"[\x{2010}-\x{2015}\x{2212}\x{FE63}\x{FF0D}]"
APOSTROPHES = r"['’`´]"


@dataclass(frozen=True, slots=True)
class Marks:
    """How a column groups its figures: `decimal` and `thousands` are one sign each, or None for none."""

    decimal: str | None
    thousands: str | None

    def text(self) -> str:
        """Return an example, `1.250,00 as 1250.00`, for a sentence on how a column was read."""
        return f"1{self.thousands or ''}250{self.decimal or '.'}00 as 1250.00"


POINT = Marks(".", ",")
COMMA = Marks(",", ".")


@dataclass(frozen=True, slots=True)
class Figures:
    """A column read: Float64, null where empty; which cells say nothing readable; which could mean two figures.

    `marks` is what the column was read with, None where no cell has a mark that needs one.
    """

    values: pl.Series
    unreadable: pl.Series
    ambiguous: pl.Series
    marks: Marks | None


@cache
def _money() -> str:
    from babel.numbers import list_currencies  # noqa: PLC0415 (half a second that only files with money signs pay)

    return "(?:" + "|".join([*MONEY_WORDS, *sorted(list_currencies())]) + ")"


@dataclass(frozen=True, slots=True)
class ToldMarks:
    """What a whole column tells of its marks; `marks` None where it tells nothing, or two things."""

    marks: Marks | None


def told_marks(cells: pl.Series) -> ToldMarks:
    """Return what a whole column of text tells, for who reads it in pieces."""
    return ToldMarks(_marks_of(_evidence(_plain(cells.drop_nulls().unique().alias("word"))["body"])))


def read_figures(
    words: pl.Series, marks: Marks | None = None, *, three_is_decimal: bool = False, told: ToldMarks | None = None
) -> Figures:
    """Read text cells as figures; `marks` None finds out from the whole column which mark is the decimal one.

    Money signs and codes, a minus in front or behind, brackets for minus, and spaces or apostrophes between groups of
    three are read. One mark before exactly three digits means thousands in one country and a decimal in another: the
    rest of the column decides, else the cell is ambiguous, unless `three_is_decimal`. `told` is what the whole column
    tells where `words` are a piece of it.
    """
    distinct = words.drop_nulls().unique().alias("word")
    plain = _plain(distinct)
    body, minus = plain["body"], plain["minus"]
    evidence = _evidence(body)
    if marks is None:
        marks = _marks_of(evidence) if told is None else told.marks
        known = marks is not None and marks.decimal is not None
        unsure = pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(body))
        if not known and not three_is_decimal:
            unsure = evidence["three"]
        figures = _own_marks(body, evidence) if marks is None or not known else _by(body, marks)
    else:
        unsure = pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(body))
        figures = _by(body, marks)
    figures = pl.select(pl.when(minus).then(-figures).otherwise(figures)).to_series()
    found = pl.DataFrame(
        {"word": distinct, "value": figures.set(unsure, None), "unsure": unsure, "bad": figures.is_null() & ~unsure}
    )
    joined = pl.DataFrame({"word": words}).join(found, on="word", how="left", maintain_order="left")
    return Figures(
        joined["value"],
        joined["bad"].fill_null(value=False),
        joined["unsure"].fill_null(value=False),
        marks if bool(evidence["marked"].any()) else None,
    )


def _plain(distinct: pl.Series) -> pl.DataFrame:
    """Return each word's digits and marks (`body`, null where it is no figure) and whether it is below zero."""
    words = distinct.str.normalize("NFKC").str.replace_all(DASHES, "-").str.strip_chars()
    simple = r"^-?\d[\d.,]*$"
    if not words.str.contains(simple).all():
        # Only files with signs pay for the long list of them.
        words = words.str.replace_all(APOSTROPHES, "'").str.replace(r"^\((.*)\)$", "-$1")
        sign = rf"\s*{_money()}\s*"
        words = words.str.replace(rf"^([-+]?){sign}", "$1").str.replace(rf"{sign}(-?)$", "$1").str.strip_chars()
        words = words.str.replace(r"^\(\s*(.*?)\s*\)$", "-$1").str.replace(r"^([-+])\s+", "$1")
        grouped = words.str.contains(r"^[-+]?\d{1,3}([ ']\d{3})+([.,]\d+)?-?$")
        words = pl.select(pl.when(grouped).then(words.str.replace_all("[ ']", "")).otherwise(words)).to_series()
    minus = words.str.starts_with("-") ^ words.str.ends_with("-")
    body = words.str.extract(r"^[-+]?([.,]?\d[\d.,]*)-?$")
    both = words.str.contains(r"^[-+].*-$")
    return pl.DataFrame({"body": body.set(both, None), "minus": minus})


def _evidence(body: pl.Series) -> pl.DataFrame:
    """Return for each body what it tells of the marks: `decimal` or `thousands` mark, or `three`, which tells none."""
    frame = pl.DataFrame({"b": body}).with_columns(
        points=pl.col("b").str.count_matches(".", literal=True),
        commas=pl.col("b").str.count_matches(",", literal=True),
        last=pl.col("b").str.extract(r"([.,])[^.,]*$"),
        after=pl.col("b").str.extract(r"[.,]([^.,]*)$").str.len_chars(),
        before=pl.col("b").str.extract(r"^([^.,]*)[.,]").str.len_chars(),
        zero=pl.col("b").str.contains(r"^0?[.,]"),
    )
    one = (pl.col("points") + pl.col("commas")) == 1
    two_kinds = (pl.col("points") > 0) & (pl.col("commas") > 0)
    many = ~two_kinds & ((pl.col("points") + pl.col("commas")) > 1)
    other = pl.when(pl.col("last") == ".").then(pl.lit(",")).otherwise(pl.lit("."))
    three = one & (pl.col("after") == 3) & (pl.col("before") <= 3) & ~pl.col("zero")
    return frame.select(
        marked=pl.col("last").is_not_null(),
        three=three.fill_null(value=False),
        mark=pl.col("last"),
        decimal=pl.when(two_kinds | (one & ~three)).then("last"),
        thousands=pl.when(many).then("last").when(two_kinds).then(other),
    )


def _marks_of(evidence: pl.DataFrame) -> Marks | None:
    """Return the marks that all cells together agree on; None where they do not, or none tells."""
    decimals, thousands = set(evidence["decimal"].drop_nulls()), set(evidence["thousands"].drop_nulls())
    if decimals & thousands or len(decimals) > 1 or len(thousands) > 1:
        return None
    decimal, group = next(iter(decimals), None), next(iter(thousands), None)
    if decimal is None and group is None:
        return None
    if decimal is None:
        decimal = "," if group == "." else "."
    return Marks(decimal, group or ("," if decimal == "." else "."))


def _own_marks(body: pl.Series, evidence: pl.DataFrame) -> pl.Series:
    """Read each body by what it alone tells; one before three digits as a decimal."""
    comma = (evidence["decimal"] == ",") | (evidence["thousands"] == ".")
    three = evidence["three"] & (evidence["mark"] == ",")
    by_comma = (comma | three).fill_null(value=False)
    return pl.select(pl.when(by_comma).then(_by(body, COMMA)).otherwise(_by(body, POINT))).to_series()


def _by(body: pl.Series, marks: Marks) -> pl.Series:
    """Return the bodies as figures by `marks`; null where their groups are not of three (or Indian ones of two)."""
    decimal = re.escape(marks.decimal) if marks.decimal else "(?:)"
    tail = rf"({decimal}\d*)?$" if marks.decimal else "$"
    shapes = [rf"^\d*{tail}"]
    if marks.thousands:
        group = re.escape(marks.thousands)
        shapes += [rf"^\d{{1,3}}({group}\d{{3}})+{tail}", rf"^\d{{1,2}}({group}\d{{2}})+{group}\d{{3}}{tail}"]
    whole = body.str.contains("|".join(f"(?:{shape})" for shape in shapes))
    digits = body.str.replace_all(marks.thousands, "", literal=True) if marks.thousands else body
    if marks.decimal and marks.decimal != ".":
        digits = digits.str.replace(marks.decimal, ".", literal=True)
    return digits.cast(pl.Float64, strict=False).set(~whole, None)
