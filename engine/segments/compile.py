"""Turn a segment's rule into one Polars expression over the customer figures."""

from __future__ import annotations

from functools import reduce

import polars as pl

from engine.columns import UTC_INSTANT
from engine.segments.rule import FIELDS, All, AnyOf, Clause, Field, Not, Rule


def expression(rule: Rule) -> pl.Expr:
    """Return a Boolean expression over `engine.customers.figures.FIGURES`, never null.

    A comparison with null is false (see `engine.segments.rule`), so `not` of it is true.
    """
    match rule:
        case All(rules):
            return reduce(lambda a, b: a & b, (expression(each) for each in rules), pl.lit(True))
        case AnyOf(rules):
            return reduce(lambda a, b: a | b, (expression(each) for each in rules), pl.lit(False))
        case Not(inner):
            return ~expression(inner)
        case Clause():
            return _comparison(rule)


def members(figures: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """Return the rows of `figures` that the rule holds for."""
    return figures.filter(expression(rule))


def _comparison(clause: Clause) -> pl.Expr:
    field = FIELDS[clause.field]
    column = pl.col(field.column)
    if clause.operator == "known":
        return column.is_not_null() if clause.value else column.is_null()
    if isinstance(clause.value, tuple):
        # Parts of `in` are OR-ed by value, so that 2 and 2.0 are equal whatever the column's width.
        listed = (
            [column == _literal(field, value) for value in clause.value]
            if field.kind != "word"
            else [column.is_in(list(clause.value))]
        )
        inside = reduce(lambda a, b: a | b, listed).fill_null(False)
        return inside if clause.operator == "in" else column.is_not_null() & ~inside
    value = _literal(field, clause.value)
    compared = {
        "at_least": column >= value,
        "above": column > value,
        "at_most": column <= value,
        "below": column < value,
        "equals": column == value,
    }[clause.operator]
    return compared.fill_null(False)


def _literal(field: Field, value: object) -> pl.Expr:
    if field.kind == "instant":
        return pl.lit(value).cast(UTC_INSTANT)
    return pl.lit(value)
