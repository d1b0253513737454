"""Why is she in or out: every clause of a segment with the value it met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from engine.customers.figures import FIGURES
from engine.segments.compile import expression
from engine.segments.rule import FIELDS, All, AnyOf, Clause, Not, Rule, Value


@dataclass(frozen=True, slots=True)
class Explained:
    """One node of a rule, in the rule's own order and nesting.

    `kind` is all, any, not or clause. For a clause `field`, `operator` and `expected` are the rule's, in the column's
    units (money in minor units), and `value` is the customer's: None means unknown. For the rest they are None.
    """

    kind: str
    matched: bool
    inner: tuple[Explained, ...] = ()
    field: str | None = None
    operator: str | None = None
    expected: Value | None = None
    value: object = None


def explain(rule: Rule, row: Mapping[str, object]) -> Explained:
    """Say for one customer's figures (a row of FIGURES; a missing key is unknown) what every clause makes of them.

    Each node is judged by the very expression that selects audiences, so the two cannot disagree.
    """
    one = pl.DataFrame({name: [row.get(name)] for name in FIGURES}, schema=FIGURES)
    return _explain(rule, one)


def _explain(rule: Rule, one: pl.DataFrame) -> Explained:
    matched = bool(one.select(expression(rule).alias("matched"))["matched"][0])
    match rule:
        case All(rules):
            return Explained("all", matched, tuple(_explain(each, one) for each in rules))
        case AnyOf(rules):
            return Explained("any", matched, tuple(_explain(each, one) for each in rules))
        case Not(inner):
            return Explained("not", matched, (_explain(inner, one),))
        case Clause(field, operator, expected):
            value: object = one[FIELDS[field].column][0]
            return Explained("clause", matched, field=field, operator=operator, expected=expected, value=value)
