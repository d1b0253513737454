"""What a segment is: a small typed tree over the customer figures, and its YAML or JSON form.

    all: [...]          every one matches            any: [...]      at least one matches
    not: {...}          the rule does not match      orders: {at_least: 2, below: 10}
    zone: {in: [north, centre]}                      language: zh    (short for {equals: zh})

Logic is two-valued: a comparison with an unknown figure does not match, and `not` turns that around, so
`not: {language: zh}` includes those whose language nobody knows. Say `language: {known: true}` beside it to leave them
out. Further kinds of rule join by a dataclass here and a branch in `compile.expression` and `explain.explain`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from engine.errors import BadDefinition, did_you_mean
from engine.money import minor_units

Kind = Literal["number", "money", "word", "boolean", "instant"]
Scalar = int | float | str | bool | datetime
Value = Scalar | tuple[Scalar, ...]

MAX_DEPTH = 20
MAX_CLAUSES = 500


@dataclass(frozen=True, slots=True)
class Field:
    """One figure a clause may name; `column` is where it lies in `engine.customers.figures.FIGURES`."""

    column: str
    kind: Kind
    about: str


FIELDS: Mapping[str, Field] = {
    "orders": Field("orders", "number", "Delivered orders."),
    "revenue": Field("revenue_cents", "money", "What all delivered orders came to, in major units."),
    "average_order": Field("average_order_cents", "money", "What a delivered order comes to, in major units."),
    "days_since_first_order": Field("days_since_first_order", "number", "Days; unknown without an order."),
    "days_since_last_order": Field("days_since_last_order", "number", "Days; unknown without an order."),
    "first_order_at": Field("first_order_at", "instant", "Instant of the first delivered order."),
    "last_order_at": Field("last_order_at", "instant", "Instant of the latest delivered order."),
    "discounted_orders": Field("discounted_orders", "number", "Share of orders with a discount, 0 to 1."),
    "zone": Field("zone", "word", "Zone of the latest order."),
    "language": Field("language", "word", "en or zh."),
    "timezone": Field("timezone", "word", "IANA zone."),
    "registered_at": Field("registered_at", "instant", "When she signed up."),
    "marketing_consent": Field("marketing_consent", "boolean", "Consent as of the import."),
}
ORDERED = ("at_least", "above", "at_most", "below", "equals")
OPERATORS: Mapping[Kind, tuple[str, ...]] = {
    "number": (*ORDERED, "in"),
    "money": (*ORDERED, "in"),
    "instant": ORDERED,
    "word": ("equals", "in", "not_in"),
    "boolean": ("equals",),
}


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
    """A comparison of one figure; `value` is in the column's own units (money in minor units)."""

    field: str
    operator: str
    value: Value


Rule = All | AnyOf | Not | Clause


def parse_rule(tree: object, *, currency: str, where: str = "segment") -> Rule:
    """Return the typed rule of a parsed YAML or JSON `tree`; money in it is in major units of `currency`.

    Raises BadDefinition whose `where` is the path of the wrong clause.
    """
    return _Parser(currency).rule(tree, where, 0)


class _Parser:
    """Counts what it has read, so that a file of aliases within aliases ends in an error and not in an hour."""

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.read = 0

    def rule(self, tree: object, where: str, depth: int) -> Rule:
        self.read += 1
        if depth > MAX_DEPTH or self.read > MAX_CLAUSES:
            raise BadDefinition(f"too large; at most {MAX_DEPTH} levels and {MAX_CLAUSES} clauses", where=where)
        if not isinstance(tree, Mapping):
            raise BadDefinition("expected a clause such as `orders: {at_least: 2}`", where=where)
        if len(tree) != 1:
            raise BadDefinition("expected one clause here; put several under `all:` as a list", where=where)
        name, inner = next(iter(tree.items()))
        here = f"{where}.{name}"
        if name in ("all", "any"):
            if not isinstance(inner, list) or not inner:
                raise BadDefinition("expected a list with at least one clause", where=here)
            rules = tuple(self.rule(each, f"{here}[{i}]", depth + 1) for i, each in enumerate(inner))
            return All(rules) if name == "all" else AnyOf(rules)
        if name == "not":
            return Not(self.rule(inner, here, depth + 1))
        field = FIELDS.get(name) if isinstance(name, str) else None
        if field is None:
            raise BadDefinition(f"unknown field{did_you_mean(str(name), (*FIELDS, 'all', 'any', 'not'))}", where=here)
        return self.clauses(str(name), field, inner, here)

    def clauses(self, name: str, field: Field, inner: object, where: str) -> Rule:
        if not isinstance(inner, Mapping):
            if field.kind not in ("word", "boolean"):
                raise BadDefinition("expected a comparison such as {at_least: 2}", where=where)
            inner = {"equals": inner}
        if not inner:
            raise BadDefinition("expected a comparison such as {at_least: 2}", where=where)
        found = tuple(self.clause(name, field, op, value, f"{where}.{op}") for op, value in inner.items())
        return found[0] if len(found) == 1 else All(found)

    def clause(self, name: str, field: Field, operator: object, value: object, where: str) -> Clause:
        valid = (*OPERATORS[field.kind], "known")
        if not isinstance(operator, str) or operator not in valid:
            raise BadDefinition(f"unknown comparison{did_you_mean(str(operator), valid)}", where=where)
        if operator == "known":
            if not isinstance(value, bool):
                raise BadDefinition("expected true or false", where=where)
            return Clause(name, operator, value)
        if operator in ("in", "not_in"):
            if not isinstance(value, list) or not value or len(value) > 10_000:
                raise BadDefinition("expected a list of 1 to 10,000 values", where=where)
            listed = tuple(self.scalar(field, each, f"{where}[{i}]") for i, each in enumerate(value))
            return Clause(name, operator, listed)
        return Clause(name, operator, self.scalar(field, value, where))

    def scalar(self, field: Field, value: object, where: str) -> Scalar:
        if field.kind == "money":
            cents = minor_units(value, self.currency)
            if cents is None:
                raise BadDefinition(f"expected an amount in {self.currency} such as 50", where=where)
            return cents
        if field.kind == "number":
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
                raise BadDefinition("expected a number such as 30", where=where)
            return value
        if field.kind == "boolean":
            if not isinstance(value, bool):
                raise BadDefinition("expected true or false", where=where)
            return value
        if field.kind == "word":
            if not isinstance(value, str) or not value:
                raise BadDefinition('expected text; put quotes around it if it looks like a number ("12")', where=where)
            return value
        return _instant(value, where)


def _instant(value: object, where: str) -> datetime:
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
