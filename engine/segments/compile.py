"""Turn a segment's rule into Polars expressions: over one row per customer, and over the events it counts.

The frames they read are gathered by `engine.segments.facts`. Expressions over customers are never null.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import reduce
from hashlib import blake2b
from zoneinfo import ZoneInfo

import polars as pl

from engine.columns import UTC_INSTANT
from engine.history.dayparts import Dayparts
from engine.language import plain_tag
from engine.segments.fields import SEGMENT_FIELDS, ValueKind
from engine.segments.properties import BY_MENU, SEGMENT_EVENTS
from engine.segments.rule import All, AnyOf, Clause, EventClause, InSegment, Measure, Not, Rule, Sample, Value

HOURS_OF_DAY = range(24)


@dataclass(frozen=True, slots=True)
class Clock:
    """As of when, and whose wall clocks: `zones` are all zones customers live in; one means no look-up by customer."""

    as_of: datetime
    zones: tuple[str, ...]
    dayparts: Dayparts = Dayparts()

    def today(self, zone: str) -> date:
        """Return the calendar day at `as_of` in `zone`."""
        return self.as_of.astimezone(ZoneInfo(zone)).date()

    def hours_of(self, daypart: str) -> list[int]:
        """Return the local hours of `daypart`; late runs past midnight."""
        return [hour for hour in HOURS_OF_DAY if self.dayparts.at(hour) == daypart]


def expression(rule: Rule, clock: Clock) -> pl.Expr:
    """Return a Boolean expression over one row per customer, never null.

    A comparison with null is false (see `engine.segments.rule`), so `not` of it is true.
    """
    match rule:
        case All(rules):
            return reduce(lambda a, b: a & b, (expression(each, clock) for each in rules), pl.lit(True))
        case AnyOf(rules):
            return reduce(lambda a, b: a | b, (expression(each, clock) for each in rules), pl.lit(False))
        case Not(inner):
            return ~expression(inner, clock)
        case InSegment(_, inner):
            return expression(inner, clock)
        case Sample(salt, start, end):
            return pl.col(bucket_column(salt)).is_between(start, end, closed="left")
        case EventClause(measure, operator, value):
            return comparison(pl.col(measure_column(measure)), measure.kind, operator, value, clock)
        case Clause("language", "equals" | "in" | "not_in" as operator, value):
            spoken = _speaks_one_of(pl.col("language"), value if isinstance(value, tuple) else (value,))
            return (~spoken if operator == "not_in" else spoken).fill_null(False)
        case Clause(name, operator, value):
            field = SEGMENT_FIELDS[name]
            return comparison(pl.col(field.column), field.kind, operator, value, clock)


def measure_column(measure: Measure) -> str:
    """Return the column a measure lies in; equal measures share it."""
    return f"event:{blake2b(repr(measure).encode(), digest_size=8).hexdigest()}"


def bucket_column(salt: str) -> str:
    """Return the column of a customer's bucket, 0 to 9,999."""
    return f"bucket:{salt}"


def comparison(column: pl.Expr, kind: ValueKind, operator: str, value: Value, clock: Clock) -> pl.Expr:
    """Return whether `column` compares so; false where it is null."""
    found = _compared(column, kind, operator, value, clock)
    return found if operator == "known" else found.fill_null(False)


def _compared(column: pl.Expr, kind: ValueKind, operator: str, value: Value, clock: Clock) -> pl.Expr:
    match operator, value:
        case "known", known:
            return column.is_not_null() if known else column.is_null()
        case "in", tuple(values):
            return _is_one_of(column, kind, values)
        case "not_in", tuple(values):
            return ~_is_one_of(column, kind, values)
        case "contains", word:
            return column.list.contains(pl.lit(word))
        case "contains_any", tuple(words):
            return reduce(lambda a, b: a | b, (column.list.contains(pl.lit(word)) for word in words))
        case "between", (low, high):
            # Instants are half-open so that two neighbouring windows never share one; everything else includes both.
            upper = column < _literal(kind, high) if kind == "instant" else column <= _literal(kind, high)
            return (column >= _literal(kind, low)) & upper
        case "within_days" | "older_than_days" | "in_next_days", (int() | float()) as days:
            return _by_age(column, operator, days, clock)
        case "anniversary_within_days", (int() | float()) as days:
            return _anniversary(column, int(days), clock)
    literal = _literal(kind, value)
    return {
        "at_least": column >= literal,
        "above": column > literal,
        "at_most": column <= literal,
        "below": column < literal,
        "equals": column == literal,
    }[operator]


def event_filter(measure: Measure, clock: Clock, menu: pl.DataFrame) -> pl.Expr:
    """Return which rows of the event's frame (column `at`, its own columns, `timezone`) the measure counts.

    `menu` has item_id, category, cuisine, vendor_id. Without a `status` filter only delivered orders count.
    """
    kind = SEGMENT_EVENTS[measure.event]
    window = measure.window
    parts = [pl.col("at") <= _literal("instant", clock.as_of)]
    if window.before is not None:
        parts.append(pl.col("at") < _literal("instant", window.before))
    if window.older_than_days is not None:
        edge = clock.as_of - timedelta(days=window.older_than_days)
        parts.append(pl.col("at") <= _literal("instant", edge))
    if window.last_days is not None:
        edge = clock.as_of - timedelta(days=window.last_days)
        parts.append(pl.col("at") > _literal("instant", edge))
    if window.start is not None:
        parts.append(pl.col("at") >= _literal("instant", window.start))
    if "status" in kind.properties and not any(each.field == "status" for each in measure.where):
        parts.append(pl.col("status") == "delivered")
    parts += [_property(measure.event, clause, clock, menu) for clause in measure.where]
    return reduce(lambda a, b: a & b, parts)


def earliest_instant(measure: Measure, clock: Clock) -> datetime | None:
    """Return the instant before which no event counts; None where any may."""
    window = measure.window
    starts = [window.start] if window.start else []
    if window.last_days is not None:
        starts.append(clock.as_of - timedelta(days=window.last_days))
    return max(starts, default=None)


def event_value(measure: Measure) -> pl.Expr:
    """Return the summed property of the event's frame, nulls where unknown."""
    column = SEGMENT_EVENTS[measure.event].properties[measure.of or ""].column or ""
    return _known_number(pl.col(column), column)


def _property(event: str, clause: Clause, clock: Clock, menu: pl.DataFrame) -> pl.Expr:
    prop = SEGMENT_EVENTS[event].properties[clause.field]
    if clause.field in BY_MENU or (clause.field == "vendor" and prop.column is None):
        column = "vendor_id" if clause.field == "vendor" else clause.field
        chosen = menu.filter(comparison(pl.col(column), prop.kind, clause.operator, clause.value, clock))["item_id"]
        inside = pl.col("item_id").is_in(chosen.implode()).fill_null(False)
        if clause.operator != "known" or clause.value is True:
            return inside
        # A dish the menu does not know has no known category either.
        return inside | ~pl.col("item_id").is_in(menu["item_id"].implode()).fill_null(False)
    if clause.field == "daypart":
        return _at_hours(clause, clock)
    if clause.field in ("weekday", "hour"):
        part = _local(clock, lambda local: local.dt.weekday() if clause.field == "weekday" else local.dt.hour())
        return comparison(part.cast(pl.Int64), prop.kind, clause.operator, clause.value, clock)
    column = prop.column or ""
    return comparison(_known_number(pl.col(column), column), prop.kind, clause.operator, clause.value, clock)


def _known_number(column: pl.Expr, name: str) -> pl.Expr:
    if name == "discount_cents":
        return column.fill_null(0)
    # Ratings and portions are stored as 32-bit floats: 4.2 must equal 4.2.
    return column.cast(pl.Float64).round(3) if name in ("rating", "quantity") else column


def _at_hours(clause: Clause, clock: Clock) -> pl.Expr:
    if clause.operator == "known":
        return pl.lit(bool(clause.value))
    named = clause.value if isinstance(clause.value, tuple) else (clause.value,)
    hours = [hour for name in named for hour in clock.hours_of(str(name))]
    inside = _local(clock, lambda local: local.dt.hour()).is_in(hours)
    return ~inside if clause.operator == "not_in" else inside


def _local(clock: Clock, part: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    found = [part(pl.col("at").dt.convert_time_zone(zone)) for zone in clock.zones]
    return _by_zone(clock, found)


def _by_zone(clock: Clock, found: Sequence[pl.Expr]) -> pl.Expr:
    """Return that of `found` which belongs to the row's `timezone`; the first where it is unknown."""
    chosen = found[0]
    for zone, each in zip(clock.zones[1:], found[1:], strict=True):
        chosen = pl.when(pl.col("timezone") == zone).then(each).otherwise(chosen)
    return chosen


def _by_age(column: pl.Expr, operator: str, days: float, clock: Clock) -> pl.Expr:
    now = _literal("instant", clock.as_of)
    if operator == "in_next_days":
        return (column > now) & (column <= _literal("instant", clock.as_of + timedelta(days=days)))
    edge = _literal("instant", clock.as_of - timedelta(days=days))
    return column <= edge if operator == "older_than_days" else (column > edge) & (column <= now)


def _anniversary(column: pl.Expr, days: int, clock: Clock) -> pl.Expr:
    """Return whether month and day fall on one of the next `days` days, today included, on the customer's own calendar.

    A birthday on 29 February is kept on the 28th in years without one.
    """
    of_year = column.dt.month().cast(pl.Int32) * 100 + column.dt.day().cast(pl.Int32)
    return _by_zone(clock, [of_year.is_in(anniversaries(clock.today(zone), days)) for zone in clock.zones])


def anniversaries(today: date, days: int) -> list[int]:
    """Return month * 100 + day of every birthday kept on `today` or one of the `days` - 1 days after it."""
    found: set[int] = set()
    for ahead in range(days):
        day = today + timedelta(days=ahead)
        found.add(day.month * 100 + day.day)
        if (day.month, day.day) == (2, 28) and (day + timedelta(days=1)).day == 1:
            found.add(229)
    return sorted(found)


def _speaks_one_of(column: pl.Expr, tags: tuple[object, ...]) -> pl.Expr:
    """Return whether the tag in `column` is one of `tags` or begins with it: zh takes in zh-Hant-TW."""
    plain = [plain_tag(str(each)) for each in tags]
    return reduce(lambda a, b: a | b, ((column == each) | column.str.starts_with(f"{each}-") for each in plain))


def _is_one_of(column: pl.Expr, kind: ValueKind, values: tuple[object, ...]) -> pl.Expr:
    if kind in ("word", "daypart"):
        return column.is_in(list(values))
    # Parts of `in` are OR-ed by value, so that 2 and 2.0 are equal whatever the column's width.
    return reduce(lambda a, b: a | b, (column == _literal(kind, value) for value in values))


def _literal(kind: ValueKind, value: object) -> pl.Expr:
    return pl.lit(value).cast(UTC_INSTANT) if kind == "instant" else pl.lit(value)
