"""What one cell means: text, ids, numbers, money, instants; and why a row is refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from engine.columns import STATUSES, UTC_INSTANT, minor_digits
from engine.imports.instants import DateOrder, read_clocks
from engine.imports.numbers import POINT, Marks, ToldMarks, read_figures
from engine.imports.zones import zone_named

REASONS: Mapping[str, str] = {
    "malformed_row": "the row cannot be split into the file's columns",
    "missing_customer_id": "the row names no customer",
    "missing_ordered_at": "the row has neither an instant nor a basket number",
    "missing_order_id": "the row names no order",
    "missing_item_id": "the row names no item",
    "missing_id": "the row has no id",
    "bad_id": "an id is longer than 200 characters or holds control characters",
    "unreadable_instant": "an instant is not a date or time such as 2024-09-01 12:30:00",
    "unreadable_number": "a figure is not a number such as 12.50",
    "ambiguous_number": "one mark before three digits may group thousands or be the decimal mark; write `decimal` or "
    "`thousands` in the map",
    "ambiguous_date": "day and month cannot be told apart in this column; write `date_order: day` or `month` in the "
    "map",
    "rounded_id": "a spreadsheet rounded the id; export the column as text",
    "unreadable_value": "a value is not of its column's kind (true or false, a day, a time HH:MM, a weekday 1 to 7)",
    "instant_in_future": "the instant is more than a day in the future",
    "instant_too_old": "the instant lies before 1990, as an unset clock's does",
    "bad_timezone": "the time zone is no name of IANA (Asia/Shanghai), Windows or Rails",
    "bad_currency": "the currency is not a three-letter code",
    "non_positive_quantity": "the quantity is zero",
    "negative_amount": "an amount of money is negative",
    "amount_too_large": "a figure is too large to be meant",
    "unknown_status": f"the status is none of {', '.join(STATUSES)}; translate it under `values` in the map",
    "unknown_word": "a word is none its column knows (kind or audience of offers)",
    "bad_language": "the language is not a tag such as en, zh-CN or pt-BR",
    "rating_out_of_range": "the rating is outside 1 to 5",
    "position_out_of_range": "latitude is outside -90 to 90 or longitude outside -180 to 180",
    "percent_out_of_range": "the percentage is not above 0 and at most 100",
    "missing_terms": "the offer lacks the percent or the amount its kind needs",
    "ends_before_start": "valid_until is not after valid_from",
    "order_of_another_customer": "the order id belongs to another customer",
    "order_of_another_instant": "the order id belongs to an order placed at another instant",
    "line_without_order": "no order of this call or of the history has this order id",
}
CODES = list(REASONS)
LONGEST_ID = 200
LARGEST = 1e13  # cents, portions: beyond it somebody mistook an id for a figure
FIRST_INSTANT = datetime(1990, 1, 1, tzinfo=UTC)
ZERO_WIDTH = r"[\x{200B}-\x{200F}\x{2060}\x{FEFF}\x{00AD}]"
ODD_ID = r"""^['=]|[^\x00-\x7F]"""
BASKET_ZERO = datetime(2000, 1, 3, tzinfo=UTC)  # a Monday, so that basket days fall on whole weeks
FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y%m%d")


class Refusals:
    """The reason each row is refused, the first found, and the column it is about; null where it is not."""

    def __init__(self, height: int) -> None:
        self.codes = pl.Series([None], dtype=pl.UInt8).new_from_index(0, height)
        self.columns = pl.Series([None], dtype=pl.String).new_from_index(0, height)
        self.said: dict[str, str] = {}

    def add(self, mask: pl.Series, code: str, column: str | None = None) -> None:
        """Refuse the rows where `mask` is true with the stable `code`; `column` is ours, None for the whole row."""
        mask = mask.fill_null(value=False) & self.codes.is_null()
        if mask.any():
            number = pl.Series([CODES.index(code)], dtype=pl.UInt8)
            self.codes = number.new_from_index(0, len(mask)).zip_with(mask, self.codes)
            if column is not None:
                self.columns = pl.Series([column]).new_from_index(0, len(mask)).zip_with(mask, self.columns)

    def say(self, column: str, how: str) -> None:
        """Keep how a column was read, for the import's summary."""
        self.said.setdefault(column, how)

    @property
    def accepted(self) -> pl.Series:
        """True where the row has no refusal."""
        return self.codes.is_null()


def text(cells: pl.Series) -> pl.Series:
    """Return trimmed text; empty is null."""
    if cells.dtype != pl.String:
        return cells.cast(pl.String)
    trimmed = cells.str.strip_chars()
    return trimmed.set(trimmed == "", None)


def identifier(cells: pl.Series) -> pl.Series:
    """Return ids as text; a whole number loses the `.0` some tools add.

    Zero-width signs, full-width letters, a leading apostrophe and `="c1"`, as spreadsheets have it, are the plain id.
    """
    if cells.dtype.is_float():
        cells = cells.fill_nan(None)
        whole = (cells == cells.round(0)) & (cells.abs() < 2**53)
        return cells.cast(pl.Int64, strict=False).cast(pl.String).zip_with(whole.fill_null(value=False), text(cells))
    words = text(cells)
    if words.str.contains(ODD_ID).any():
        words = words.str.normalize("NFKC").str.replace_all(ZERO_WIDTH, "").str.replace(r'^="(.*)"$', "$1")
        words = text(words.str.strip_prefix("'"))
    return words.str.replace(r"^(-?\d+)\.0+$", "$1")


def rounded_identifier(ids: pl.Series) -> pl.Series:
    """True where a spreadsheet wrote a long number as 1.23457E+11: its digits are lost."""
    return ids.str.contains(r"^\d([.,]\d+)?[eE]\+\d+$")


def bad_identifier(ids: pl.Series) -> pl.Series:
    """True where an id is too long or holds control characters."""
    return (ids.str.len_chars() > LONGEST_ID) | ids.str.contains(r"\p{Cc}")


def number(
    cells: pl.Series,
    refusals: Refusals,
    column: str,
    marks: Marks | None = None,
    *,
    three_is_decimal: bool = False,
    told: ToldMarks | None = None,
) -> pl.Series:
    """Return Float64; empty and NaN cells of a numeric column are null, a cell that is no figure refuses its row.

    `marks` None finds the decimal mark out from the whole column, or has it `told` (`engine.imports.numbers`).
    """
    if cells.dtype == pl.String:
        words = text(cells)
        if marks is None and not words.str.contains(r"[^\d-]").any():
            figures = words.cast(pl.Float64, strict=False)
            refusals.add(words.is_not_null() & figures.is_null(), "unreadable_number", column)
        else:
            found = read_figures(words, marks, three_is_decimal=three_is_decimal, told=told)
            refusals.add(found.ambiguous, "ambiguous_number", column)
            refusals.add(found.unreadable, "unreadable_number", column)
            figures = found.values
            if marks is None and found.marks not in {None, POINT}:
                refusals.say(column, f"{column}: read like {found.marks.text()}; say `decimal` in the map if not")
    else:
        figures = cells.cast(pl.Float64, strict=False).fill_nan(None)
        refusals.add(figures.is_infinite() | (figures.is_null() & _given(cells)), "unreadable_number", column)
    refusals.add(figures.abs() > LARGEST, "amount_too_large", column)
    return figures


def _given(cells: pl.Series) -> pl.Series:
    return cells.is_not_null() & ~cells.is_nan() if cells.dtype.is_float() else cells.is_not_null()


def whole(figures: pl.Series) -> pl.Series:
    """Round half away from zero; noise of binary fractions (1.005 x 100) is taken off first."""
    exact = figures.set(~figures.is_finite() | (figures.abs() > LARGEST * 1000), None)
    return exact.round(6).round(0, mode="half_away_from_zero").cast(pl.Int64)


def minor_units_per_major(currencies: pl.Series) -> pl.Series:
    """Return how many minor units make one major unit of each currency."""
    names = currencies.unique().to_list() or ["USD"]
    return currencies.replace_strict(names, [10.0 ** minor_digits(name) for name in names], return_dtype=pl.Float64)


def instant(
    cells: pl.Series,
    zones: pl.Series,
    refusals: Refusals,
    column: str,
    now: datetime,
    *,
    pattern: str | None = None,
    order: DateOrder | None = None,
    told: DateOrder | None = None,
) -> pl.Series:
    """Return UTC instants; cells without an offset are local to `zones`, days alone are local midnight.

    A local time the clocks skipped moves forward by the gap; one that happened twice is the earlier. `order` None
    finds out from the whole column whether the day or the month comes first, or has it `told`
    (`engine.imports.instants`).
    """
    if cells.dtype == pl.Datetime and getattr(cells.dtype, "time_zone", None):
        return cells.dt.convert_time_zone("UTC").cast(UTC_INSTANT)
    if cells.dtype in {pl.Datetime, pl.Date}:
        return _from_local(cells.cast(pl.Datetime("us")), zones)
    words = text(cells)
    if pattern is not None:
        local = words.str.to_datetime(pattern, strict=False, time_unit="us")
        if getattr(local.dtype, "time_zone", None):
            found = local.dt.convert_time_zone("UTC").cast(UTC_INSTANT)
        else:
            found = _from_local(local, zones)
    else:
        found = _from_text(words, zones)
        left = found.is_null() & words.is_not_null()
        if left.any():
            found = found.zip_with(~left, _from_epoch(words.set(~left, None)))
            left = found.is_null() & words.is_not_null()
        if left.any():
            clocks = read_clocks(words.set(~left, None), now, order or told)
            refusals.add(clocks.ambiguous, "ambiguous_date", column)
            absolute = (clocks.local - clocks.shift).dt.replace_time_zone("UTC")
            other = absolute.zip_with(clocks.shift.is_not_null(), _from_local(clocks.local, zones))
            found = found.zip_with(~left, other)
            if order is None and clocks.order is not None:
                refusals.say(column, f"{column}: read with the {clocks.order} first, as the column shows")
    refusals.add(words.is_not_null() & found.is_null(), "unreadable_instant", column)
    return found


def _from_text(words: pl.Series, zones: pl.Series) -> pl.Series:
    plain = words.str.replace(r"^(\d{4})/(\d{1,2})/(\d{1,2})", "$1-$2-$3").str.replace(r"^(\S{8,10})[Tt]", "$1 ")
    offset = plain.str.extract(r"\d{2}:\d{2}\S*?\s?([Zz]|[+-]\d{2}:?\d{2})$")
    offset = offset.set(~plain.str.contains(" ", literal=True).fill_null(value=False), None)
    bare = plain.str.replace(r"\s?([Zz]|[+-]\d{2}:?\d{2})$", "").zip_with(offset.is_not_null(), plain)
    naive = pl.Series([None], dtype=pl.Datetime("us")).new_from_index(0, len(words))
    for form in FORMATS:
        left = naive.is_null() & bare.is_not_null()
        if left.any():
            # A whole-day form must not read the first digits of a longer figure.
            tried = bare.set(~left, None) if form != "%Y%m%d" else bare.set(~left | (bare.str.len_bytes() != 8), None)
            naive = naive.zip_with(~left, tried.str.to_datetime(form, strict=False, time_unit="us", cache=False))
    if not offset.is_not_null().any():
        return _from_local(naive, zones)
    sign = pl.Series([-1, 1]).gather(offset.str.starts_with("+").cast(pl.UInt32).fill_null(0))
    digits = offset.str.replace_all(r"[^\d]", "").str.pad_start(4, "0")
    minutes = digits.str.head(2).cast(pl.Int64, strict=False) * 60 + digits.str.tail(2).cast(pl.Int64, strict=False)
    shift = (minutes * sign * 60_000_000).cast(pl.Duration("us"))
    absolute = (naive - shift).dt.replace_time_zone("UTC")
    return absolute.zip_with(offset.is_not_null(), _from_local(naive, zones))


def _from_epoch(words: pl.Series) -> pl.Series:
    """Read seconds, milliseconds or microseconds since 1970, distinguished by their 10, 13 or 16 digits."""
    found = pl.Series([None], dtype=UTC_INSTANT).new_from_index(0, len(words))
    for digits, each in ((10, 1_000_000), (13, 1_000), (16, 1)):
        count = words.str.extract(rf"^(\d{{{digits}}})$").cast(pl.Int64)
        found = found.zip_with(count.is_null(), (count * each).cast(UTC_INSTANT))
    return found


def _from_local(naive: pl.Series, zones: pl.Series) -> pl.Series:
    found = pl.Series([None], dtype=UTC_INSTANT).new_from_index(0, len(naive))
    for zone in zones.unique().drop_nulls().to_list():
        here = naive if zones.n_unique() == 1 else naive.set(zones != zone, None)
        utc = here.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
        gaps = here.is_not_null() & utc.is_null()
        if gaps.any():
            # The offset before the gap moves the clock reading forward by the gap's length.
            moved = [local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for local in here.filter(gaps)]
            utc = utc.scatter(gaps.arg_true(), pl.Series(moved, dtype=UTC_INSTANT))
        found = utc.zip_with(utc.is_not_null(), found)
    return found


def refuse_odd_instants(instants: pl.Series, now: datetime, refusals: Refusals, column: str) -> None:
    """Refuse instants before 1990 and more than a day after `now`."""
    refusals.add(instants > now + timedelta(days=1), "instant_in_future", column)
    refusals.add(instants < FIRST_INSTANT, "instant_too_old", column)


def position(latitude: pl.Series, longitude: pl.Series) -> pl.Series:
    """True where a position cannot be on Earth."""
    return (latitude.abs() > 90).fill_null(value=False) | (longitude.abs() > 180).fill_null(value=False)


def truth(cells: pl.Series, refusals: Refusals, column: str) -> pl.Series:
    """Return Boolean; yes/no, true/false, 1/0 and y/n are read."""
    if cells.dtype == pl.Boolean:
        return cells
    words = identifier(cells).str.to_lowercase()
    yes, no = words.is_in(["true", "yes", "y", "1", "t", "是"]), words.is_in(["false", "no", "n", "0", "f", "否"])
    refusals.add(words.is_not_null() & ~yes & ~no, "unreadable_value", column)
    return yes.set(~yes & ~no, None)


def day(cells: pl.Series, refusals: Refusals, column: str, now: datetime, order: DateOrder | None = None) -> pl.Series:
    """Return Date from days or instants, written as `instant` reads them."""
    if cells.dtype.is_temporal():
        return cells.cast(pl.Date)
    words = text(cells)
    days = words.str.replace_all("/", "-", literal=True).str.head(10).str.to_date("%Y-%m-%d", strict=False)
    left = days.is_null() & words.is_not_null()
    if left.any():
        clocks = read_clocks(words.set(~left, None), now, order)
        refusals.add(clocks.ambiguous, "ambiguous_date", column)
        days = days.zip_with(~left, clocks.local.cast(pl.Date))
    refusals.add(words.is_not_null() & days.is_null(), "unreadable_value", column)
    return days


def time_zone(cells: pl.Series, refusals: Refusals, column: str) -> pl.Series:
    """Return IANA names; those of Windows and Rails are translated, others refuse their row."""
    words = text(cells)
    names = {word: zone_named(word) for word in words.unique().drop_nulls().to_list()}
    unknown = words.is_in([word for word, zone in names.items() if zone is None])
    refusals.add(unknown, "bad_timezone", column)
    return words.replace({word: zone for word, zone in names.items() if zone}).set(unknown.fill_null(value=False), None)
