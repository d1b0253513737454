"""Why is a customer in or out: every clause of a segment with the value it met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from engine.clock import minute_text
from engine.errors import NotFound
from engine.segments.compile import bucket_column, expression, measure_column
from engine.segments.facts import IS_REGISTERED, REGISTERED, gather
from engine.segments.fields import SEGMENT_FIELDS
from engine.segments.inputs import SegmentSources
from engine.segments.rule import All, AnyOf, Clause, EventClause, InSegment, Not, Rule, Sample, inner_rules, walk


@dataclass(frozen=True, slots=True)
class ExplainedRule:
    """One node of a rule, in the rule's own order and nesting.

    `kind` is all, any, not, segment, sample, clause, or an event's count, sum, first, last. For a clause `field` (an
    event's type), `operator` and `expected` are the rule's, in the column's units (money in minor units), and `value`
    is the customer's: None means unknown. `about` is a segment's name, or which events count.
    """

    kind: str
    matched: bool
    inner: tuple[ExplainedRule, ...] = ()
    field: str | None = None
    operator: str | None = None
    expected: object = None
    value: object = None
    about: str | None = None

    def as_json(self) -> dict[str, object]:
        """Return it for scripts, without what does not apply."""
        found: dict[str, object] = {"kind": self.kind, "matched": self.matched}
        if self.field is not None:
            found |= {"field": self.field, "operator": self.operator, "expected": self.expected, "value": self.value}
        if self.about:
            found["about"] = self.about
        if self.inner:
            found["inner"] = [each.as_json() for each in self.inner]
        return found


def explain_membership(rule: Rule, sources: SegmentSources, as_of: datetime, customer_id: str) -> ExplainedRule:
    """Return what every clause makes of one customer as of `as_of`; no other customer's rows are read.

    Each node is judged by the very expression that selects audiences, so the two cannot disagree.
    Raises NotFound where nobody of that id is known by then.
    """
    found = gather(rule, sources, as_of, customer_id=customer_id)
    nodes = list(walk(rule))
    frame = found.frame.with_columns(expression(node, found.clock).alias(f"node:{i}") for i, node in enumerate(nodes))
    row = frame.collect().row(0, named=True)
    if not (_registered(row, as_of) or is_known(sources, as_of, customer_id)):
        moment = minute_text(as_of, sources.zone)
        raise NotFound(f"nobody is known as {customer_id!r} as of {moment}", where="customer_id")
    numbers = iter(range(len(nodes)))
    return _explained(rule, row, numbers)


def _registered(row: dict[str, Any], as_of: datetime) -> bool:
    return row.get(IS_REGISTERED) is True and (row[REGISTERED] is None or row[REGISTERED] <= as_of)


def is_known(sources: SegmentSources, as_of: datetime, customer_id: str) -> bool:
    """Return whether a customer is registered, or has a delivered order, by `as_of`."""
    own = pl.col("customer_id") == customer_id
    registration = sources.customers.filter(own).select("registered_at").collect()
    if registration.height and (registration["registered_at"][0] is None or registration["registered_at"][0] <= as_of):
        return True
    counted = own & (pl.col("status") == "delivered") & (pl.col("ordered_at") <= as_of)
    return sources.orders(None).filter(counted).select("customer_id").head(1).collect().height > 0


def _explained(rule: Rule, row: dict[str, object], numbers: Iterator[int]) -> ExplainedRule:
    matched = bool(row[f"node:{next(numbers)}"])
    inner = tuple(_explained(each, row, numbers) for each in inner_rules(rule))
    match rule:
        case All():
            return ExplainedRule("all", matched, inner)
        case AnyOf():
            return ExplainedRule("any", matched, inner)
        case Not():
            return ExplainedRule("not", matched, inner)
        case InSegment(name, _):
            return ExplainedRule("segment", matched, inner, about=name)
        case Sample(salt, start, end):
            value = row[bucket_column(salt)]
            return ExplainedRule("sample", matched, (), salt, "between", (start, end), value, "bucket of 10,000")
        case EventClause(measure, operator, expected):
            value = row[measure_column(measure)]
            about = _about(rule)
            return ExplainedRule(measure.what, matched, (), measure.event, operator, expected, value, about)
        case Clause(name, operator, expected):
            return ExplainedRule("clause", matched, (), name, operator, expected, row[SEGMENT_FIELDS[name].column])


def _about(rule: EventClause) -> str:
    measure, window = rule.measure, rule.measure.window
    parts = [f"of {measure.of}"] if measure.of else []
    parts += [f"{each.field} {each.operator} {_plain(each.value)}" for each in measure.where]
    if window.last_days is not None:
        parts.append(f"in the last {window.last_days:g} days")
    if window.older_than_days is not None:
        parts.append(f"up to {window.older_than_days:g} days ago")
    if window.start is not None:
        parts.append(f"from {window.start.isoformat()}")
    if window.before is not None:
        parts.append(f"before {window.before.isoformat()}")
    return ", ".join(parts)


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_plain, value))})"
    return value.isoformat() if isinstance(value, datetime) else str(value)
