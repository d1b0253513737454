"""Two engines, one answer: generated rules over generated histories, compiled and in plain Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.columns import CUSTOMERS, LINES, ORDERS
from engine.customers.columns import DType
from engine.segments.explain import ExplainedRule, explain_membership
from engine.segments.facts import members as compiled_members
from engine.segments.facts import needs_figures_only
from engine.segments.fields import DAY_OPERATORS, LIST_OPERATORS, OPERATORS, SEGMENT_FIELDS, ValueKind
from engine.segments.inputs import SegmentSources
from engine.segments.properties import SEGMENT_EVENTS
from engine.segments.rule import (
    All,
    AnyOf,
    Clause,
    EventClause,
    InSegment,
    Measure,
    Not,
    Rule,
    Sample,
    Window,
    inner_rules,
)
from engine.segments.sources import INBOX_EVENTS, LATEST_CONSENTS
from tests.engine.segments import plain
from tests.engine.segments.plain import Town

# Around both changes of the clock in Berlin and New York, leap and common Februaries, and ordinary days.
MOMENTS = [
    datetime(2026, 3, 8, 6, 59, 59, tzinfo=UTC),
    datetime(2026, 3, 8, 7, 0, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
    datetime(2026, 11, 1, 6, 30, tzinfo=UTC),
    datetime(2026, 2, 27, 22, 0, tzinfo=UTC),
    datetime(2026, 2, 28, 23, 30, tzinfo=UTC),
    datetime(2028, 2, 28, 12, 0, tzinfo=UTC),
    datetime(2028, 2, 29, 3, 0, tzinfo=UTC),
]
# Exactly as far apart as windows are long: an instant on the edge must fall on the right side of it.
EDGE = MOMENTS[3]
MOMENTS += [EDGE - timedelta(days=days) for days in (0.5, 1, 20, 30, 300)]
moments = st.sampled_from(MOMENTS)
NAMES = ["c1", "c2", "c3", "stranger"]
ZONES = [None, "Europe/Berlin", "America/New_York", "Asia/Shanghai", "Not/AZone"]
BIRTHDAYS = [None, date(1992, 2, 29), date(1990, 2, 28), date(1985, 3, 1), date(1970, 12, 31)]
WORDS = ["a", "b", "c"]
words = st.sampled_from(WORDS)
maybe_words = st.sampled_from([None, *WORDS])
cents = st.sampled_from([None, -100, 0, 100, 250, 999])
TABLE: dict[str, DType] = {
    "lifecycle": pl.String,
    "r": pl.Int8,
    "p_no_order": pl.Float64,
    "top_cuisines": pl.List(pl.String),
    "lapsed_at": pl.Datetime("us", "UTC"),
    "unhappy_valuable": pl.Boolean,
    "margin_cents": pl.Int64,
}
ITEM_IDS = ["d1", "d2", "d3", "off-menu"]
ITEMS: dict[str, dict[str, Any]] = {
    "d1": {"item_id": "d1", "category": "a", "cuisine": "a", "vendor_id": "a"},
    "d2": {"item_id": "d2", "category": "b", "cuisine": None, "vendor_id": "b"},
    "d3": {"item_id": "d3", "category": None, "cuisine": "b", "vendor_id": None},
}
USED = [name for name, each in SEGMENT_FIELDS.items() if each.origin != "table" or each.column in TABLE]

cards = st.fixed_dictionaries(
    {
        "timezone": st.sampled_from(ZONES),
        "birthday": st.sampled_from(BIRTHDAYS),
        "language": st.sampled_from([None, "en", "zh"]),
        "zone": maybe_words,
        "gender": maybe_words,
        "registered_at": st.one_of(st.none(), moments),
        "marketing_consent": st.sampled_from([None, True, False]),
        "phone": maybe_words,
        "email": maybe_words,
        "push_token": maybe_words,
    }
)
table_rows = st.fixed_dictionaries(
    {
        "lifecycle": maybe_words,
        "r": st.sampled_from([None, 1, 5]),
        "p_no_order": st.sampled_from([None, 0.0, 0.5]),
        "top_cuisines": st.one_of(st.none(), st.lists(words, max_size=2)),
        "lapsed_at": st.one_of(st.none(), moments),
        "unhappy_valuable": st.sampled_from([None, True, False]),
        "margin_cents": cents,
    }
)
statuses = st.sampled_from(["delivered", "delivered", "delivered", "cancelled"])


@st.composite
def towns(draw: st.DrawFn) -> Town:
    town = Town(items=ITEMS)
    for name in draw(st.sets(st.sampled_from(NAMES[:3]))):
        town.cards[name] = {"customer_id": name, **draw(cards)}
        town.table[name] = draw(table_rows)
    for i in range(draw(st.integers(0, 7))):
        order = {
            "order_id": f"o{i}",
            "customer_id": draw(st.sampled_from(NAMES)),
            "ordered_at": draw(moments),
            "status": draw(statuses),
            "vendor_id": draw(maybe_words),
            "offer_id": draw(maybe_words),
            "zone": draw(maybe_words),
            "channel": draw(maybe_words),
            "payment_method": draw(maybe_words),
            "order_cents": draw(cents),
            "discount_cents": draw(st.sampled_from([None, 0, 50])),
            "rating": draw(st.sampled_from([None, 1.0, 4.5, 4.2])),
        }
        town.orders.append(order)
        for n in range(draw(st.integers(0, 2))):
            line = {key: order[key] for key in ("order_id", "customer_id", "ordered_at", "status", "vendor_id")}
            dish = {"item_id": draw(st.sampled_from(ITEM_IDS)), "line_no": n, "line_cents": draw(cents)}
            town.lines.append(line | dish | {"quantity": draw(st.sampled_from([1.0, 2.5]))})
    for _ in range(draw(st.integers(0, 3))):
        seen = {"customer_id": draw(st.sampled_from(NAMES)), "ordered_at": draw(moments)}
        town.views.append(seen | {"item_id": draw(st.sampled_from(ITEM_IDS))})
        statement = {"customer_id": draw(st.sampled_from(NAMES)), "at": draw(moments), "granted": draw(st.booleans())}
        town.consents.append(statement)
    return town


def value_of(kind: ValueKind, operator: str) -> st.SearchStrategy[Any]:
    if operator == "known":
        return st.booleans()
    if operator in DAY_OPERATORS:
        return st.sampled_from([0.5, 1, 20, 400])
    if operator == "anniversary_within_days":
        return st.sampled_from([1, 2, 7, 366])
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "number": st.sampled_from([0, 1, 2, 5, 11, 0.5, 4.5, 4.2, 200]),
        "money": st.sampled_from([-100, 0, 100, 250, 350]),
        "word": st.sampled_from([*WORDS, "zh", "delivered", "cancelled"]),
        "words": words,
        "boolean": st.booleans(),
        "instant": moments,
        "date": st.sampled_from(BIRTHDAYS[1:]),
        "weekday": st.integers(1, 7),
        "daypart": st.sampled_from(["breakfast", "lunch", "afternoon", "dinner", "late"]),
    }
    one = kinds[kind]
    if operator in LIST_OPERATORS:
        return st.lists(one, min_size=1, max_size=3).map(tuple)
    return st.lists(one, min_size=2, max_size=2).map(lambda two: tuple(sorted(two))) if operator == "between" else one


@st.composite
def comparisons(draw: st.DrawFn, kind: ValueKind) -> tuple[str, Any]:
    operator = draw(st.sampled_from([*OPERATORS[kind], "known"]))
    return operator, draw(value_of(kind, operator))


@st.composite
def clauses(draw: st.DrawFn) -> Rule:
    name = draw(st.sampled_from(USED))
    return Clause(name, *draw(comparisons(SEGMENT_FIELDS[name].kind)))


@st.composite
def event_clauses(draw: st.DrawFn) -> Rule:
    event = draw(st.sampled_from(["order", "order_line", "view"]))
    kind = SEGMENT_EVENTS[event]
    kinds: list[Literal["count", "first", "last", "sum"]] = ["count", "first", "last"]
    what = draw(st.sampled_from([*kinds, "sum"] if kind.summed else kinds))
    clocks = ["daypart", "weekday", "hour"]
    chosen = draw(st.lists(st.sampled_from(sorted([*kind.properties, *clocks, *clocks])), max_size=2))
    where = tuple(Clause(name, *draw(comparisons(kind.properties[name].kind))) for name in chosen)
    start, end = sorted([draw(moments), draw(moments)])
    window = draw(
        st.sampled_from(
            [Window(), Window(last_days=30), Window(last_days=300, older_than_days=1), Window(start=start, before=end),
             Window(before=end), Window(older_than_days=0.5)]
        )
    )  # fmt: skip
    measure = Measure(what, event, where, window, draw(st.sampled_from(kind.summed)) if what == "sum" else None)
    return EventClause(measure, *draw(comparisons(measure.kind)))


samples = st.builds(Sample, st.sampled_from(["x", "y"]), st.sampled_from([0, 3000]), st.sampled_from([5000, 10_000]))
leaves = st.one_of(clauses(), event_clauses(), event_clauses(), samples)


def several(inner: st.SearchStrategy[Rule]) -> st.SearchStrategy[tuple[Rule, ...]]:
    return st.lists(inner, max_size=3).map(tuple)


rules = st.recursive(
    leaves,
    lambda inner: st.one_of(
        several(inner).map(All),
        several(inner).map(AnyOf),
        inner.map(Not),
        inner.map(lambda rule: InSegment("named", rule)),
    ),
    max_leaves=6,
)


def frame(rows: Sequence[Mapping[str, object]], schema: Mapping[str, DType]) -> pl.LazyFrame:
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema, orient="row").lazy()


def sources_of(town: Town) -> SegmentSources:
    views = [{**row, "at": row["ordered_at"]} for row in town.views]
    table = [{"customer_id": name, **row} for name, row in town.table.items()]

    def consents(as_of: datetime, customer_id: str | None) -> pl.DataFrame:
        statements = [{**row, "stated": row["granted"]} for row in town.consents if row["at"] <= as_of]
        statements = [row for row in statements if customer_id in (None, row["customer_id"])]
        return frame(statements, LATEST_CONSENTS).collect().unique("customer_id", keep="last", maintain_order=True)

    return SegmentSources(
        orders=lambda _since: frame(town.orders, ORDERS),
        lines=lambda _since: frame(town.lines, LINES),
        customers=frame(list(town.cards.values()), CUSTOMERS),
        menu=lambda: pl.DataFrame(list(town.items.values())),
        table=lambda _: frame(table, {"customer_id": pl.String, **TABLE}),
        inbox=lambda _kind, since, customer_id: seen(views, since, customer_id),
        consents=consents,
        zone=town.zone,
    )  # fmt: skip


def seen(views: list[dict[str, Any]], since: datetime | None, customer_id: str | None) -> pl.DataFrame:
    kept = [v for v in views if (since is None or v["at"] >= since) and customer_id in (None, v["customer_id"])]
    return frame(kept, INBOX_EVENTS).collect()


@settings(deadline=None, max_examples=250)
@given(rules, towns(), moments)
def test_both_engines_choose_the_same_customers(rule: Rule, town: Town, as_of: datetime) -> None:
    found = compiled_members(rule, sources_of(town), as_of).collect()["customer_id"].sort().to_list()
    assert found == plain.members(rule, town, as_of)


@settings(deadline=None, max_examples=80)
@given(rules, towns(), moments)
def test_explain_says_the_same_for_every_clause_of_everybody(rule: Rule, town: Town, as_of: datetime) -> None:
    def agree(node: ExplainedRule, part: Rule, who: str) -> None:
        assert node.matched == plain.holds(part, town, as_of, who)
        if isinstance(part, Clause):
            assert same(node.value, plain.known(part.field, town, as_of, who))
        if isinstance(part, EventClause):
            assert same(node.value, plain.measured(part.measure, town, as_of, who))
        for one, other in zip(node.inner, inner_rules(part), strict=True):
            agree(one, other, who)

    sources = sources_of(town)
    for who in plain.people(town, as_of)[:2]:
        agree(explain_membership(rule, sources, as_of, who), rule, who)


@settings(deadline=None, max_examples=30)
@given(rules, towns())
def test_a_rule_of_figures_alone_says_so(rule: Rule, town: Town) -> None:
    del town
    needs_more = [
        part
        for part in _leaves(rule)
        if isinstance(part, EventClause | Sample)
        or (isinstance(part, Clause) and SEGMENT_FIELDS[part.field].origin in ("table", "consent"))
    ]
    if needs_more:
        assert not needs_figures_only(rule)


def test_nobody_is_found_in_an_empty_home() -> None:
    everyone = Not(Clause("language", "equals", "zh"))
    assert compiled_members(everyone, sources_of(Town()), MOMENTS[0]).collect().height == 0


def test_the_instant_itself_counts_and_nothing_after_it() -> None:
    at = MOMENTS[3]
    town = Town(orders=[order("a", at), order("b", at + timedelta(microseconds=1))])
    ordered = EventClause(Measure("count", "order"), "at_least", 1)
    assert compiled_members(ordered, sources_of(town), at).collect()["customer_id"].to_list() == ["a"]


def test_daypart_and_weekday_follow_each_customers_own_clock_on_the_days_it_changes() -> None:
    zones = [zone for zone in ZONES if zone is not None]
    town = Town(cards={zone: {"customer_id": zone, "timezone": zone, "registered_at": None} for zone in zones})
    town.orders = [order(zone, at) for zone in zones for at in MOMENTS[:8]]
    sources = sources_of(town)
    for name in ("daypart", "weekday", "hour"):
        for value in {plain.prop(name, row, town, str(row["customer_id"]), "order") for row in town.orders}:
            for at in MOMENTS[:8]:
                window = Window(start=at, before=at + timedelta(seconds=1))
                rule = EventClause(Measure("count", "order", (Clause(name, "equals", value),), window), "equals", 1)
                chosen = compiled_members(rule, sources, MOMENTS[7]).collect()["customer_id"].sort().to_list()
                assert chosen == plain.members(rule, town, MOMENTS[7])


def test_the_edge_of_a_window_lies_outside_it_and_the_other_end_inside() -> None:
    town = Town(orders=[order("edge", EDGE - timedelta(days=30)), order("inside", EDGE - timedelta(days=29.999))])
    for window, names in [
        (Window(last_days=30), ["inside"]),
        (Window(older_than_days=30), ["edge"]),
        (Window(start=EDGE - timedelta(days=30), before=EDGE - timedelta(days=29.999)), ["edge"]),
    ]:
        ordered = EventClause(Measure("count", "order", (), window), "at_least", 1)
        assert compiled_members(ordered, sources_of(town), EDGE).collect()["customer_id"].to_list() == names


def test_a_birthday_on_29_february_is_kept_on_the_28th_of_common_years() -> None:
    card = {"customer_id": "leap", "birthday": date(1992, 2, 29), "timezone": "Europe/Berlin", "registered_at": None}
    sources = sources_of(Town(cards={"leap": card}))
    today = Clause("birthday", "anniversary_within_days", 1)
    for day, kept in [((2026, 2, 28), True), ((2026, 3, 1), False), ((2028, 2, 28), False), ((2028, 2, 29), True)]:
        noon = datetime(*day, 12, tzinfo=UTC)
        assert compiled_members(today, sources, noon).collect().height == kept


def order(who: str, at: datetime) -> dict[str, object]:
    return {"order_id": f"{who}{at}", "customer_id": who, "ordered_at": at, "status": "delivered"}


def same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, int | float):
        return abs(one - other) < 1e-9 * max(1.0, abs(other))
    return one == other


def _leaves(rule: Rule) -> list[Rule]:
    return [rule, *(leaf for each in inner_rules(rule) for leaf in _leaves(each))]
