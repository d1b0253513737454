"""Instants as people and programs write them, and whether day or month comes first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import polars as pl

DateOrder = Literal["day", "month"]
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# The last day of Excel's count that is no plain year such as 20260: 1990-01-01 to 2079-06-06.
EXCEL_FIRST, EXCEL_LAST = 32_874, 65_536
EXCEL_ZERO_DAYS = 25_569  # days from Excel's zero, 1899-12-30, to 1970-01-01
DAY_US = 86_400_000_000

WEEKDAY = r"(?i)^(mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+"
CLOCK = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([AaPp])?\.?[Mm]?\.?"
OFFSET = r"(?P<zone>[Zz]|UTC|GMT|(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2})?)"
TAIL = rf"(?:(?:\s*,?\s*|[Tt])(?:at\s+)?(?P<clock>{CLOCK}))?\s*{OFFSET}?$"
YEAR_FIRST = r"^(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})"
NUMBERS = r"^(?P<a>\d{1,2})(?P<s>[-/. ])(?P<b>\d{1,2})[-/. ](?P<y>\d{4}|\d{2})"
DAY_WORD = r"^(?P<d>\d{1,2})(?:st|nd|rd|th)?[-/. ]*(?P<w>[A-Za-z]{3})[a-z]*\.?,?[-/. ]*(?P<y>\d{4}|\d{2})"
WORD_DAY = r"^(?P<w>[A-Za-z]{3})[a-z]*\.?\s+(?P<d>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<y>\d{4})"


@dataclass(frozen=True, slots=True)
class WallClocks:
    """Cells read as wall clocks: `local` (Datetime, no zone), `shift` (Duration east of Greenwich where the cell says
    so, else null), `ambiguous` where day and month cannot be told apart; `order` is what the column told of them."""

    local: pl.Series
    shift: pl.Series
    ambiguous: pl.Series
    order: DateOrder | None


def read_clocks(words: pl.Series, now: datetime, order: DateOrder | None = None) -> WallClocks:
    """Read trimmed text cells; `order` None finds out from the whole column whether the day or the month comes first.

    Read are years first, numbers by any of - / . and blank, English names of months, AM and PM, Chinese 年月日 and
    上午/下午, Excel's day numbers, and offsets such as Z, UTC, +08, GMT+8. A date with points has its day first. Years
    of two digits are of this century up to next year. Null where a cell is none of this.
    """
    distinct = words.drop_nulls().unique().alias("word")
    text = _plain(distinct)
    frame = pl.DataFrame({"word": distinct, "t": text})
    year, numbers = pl.col("t").str.extract_groups(YEAR_FIRST + TAIL), pl.col("t").str.extract_groups(NUMBERS + TAIL)
    day, word = pl.col("t").str.extract_groups(DAY_WORD + TAIL), pl.col("t").str.extract_groups(WORD_DAY + TAIL)
    frame = frame.with_columns(year=year, numbers=numbers, day=day, name=word)
    a, b = _int("numbers", "a"), _int("numbers", "b")
    points = pl.col("numbers").struct.field("s") == "."
    told = _told(frame.select(a=a, b=b, points=points), order)
    first = pl.lit(told) if told is not None else pl.when(points).then(pl.lit("day"))
    same = a == b
    day_first = (first == "day").fill_null(value=False) | same
    month_first = (first == "month").fill_null(value=False) & ~same
    unsure = a.is_not_null() & ~day_first & ~month_first
    known_month = pl.when(day_first & a.is_not_null()).then(b).when(month_first & a.is_not_null()).then(a)
    known_day = pl.when(day_first & a.is_not_null()).then(a).when(month_first & a.is_not_null()).then(b)
    months = _month("day", "w"), _month("name", "w")
    parts = frame.select(
        "word",
        unsure=unsure.fill_null(value=False),
        y=pl.coalesce(_int("year", "y"), _year("numbers", now), _year("day", now), _int("name", "y")),
        m=pl.coalesce(_int("year", "m"), known_month, *months),
        d=pl.coalesce(_int("year", "d"), known_day, _int("day", "d"), _int("name", "d")),
        **{
            name: pl.coalesce(*(pl.col(kind).struct.field(name) for kind in ("year", "numbers", "day", "name")))
            for name in ("clock", "zone")
        },
    )
    found = parts.select("word", "unsure", local=_local(), shift=_shift())
    excel = distinct.str.extract(r"^(\d{5}(?:\.\d+)?)$").cast(pl.Float64, strict=False)
    excel = excel.set(~excel.is_between(EXCEL_FIRST, EXCEL_LAST), None)
    counted = (((excel - EXCEL_ZERO_DAYS) * DAY_US / 1e6).round(0) * 1e6).cast(pl.Int64).cast(pl.Datetime("us"))
    found = found.with_columns(local=pl.coalesce("local", pl.lit(counted)))
    joined = pl.DataFrame({"word": words}).join(found, on="word", how="left", maintain_order="left")
    unsure_cells = joined["unsure"].fill_null(value=False)
    return WallClocks(joined["local"].set(unsure_cells, None), joined["shift"], unsure_cells, told)


def _plain(words: pl.Series) -> pl.Series:
    """Return the words in one spelling: ASCII digits, no weekday, 年月日 as dashes, 上午/下午 as AM/PM."""
    plain = words.str.normalize("NFKC").str.replace(WEEKDAY, "")
    chinese = r"^(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*日?"
    plain = plain.str.replace(chinese, "$1-$2-$3 ").str.replace(r"(\d{1,2})\s*[时点]\s*(\d{1,2})\s*分?", "$1:$2 ")
    plain = plain.str.replace(r"(:\d{1,2})\s+(\d{1,2})\s*秒", "$1:$2")
    plain = plain.str.replace(r"(?:上午|凌晨|早上)\s*(\d{1,2}:\d{2}(?::\d{2})?)", "$1 AM")
    plain = plain.str.replace(r"(?:下午|晚上)\s*(\d{1,2}:\d{2}(?::\d{2})?)", "$1 PM")
    return plain.str.replace_all(r"\s+", " ").str.strip_chars()


def told_order(words: pl.Series, now: datetime) -> DateOrder | None:
    """Return what a whole column of text tells of day and month, for who reads it in pieces."""
    return read_clocks(words, now).order


def _told(frame: pl.DataFrame, order: DateOrder | None) -> DateOrder | None:
    if order is not None:
        return order
    day = bool((frame["a"] > 12).any())
    month = bool((frame["b"] > 12).any())
    return None if day == month else "day" if day else "month"


def _int(kind: str, field: str) -> pl.Expr:
    return pl.col(kind).struct.field(field).cast(pl.Int32, strict=False)


def _year(kind: str, now: datetime) -> pl.Expr:
    text = pl.col(kind).struct.field("y")
    year = text.cast(pl.Int32, strict=False)
    century = now.year // 100 * 100
    short = pl.when(year <= now.year % 100 + 1).then(year + century).otherwise(year + century - 100)
    return pl.when(text.str.len_chars() == 2).then(short).otherwise(year)


def _month(kind: str, field: str) -> pl.Expr:
    name = pl.col(kind).struct.field(field).str.to_lowercase()
    return name.replace_strict(list(MONTHS), list(range(1, 13)), default=None, return_dtype=pl.Int32)


def _local() -> pl.Expr:
    clock = pl.col("clock").str.extract_groups(CLOCK)

    def part(number: str) -> pl.Expr:
        return clock.struct.field(number).cast(pl.Int32, strict=False)

    half = clock.struct.field("5").str.to_lowercase()
    twelve = pl.when(half == "p").then(part("1") % 12 + 12).when(half == "a").then(part("1") % 12).otherwise(part("1"))
    wrong = half.is_not_null() & ((part("1") > 12) | (part("1") == 0))
    digits = clock.struct.field("4").str.pad_end(9, "0").str.head(6).cast(pl.Int32, strict=False).fill_null(0)
    hour, minute, second = twelve.fill_null(0), part("2").fill_null(0), part("3").fill_null(0)
    sound = (hour < 24) & (minute < 60) & (second < 60) & ~wrong.fill_null(value=False)
    sound &= pl.col("m").is_between(1, 12) & pl.col("d").is_between(1, 31)
    text = pl.format("{}-{}-{}", *(pl.col(n).cast(pl.String).str.zfill(w) for n, w in (("y", 4), ("m", 2), ("d", 2))))
    midnight = text.str.to_datetime("%Y-%m-%d", strict=False, time_unit="us")
    since = (hour.cast(pl.Int64) * 3600 + minute * 60 + second) * 1_000_000 + digits
    return pl.when(sound).then(midnight + since.cast(pl.Duration("us")))


def _shift() -> pl.Expr:
    zone = pl.col("zone")
    sign = pl.when(zone.str.contains("-", literal=True)).then(-1).otherwise(1)
    hours = zone.str.extract(r"[+-](\d{1,2})").cast(pl.Int64, strict=False).fill_null(0)
    minutes = zone.str.extract(r"[+-]\d{1,2}:?(\d{2})$").cast(pl.Int64, strict=False).fill_null(0)
    return pl.when(zone.is_not_null()).then((sign * (hours * 60 + minutes) * 60_000_000).cast(pl.Duration("us")))
