"""What a column's cells look like: instants, amounts, ids that repeat, and in whose currency and order of dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from engine.imports.fields import text

LOOKED_AT = 20_000  # rows a guess is made from
INSTANT = (
    r"^\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}|^\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(\D|$)|^(19|20)\d{6}$|^1\d{9}(\d{3})?$"
    r"|^\d{1,2}[ -](?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
)
AMOUNT = r"^[^\w]*[-(]?\s*(?:[$€£¥￥₫₹]|[A-Z]{3})?\s*-?\d[\d.,' \u00a0]*\s*(?:[$€£¥￥₫₹元]|[A-Z]{3})?\)?-?$"
SIGNS: Mapping[str, str] = {"€": "EUR", "£": "GBP", "₫": "VND", "₹": "INR", "元": "CNY", "￥": "CNY"}
HAN = r"[\u4e00-\u9fff]"


@dataclass(frozen=True, slots=True)
class ColumnLook:
    """Shares (0 to 1) of a column's filled cells that look like something, and how much they repeat.

    `distinct` is the share of different values; `filled` the share of rows with a cell.
    """

    instant: float
    amount: float
    whole: float
    email: float
    phone: float
    words: float
    numbered: float
    distinct: float
    filled: float


def look_of(cells: pl.Series) -> ColumnLook:
    """Say what a column looks like; all zero where it is empty."""
    given = text(cells).drop_nulls()
    if not given.len():
        return ColumnLook(0, 0, 0, 0, 0, 0, 0, 0, 0)

    def share(pattern: str) -> float:
        return float(given.str.contains(pattern).mean() or 0)  # type: ignore[arg-type]

    temporal, numeric = cells.dtype.is_temporal(), cells.dtype.is_numeric()
    return ColumnLook(
        instant=1.0 if temporal else share(INSTANT),
        amount=1.0 if numeric else share(AMOUNT),
        whole=share(r"^\d{1,3}(\.0+)?$"),
        email=share(r"^[^@\s]+@[^@\s]+\.\w+$"),
        phone=share(r"^'?\+?\d[\d\s()*-]{7,18}$"),
        words=share(r"\p{L}{2,}"),
        numbered=share(r"^#\w*\d+$"),
        distinct=given.n_unique() / given.len(),
        filled=given.len() / cells.len(),
    )


def has_offset(cells: pl.Series) -> bool:
    """Say whether instants carry their offset, so that no zone need be known."""
    if cells.dtype.is_temporal():
        return getattr(cells.dtype, "time_zone", None) is not None
    given = text(cells).drop_nulls()
    if not given.len():
        return False
    told = given.str.contains(r"\d{2}:\d{2}\S*\s?([Zz]|[+-]\d{2}:?\d{2}|UTC|GMT)$|^1\d{9}(\d{3})?$")
    return bool(told.all())


def date_order_of(cells: pl.Series) -> str | None:
    """Return which of day and month comes first in dates such as 03/04/2026: `day`, `month`, or `?` where both may.

    None where dates are written another way.
    """
    if cells.dtype != pl.String:
        return None
    parts = cells.str.strip_chars().str.extract_groups(r"^(\d{1,2})[-/.](\d{1,2})[-/.]\d{2,4}")
    first = parts.struct.field("1").cast(pl.Int64, strict=False).drop_nulls()
    second = parts.struct.field("2").cast(pl.Int64, strict=False).drop_nulls()
    if first.len() * 2 < cells.drop_nulls().len():
        return None
    if (first > 12).any():
        return "?" if (second > 12).any() else "day"
    if (second > 12).any():
        return "month"
    return "day" if cells.str.contains(r"^\d{1,2}\.\d{1,2}\.").all() else "?"


def instant_form(cells: pl.Series, order: str) -> str | None:
    """Return the strftime pattern that reads every date of a column; None where no usual one does."""
    given = text(cells).drop_nulls()
    sign = given.str.extract(r"^\d{1,2}([-/.])").drop_nulls()
    if not sign.len():
        return None
    day, month = ("%d", "%m") if order == "day" else ("%m", "%d")
    year = "%Y" if given.str.contains(r"^\d{1,2}[-/.]\d{1,2}[-/.]\d{4}").all() else "%y"
    for clock in ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p"):
        pattern = f"{day}{sign[0]}{month}{sign[0]}{year}{clock}"
        if given.str.to_datetime(pattern, strict=False).null_count() == 0:
            return pattern
    return None


def decimal_mark_of(columns: Sequence[pl.Series]) -> str | None:
    """Return the mark before the cents in columns of amounts: `.`, `,`, or `?` where three digits follow every mark.

    None where no amount has a mark.
    """
    texts = [text(cells).drop_nulls() for cells in columns if cells.dtype == pl.String]
    if not texts:
        return None
    given = pl.concat([cells.alias("") for cells in texts]).str.replace_all(r"[^\d.,]", "")
    comma = bool(given.str.contains(r",\d{1,2}$|\.\d{3},").any())
    point = bool(given.str.contains(r"\.\d{1,2}$|,\d{3}\.").any())
    if comma != point:
        return "," if comma else "."
    return "?" if comma or given.str.contains(r"[.,]\d{3}").any() else None


def currency_of(columns: Sequence[pl.Series], words: str) -> str | None:
    """Return the currency that signs at amounts show; None where none does or a sign is of several currencies.

    `words` are the file's header and titles: a ¥ beside Chinese is a yuan.
    """
    texts = [text(cells).drop_nulls().alias("") for cells in columns if cells.dtype == pl.String]
    sample = "".join(pl.concat(texts).head(1000)) if texts else ""
    chinese = bool(pl.Series([words]).str.contains(HAN)[0])
    for sign, code in SIGNS.items():
        if sign in sample or f"({sign})" in words or f"（{sign}）" in words:
            return code
    return "CNY" if chinese and "¥" in sample else None
