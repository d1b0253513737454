"""The YAML or JSON form of a segment, read to the last clause; errors name the clause and the nearest valid name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, cast

from engine.errors import BadDefinition, NotFound, did_you_mean
from engine.segments.fields import OPERATORS, SEGMENT_FIELDS, ValueKind
from engine.segments.properties import SEGMENT_EVENTS, EventKind
from engine.segments.rule import All, AnyOf, Clause, EventClause, InSegment, Measure, Not, Rule, Sample, Window
from engine.segments.values import example_of, read_days, read_instant, read_value

MAX_DEPTH = 20
MAX_CLAUSES = 500
BUCKETS = 10_000
MEASURES = ("count", "sum", "first", "last", "absent")
NODES = ("all", "any", "not", *MEASURES, "segment", "sample")
WINDOWS = ("last_days", "before_days", "between", "before")

# Given a segment's name and parameters, its tree as written. Raises NotFound or BadDefinition.
Lookup = Callable[[str, Mapping[str, object]], object]


def parse_rule(tree: object, *, currency: str, where: str = "segment", lookup: Lookup | None = None) -> Rule:
    """Return the typed rule of a parsed YAML or JSON `tree`; money in it is in major units of `currency`.

    A bare text is the name of another segment, which `lookup` finds (None: no names are known here).
    Raises BadDefinition whose `where` is the path of the wrong clause.
    """
    return _Parser(currency, lookup).rule({"segment": tree} if isinstance(tree, str) else tree, where, 0)


class _Parser:
    """Counts what it has read, so that a file of aliases within aliases ends in an error and not in an hour."""

    def __init__(self, currency: str, lookup: Lookup | None) -> None:
        self.currency = currency
        self.lookup = lookup
        self.read = 0
        self.within: list[str] = []

    def rule(self, tree: object, where: str, depth: int) -> Rule:
        self.count(where, depth)
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
        if name == "segment":
            return self.member(inner, here, depth)
        if name == "sample":
            return _sample(inner, here)
        if name in MEASURES:
            return self.event(str(name), inner, here)
        field = SEGMENT_FIELDS.get(name) if isinstance(name, str) else None
        if field is None:
            raise BadDefinition(f"unknown field{did_you_mean(str(name), (*SEGMENT_FIELDS, *NODES))}", where=here)
        return self.clauses(str(name), field.kind, inner, here)

    def count(self, where: str, depth: int) -> None:
        self.read += 1
        if depth > MAX_DEPTH or self.read > MAX_CLAUSES:
            raise BadDefinition(f"too large; at most {MAX_DEPTH} levels and {MAX_CLAUSES} clauses", where=where)

    def member(self, inner: object, where: str, depth: int) -> Rule:
        if isinstance(inner, str):
            inner = {"name": inner}
        if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
            raise BadDefinition("expected the name of a ready or saved segment", where=where)
        name = str(inner["name"])
        if "rule" in inner:
            return InSegment(name, self.rule(inner["rule"], f"{where}.rule", depth + 1))
        parameters = {str(key): value for key, value in inner.items() if key != "name"}
        if self.lookup is None:
            raise BadDefinition(f"no segment {name!r} is known here; write its clauses instead", where=where)
        if name in self.within:
            raise BadDefinition(f"goes in a circle: {' -> '.join([*self.within, name])}", where=where)
        try:
            found = self.lookup(name, parameters)
        except (NotFound, BadDefinition) as error:
            raise BadDefinition(error.message, where=where) from error
        self.within.append(name)
        try:
            return InSegment(name, self.rule(found, f"{where}({name})", depth + 1))
        finally:
            self.within.pop()

    def clauses(self, name: str, kind: ValueKind, inner: object, where: str) -> Rule:
        found = self.comparisons(name, kind, inner, where)
        return found[0] if len(found) == 1 else All(found)

    def comparisons(self, name: str, kind: ValueKind, inner: object, where: str) -> tuple[Clause, ...]:
        if not isinstance(inner, Mapping):
            if kind not in ("word", "boolean", "weekday", "daypart"):
                raise BadDefinition(f"expected a comparison such as {{{example_of(kind)}}}", where=where)
            inner = {"equals": inner}
        if not inner:
            raise BadDefinition(f"expected a comparison such as {{{example_of(kind)}}}", where=where)
        return tuple(self.clause(name, kind, op, value, f"{where}.{op}") for op, value in inner.items())

    def clause(self, name: str, kind: ValueKind, operator: object, value: object, where: str) -> Clause:
        valid = (*OPERATORS[kind], "known")
        if not isinstance(operator, str) or operator not in valid:
            raise BadDefinition(f"unknown comparison{did_you_mean(str(operator), valid)}", where=where)
        return Clause(name, operator, read_value(kind, operator, value, currency=self.currency, where=where))

    def event(self, what: str, inner: object, where: str) -> Rule:
        if not isinstance(inner, Mapping):
            raise BadDefinition("expected `event: order` and what is asked of it", where=where)
        name = inner.get("event")
        if not isinstance(name, str) or name not in SEGMENT_EVENTS:
            raise BadDefinition(f"unknown event{did_you_mean(str(name), SEGMENT_EVENTS)}", where=f"{where}.event")
        kind = SEGMENT_EVENTS[name]
        of = self.summed(what, kind, inner.get("of"), f"{where}.of") if what == "sum" else None
        measure = Measure(
            cast(Literal["count", "sum", "first", "last"], "count" if what == "absent" else what),
            name,
            self.filters(kind, inner.get("where"), f"{where}.where"),
            _window(inner, where),
            of,
        )
        valid = () if what == "absent" else (*OPERATORS[measure.kind], "known")
        found = []
        for key, value in inner.items():
            if key in ("event", "where", *WINDOWS) or (key == "of" and what == "sum"):
                continue
            if key not in valid:
                names = ("event", "where", *WINDOWS, *(("of",) if what == "sum" else ()), *valid)
                raise BadDefinition(f"unknown name{did_you_mean(str(key), names)}", where=f"{where}.{key}")
            at = f"{where}.{key}"
            self.count(at, 0)
            found.append(
                EventClause(
                    measure, str(key), read_value(measure.kind, str(key), value, currency=self.currency, where=at)
                )
            )
        if what == "absent":
            return EventClause(measure, "equals", 0)
        if not found:
            raise BadDefinition(f"expected a comparison such as {example_of(measure.kind)}", where=where)
        return found[0] if len(found) == 1 else All(tuple(found))

    def summed(self, what: str, kind: EventKind, of: object, where: str) -> str:
        if not isinstance(of, str) or of not in kind.summed:
            valid = kind.summed or ("nothing of this event",)
            raise BadDefinition(f"name what to {what}{did_you_mean(str(of), valid)}", where=where)
        return of

    def filters(self, kind: EventKind, tree: object, where: str) -> tuple[Clause, ...]:
        if tree is None:
            return ()
        if not isinstance(tree, Mapping) or not tree:
            raise BadDefinition("expected properties such as `vendor: v-0001`", where=where)
        found: list[Clause] = []
        for name, inner in tree.items():
            known = kind.properties.get(name) if isinstance(name, str) else None
            here = f"{where}.{name}"
            if known is None:
                raise BadDefinition(f"unknown property{did_you_mean(str(name), kind.properties)}", where=here)
            self.count(here, 0)
            found += self.comparisons(str(name), known.kind, inner, here)
        return tuple(found)


def _window(inner: Mapping[object, object], where: str) -> Window:
    last = read_days(inner["last_days"], f"{where}.last_days") if "last_days" in inner else None
    ago = read_days(inner["before_days"], f"{where}.before_days") if "before_days" in inner else None
    if last is not None and ago is not None and ago >= last:
        raise BadDefinition("leaves nothing; before_days must be below last_days", where=f"{where}.before_days")
    start = end = None
    if "between" in inner:
        both = inner["between"]
        if not isinstance(both, list) or len(both) != 2:
            raise BadDefinition("expected two instants, the earlier first", where=f"{where}.between")
        start, end = (read_instant(each, f"{where}.between[{i}]") for i, each in enumerate(both))
        if start >= end:
            raise BadDefinition("the first instant is not before the second", where=f"{where}.between")
    if "before" in inner:
        before = read_instant(inner["before"], f"{where}.before")
        end = before if end is None else min(end, before)
    return Window(last, ago, start, end)


def _sample(inner: object, where: str) -> Sample:
    if not isinstance(inner, Mapping):
        raise BadDefinition("expected `salt:` and `share:`", where=where)
    for key in inner:
        if key not in ("salt", "share", "from"):
            hint = did_you_mean(str(key), ("salt", "share", "from"))
            raise BadDefinition(f"unknown name{hint}", where=f"{where}.{key}")
    salt = inner.get("salt")
    if not isinstance(salt, str) or not 0 < len(salt) <= 200:
        raise BadDefinition("expected text that names the draw", where=f"{where}.salt")
    ends = []
    for key, default in (("from", 0), ("share", None)):
        value = inner.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise BadDefinition("expected a share from 0 to 1, such as 0.1", where=f"{where}.{key}")
        ends.append(round(value * BUCKETS))
    if not ends[1] or sum(ends) > BUCKETS:
        raise BadDefinition("the share is empty or runs past 1", where=f"{where}.share")
    return Sample(salt, ends[0], sum(ends))
