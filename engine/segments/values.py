"""The values of a rule as written in YAML or JSON, read into the units they are compared in."""

from __future__ import annotations

from datetime import UTC, date, datetime

from engine.customers.columns import DAYPART_NAMES
from engine.errors import BadDefinition, did_you_mean
from engine.money import minor_units
from engine.segments.fields import DAY_OPERATORS, LIST_OPERATORS, ValueKind
from engine.segments.rule import Scalar, Value

WEEKDAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MOST_WINDOW_DAYS = 36_500


def read_value(kind: ValueKind, operator: str, value: object, *, currency: str, where: str) -> Value:
    """Return what `operator` compares a field of `kind` with; money in minor units. Raises BadDefinition at `where`."""
    if operator == "known":
        if not isinstance(value, bool):
            raise BadDefinition("expected true or false", where=where)
        return value
    if operator in DAY_OPERATORS or operator == "anniversary_within_days":
        return read_days(value, where, whole=operator not in DAY_OPERATORS)
    if operator in LIST_OPERATORS:
        if not isinstance(value, list) or not value or len(value) > 10_000:
            raise BadDefinition("expected a list of 1 to 10,000 values", where=where)
        return tuple(_scalar(kind, each, currency, f"{where}[{i}]") for i, each in enumerate(value))
    if operator == "between":
        if not isinstance(value, list) or len(value) != 2:
            raise BadDefinition("expected two values, the lower first", where=where)
        low, high = (_scalar(kind, each, currency, f"{where}[{i}]") for i, each in enumerate(value))
        if low > high:  # type: ignore[operator]
            raise BadDefinition("the first value is above the second", where=where)
        return (low, high)
    return _scalar(kind, value, currency, where)


def _scalar(kind: ValueKind, value: object, currency: str, where: str) -> Scalar:
    if kind == "money":
        cents = minor_units(value, currency)
        if cents is None:
            raise BadDefinition(f"expected an amount in {currency} such as 50", where=where)
        return cents
    if kind == "number":
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
            raise BadDefinition("expected a number such as 30", where=where)
        return value
    if kind == "boolean":
        if not isinstance(value, bool):
            raise BadDefinition("expected true or false", where=where)
        return value
    if kind in ("word", "words", "daypart"):
        if not isinstance(value, str) or not value:
            raise BadDefinition('expected text; put quotes around it if it looks like a number ("12")', where=where)
        if kind == "daypart" and value not in DAYPART_NAMES:
            raise BadDefinition(f"unknown daypart{did_you_mean(value, DAYPART_NAMES)}", where=where)
        return value
    if kind == "weekday":
        return _read_weekday(value, where)
    return _read_date(value, where) if kind == "date" else read_instant(value, where)


def read_days(value: object, where: str, *, whole: bool = False) -> float:
    """Return a number of days above 0. Raises BadDefinition at `where`."""
    most = 366 if whole else MOST_WINDOW_DAYS
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise BadDefinition(f"expected days above 0, at most {most}, such as 30", where=where)
    if whole and value != int(value):
        raise BadDefinition("expected whole days such as 7", where=where)
    return value


def _read_weekday(value: object, where: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 7:
        return value
    if isinstance(value, str) and value.lower() in WEEKDAY_NAMES:
        return WEEKDAY_NAMES.index(value.lower()) + 1
    raise BadDefinition(f"unknown weekday{did_you_mean(str(value).lower(), WEEKDAY_NAMES)}", where=where)


def _read_date(value: object, where: str) -> date:
    try:
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        if isinstance(value, str):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise BadDefinition("expected a date such as 1990-03-01", where=where)


def read_instant(value: object, where: str) -> datetime:
    """Return an instant in UTC; a date alone is its midnight. Raises BadDefinition at `where`."""
    # YAML reads 2026-03-01 as a date and 2026-03-01T10:00:00Z as an instant; JSON has only text.
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day, tzinfo=UTC)
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise BadDefinition("expected an instant such as 2026-03-01 or 2026-03-01T10:00:00Z", where=where)


def example_of(kind: ValueKind) -> str:
    """Return a comparison that fits `kind`, for messages."""
    return {"instant": "within_days: 30", "date": "anniversary_within_days: 7", "words": "contains: Sichuan"}.get(
        kind, "at_least: 2"
    )
