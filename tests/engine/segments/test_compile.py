"""The compiled expression means what the rule says, for every rule and every customer."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.customers.figures import FIGURES
from engine.segments.compile import expression, members
from engine.segments.explain import Explained, explain
from engine.segments.rule import FIELDS, OPERATORS, All, AnyOf, Clause, Not, Rule

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
instants = st.integers(-10, 10).map(lambda days: EPOCH + timedelta(days=days))
VALUES: dict[str, st.SearchStrategy[object]] = {
    "number": st.one_of(st.integers(-3, 10), st.sampled_from([0.0, 0.5, 1.0, 2.5])),
    "money": st.integers(0, 5),
    "word": st.sampled_from(["north", "south", "zh", "en", ""]),
    "boolean": st.booleans(),
    "instant": instants,
}
BY_DTYPE: dict[object, st.SearchStrategy[object]] = {
    pl.Int64: st.integers(0, 10),
    pl.Float64: st.sampled_from([0.0, 0.5, 1.0, 2.5, 7.0]),
    pl.String: st.sampled_from(["north", "south", "zh", "en", ""]),
    pl.Boolean: st.booleans(),
    pl.Date: st.just(date(1990, 1, 1)),
}
rows = st.fixed_dictionaries(
    {name: st.one_of(st.none(), BY_DTYPE.get(dtype, instants)) for name, dtype in FIGURES.items()}
)


@st.composite
def clauses(draw: st.DrawFn) -> Clause:
    name = draw(st.sampled_from(sorted(FIELDS)))
    operator = draw(st.sampled_from([*OPERATORS[FIELDS[name].kind], "known"]))
    value = VALUES[FIELDS[name].kind]
    if operator == "known":
        value = st.booleans()
    elif operator in ("in", "not_in"):
        value = st.lists(value, min_size=1, max_size=3).map(tuple)
    return Clause(name, operator, draw(value))  # type: ignore[arg-type]


def several(inner: st.SearchStrategy[Rule]) -> st.SearchStrategy[tuple[Rule, ...]]:
    return st.lists(inner, max_size=3).map(tuple)


rules = st.recursive(
    clauses(),
    lambda inner: st.one_of(several(inner).map(All), several(inner).map(AnyOf), inner.map(Not)),
    max_leaves=8,
)


def holds(rule: Rule, row: dict[str, object]) -> bool:
    """What the rule says, in plain Python: the meaning the expression is held to."""
    match rule:
        case All(inner):
            return all(holds(each, row) for each in inner)
        case AnyOf(inner):
            return any(holds(each, row) for each in inner)
        case Not(inner):
            return not holds(inner, row)
    value = row[FIELDS[rule.field].column]
    wanted = rule.value
    if rule.operator == "known":
        return (value is not None) == wanted
    if value is None:
        return False
    return {
        "at_least": lambda: value >= wanted,
        "above": lambda: value > wanted,
        "at_most": lambda: value <= wanted,
        "below": lambda: value < wanted,
        "equals": lambda: value == wanted,
        "in": lambda: value in wanted,
        "not_in": lambda: value not in wanted,
    }[rule.operator]()


@settings(deadline=None, max_examples=300)
@given(rules, st.lists(rows, min_size=1, max_size=6))
def test_the_expression_agrees_with_a_plain_evaluator_and_is_never_null(
    rule: Rule, people: list[dict[str, object]]
) -> None:
    frame = pl.DataFrame({name: [row[name] for row in people] for name in FIGURES}, schema=FIGURES)
    found = frame.select(pl.repeat(True, pl.len()).alias("all"), expression(rule).alias("in"))["in"]
    assert found.to_list() == [holds(rule, row) for row in people]
    assert members(frame, rule).height == sum(found)


@settings(deadline=None, max_examples=60)
@given(rules, rows)
def test_explain_says_the_same_for_every_clause(rule: Rule, row: dict[str, object]) -> None:
    def agree(node: Explained, part: Rule) -> None:
        assert node.matched == holds(part, row)
        if isinstance(part, Clause):
            assert (node.kind, node.field, node.value) == ("clause", part.field, row[FIELDS[part.field].column])
        inner = part.rules if isinstance(part, All | AnyOf) else (part.rule,) if isinstance(part, Not) else ()
        for one, other in zip(node.inner, inner, strict=True):
            agree(one, other)

    agree(explain(rule, row), rule)


def test_an_unknown_figure_matches_no_comparison_but_its_negation() -> None:
    nobody = dict.fromkeys(FIGURES)
    language = Clause("language", "equals", "zh")
    assert not explain(language, nobody).matched
    assert not explain(Clause("language", "not_in", ("zh",)), nobody).matched
    assert explain(Not(language), nobody).matched
    assert not explain(All((Not(language), Clause("language", "known", True))), nobody).matched
