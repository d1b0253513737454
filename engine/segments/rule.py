"""What a segment is: one small typed tree over attributes, figures, events, other segments and sample buckets.

    all | any | not         nested freely                   zone: {in: [north, centre]}      language: zh
    count | sum | first | last | absent                     of an event type, filtered, within a window
    segment: platinum       membership in another           sample: {salt: spring, share: 0.1}

Logic is two-valued: a comparison with an unknown value does not match, and `not` turns that around, so
`not: {language: zh}` includes those whose language is unknown. Add `language: {known: true}` beside it to leave them
out. `engine.segments.parse` reads the tree, `compile` turns it into expressions, `facts` gathers what it needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import polars as pl

from engine.customers.columns import TABLE_COLUMNS, DType, KnownFrom, TableColumn

ValueKind = Literal["number", "money", "word", "words", "boolean", "instant", "date", "weekday", "daypart"]
FieldOrigin = KnownFrom | Literal["consent"]
Scalar = int | float | str | bool | datetime | date
Value = Scalar | tuple[Scalar, ...]

ORDERED_OPERATORS = ("at_least", "above", "at_most", "below", "equals")
OPERATORS: Mapping[ValueKind, tuple[str, ...]] = {
    "number": (*ORDERED_OPERATORS, "in", "between"),
    "money": (*ORDERED_OPERATORS, "in", "between"),
    "instant": (*ORDERED_OPERATORS, "between", "within_days", "older_than_days", "in_next_days"),
    "date": (*ORDERED_OPERATORS, "between", "anniversary_within_days"),
    "word": ("equals", "in", "not_in"),
    "words": ("contains", "contains_any"),
    "boolean": ("equals",),
    "weekday": ("equals", "in", "not_in"),
    "daypart": ("equals", "in", "not_in"),
}
DAY_OPERATORS = ("within_days", "older_than_days", "in_next_days")
LIST_OPERATORS = ("in", "not_in", "contains_any")


@dataclass(frozen=True, slots=True)
class SegmentField:
    """One figure or attribute a clause may name.

    `column` holds it, `origin` is what it is known from; a `narrow` number is widened before it is compared.
    """

    column: str
    kind: ValueKind
    about: str
    origin: FieldOrigin
    narrow: bool = False


def _kind(column: str, dtype: DType) -> ValueKind | None:
    if dtype == pl.List(pl.String):
        return "words"
    if isinstance(dtype, pl.List):
        return None
    if column.endswith("_cents"):
        return "money"
    if dtype == pl.String:
        return "word"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype == pl.Date:
        return "date"
    return "instant" if isinstance(dtype, pl.Datetime) else "number"


def _own(column: str, kind: ValueKind, about: str) -> SegmentField:
    return SegmentField(column, kind, about, "registration")


OWN_FIELDS = {
    "gender": _own("gender", "word", "As given at registration."),
    "home_zone": _own("home_zone", "word", "Zone given at registration."),
    "push_reachable": _own("push_reachable", "boolean", "A push token is known; never unknown."),
    "sms_reachable": _own("sms_reachable", "boolean", "A phone number is known; never unknown."),
    "email_reachable": _own("email_reachable", "boolean", "An e-mail address is known; never unknown."),
    "consent": SegmentField(
        "consent", "boolean", "Latest answer on marketing by any channel, else the import's; unknown if none.",
        "consent",
    ),
}  # fmt: skip


class _SegmentFields(Mapping[str, SegmentField]):
    """Every field by name: those of the customer table's columns, and those only segments have.

    Made anew when a column has been declared since.
    """

    def __init__(self) -> None:
        self._found: dict[str, SegmentField] = {}
        self._columns = -1

    def _all(self) -> dict[str, SegmentField]:
        if self._columns != len(TABLE_COLUMNS):
            self._columns = len(TABLE_COLUMNS)
            self._found = {name: field for each in TABLE_COLUMNS for name, field in _field_of(each)} | OWN_FIELDS
        return self._found

    def __getitem__(self, name: str) -> SegmentField:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def _field_of(column: TableColumn) -> Iterator[tuple[str, SegmentField]]:
    """Yield the field of a column with its name; none for ids and lists of shares."""
    kind = _kind(column.name, column.dtype)
    if kind is None or column.name == "customer_id":
        return
    unit = ", ".join(column.values) or ("major units" if kind == "money" else column.unit)
    about = f"{column.about} [{unit}]"
    # A score of eight bits cannot be compared with 200.
    narrow = column.dtype == pl.Int8
    yield column.name.removesuffix("_cents"), SegmentField(column.name, kind, about, column.known_from, narrow)


SEGMENT_FIELDS: Mapping[str, SegmentField] = _SegmentFields()


@dataclass(frozen=True, slots=True)
class All:
    """Every rule matches; an empty tuple matches everyone."""

    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one rule matches; an empty tuple matches nobody."""

    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The rule does not match."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class Clause:
    """A comparison of one figure, or of one property of an event; `value` is in the column's units (money minor)."""

    field: str
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class Window:
    """Which instants count, all bounds combined; None leaves an end open. Nothing after `as_of` ever counts.

    `last_days` n is (as_of - n days, as_of]; `older_than_days` n (`before_days` in YAML) is up to and including
    as_of - n days; `start` includes its instant and `before` excludes it.
    """

    last_days: float | None = None
    older_than_days: float | None = None
    start: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """What is worked out per customer from events: `what` is count, sum (of property `of`), first or last.

    Without an event count is 0, sum 0, first and last unknown; sum is unknown where no event has a known value.
    """

    what: Literal["count", "sum", "first", "last"]
    event: str
    where: tuple[Clause, ...] = ()
    window: Window = Window()
    of: str | None = None

    @property
    def kind(self) -> ValueKind:
        """The kind its value is compared as."""
        if self.what in ("first", "last"):
            return "instant"
        return "money" if self.what == "sum" and self.of in ("amount", "discount") else "number"


@dataclass(frozen=True, slots=True)
class EventClause:
    """A comparison of a measure; `absent` is a count that equals 0."""

    measure: Measure
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class InSegment:
    """Membership in the segment `name`, whose rule is `rule`."""

    name: str
    rule: Rule


@dataclass(frozen=True, slots=True)
class Sample:
    """Buckets [start, end) of 10,000 by hash(salt, customer): the same customers every time."""

    salt: str
    start: int
    end: int


Rule = All | AnyOf | Not | Clause | EventClause | InSegment | Sample


def inner_rules(rule: Rule) -> tuple[Rule, ...]:
    """Return the rules right below `rule`; none below a clause."""
    match rule:
        case All(rules) | AnyOf(rules):
            return rules
        case Not(inner) | InSegment(_, inner):
            return (inner,)
        case _:
            return ()


def walk(rule: Rule) -> Iterator[Rule]:
    """Yield `rule` and everything below it, parents first."""
    yield rule
    for each in inner_rules(rule):
        yield from walk(each)
