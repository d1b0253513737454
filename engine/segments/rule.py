"""What a segment is: one small typed tree over attributes, figures, events, other segments and sample buckets.

    all | any | not         nested freely                   zone: {in: [north, centre]}      language: zh
    count | sum | first | last | absent                     of an event type, filtered, within a window
    segment: platinum       membership in another           sample: {salt: spring, share: 0.1}

Logic is two-valued: a comparison with an unknown value does not match, and `not` turns that around, so
`not: {language: zh}` includes those whose language is unknown. Add `language: {known: true}` beside it to leave them
out. `engine.segments.parse` reads the tree, `compile` turns it into expressions, `facts` gathers what it needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from engine.segments.fields import ValueKind

Scalar = int | float | str | bool | datetime | date
Value = Scalar | tuple[Scalar, ...]


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
