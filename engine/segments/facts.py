"""What a rule needs to know of each customer, gathered lazily: only the columns, months and tables it names.

Nothing after `as_of` is seen; the instant itself still counts, as in `engine.customers.figures`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from engine.columns import UTC_INSTANT
from engine.customers.config import Dayparts
from engine.customers.figures import FIGURES, figures_query
from engine.experiments.assignment import bucket
from engine.segments.compile import (
    Clock,
    bucket_column,
    earliest_instant,
    event_filter,
    event_value,
    expression,
    measure_column,
)
from engine.segments.properties import BY_CLOCK, BY_MENU, FROM_HISTORY, SEGMENT_EVENTS
from engine.segments.rule import (
    SEGMENT_FIELDS,
    All,
    AnyOf,
    Clause,
    EventClause,
    InSegment,
    Measure,
    Rule,
    Sample,
    SegmentField,
    walk,
)

CONTACTS = {"push_reachable": "push_token", "sms_reachable": "phone", "email_reachable": "email"}
NEVER_NULL = tuple(CONTACTS)
ALL_BUCKETS = 10_000
# Beside one customer's figures: whether they are registered, and since when.
IS_REGISTERED, REGISTERED = "registration:known", "registration:registered_at"


FrameSince = Callable[[datetime | None], pl.LazyFrame]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSources:
    """Where facts come from; frames as `engine.columns` has them, `customers` naming each customer once.

    `orders` and `lines` are asked for an instant (None: all) before which nothing need be in the frame.

    `menu` returns item_id, category, cuisine (the vendor's where the dish has none) and vendor_id. `table` returns the
    customer table as of an instant, `inbox` the events of a type (customer_id, at, item_id, rating) from an instant on
    (None: all) of one customer (None: all), `consents` customer_id and stated as of an instant.
    """

    orders: FrameSince
    lines: FrameSince
    customers: pl.LazyFrame
    menu: Callable[[], pl.DataFrame]
    table: Callable[[datetime], pl.LazyFrame]
    inbox: Callable[[str, datetime | None, str | None], pl.DataFrame]
    consents: Callable[[datetime, str | None], pl.DataFrame]
    zone: str
    dayparts: Dayparts = field(default_factory=Dayparts)


@dataclass(frozen=True, slots=True)
class RuleInputs:
    """One row per customer with every column the rule's expression reads, and the clock it reads them by."""

    frame: pl.LazyFrame
    clock: Clock


def needs_figures_only(rule: Rule) -> bool:
    """Return whether the columns of `engine.customers.figures.FIGURES` alone answer the rule, in whatever time zone."""
    for each in walk(rule):
        if isinstance(each, EventClause | Sample):
            return False
        if isinstance(each, Clause) and (
            SEGMENT_FIELDS[each.field].column not in FIGURES or each.operator == "anniversary_within_days"
        ):
            return False
    return True


def members(rule: Rule, sources: SegmentSources, as_of: datetime) -> pl.LazyFrame:
    """Return customer_id of everyone in the segment as of `as_of`, in no order."""
    found = gather(rule, sources, as_of, matching=True)
    return found.frame.filter(expression(rule, found.clock)).select("customer_id")


def gather(
    rule: Rule, sources: SegmentSources, as_of: datetime, *, customer_id: str | None = None, matching: bool = False
) -> RuleInputs:
    """Return what `rule` needs of everybody, or of one customer alone, who then has a row whether known or not.

    `matching` may leave out customers who fail the rule anyway, which spares most of the joining.
    """
    if customer_id is not None:
        sources = _only(sources, customer_id)
    leaves = list(walk(rule))
    fields = sorted({each.field for each in leaves if isinstance(each, Clause)})
    measures = list(dict.fromkeys(each.measure for each in leaves if isinstance(each, EventClause)))
    clock = Clock(as_of, _zones(leaves, measures, sources), sources.dayparts)
    frame = _population(rule, fields, sources, clock, customer_id)
    frame = _with_others(frame, fields, sources, as_of, customer_id)
    for event in dict.fromkeys(each.event for each in measures):
        same = [each for each in measures if each.event == event]
        measured = _measured(event, same, sources, clock, customer_id)
        must = [each for each in _required(rule) if each.measure in same] if matching else []
        if must:
            measured = measured.filter([expression(each, clock) for each in must])
        frame = _joined(frame, measured, same, must=bool(must))
    for salt in sorted({each.salt for each in leaves if isinstance(each, Sample)}):
        frame = frame.with_columns(_buckets(salt))
    return RuleInputs(frame, clock)


def _only(sources: SegmentSources, customer_id: str) -> SegmentSources:
    own = pl.col("customer_id") == customer_id
    return SegmentSources(
        orders=lambda since: sources.orders(since).filter(own),
        lines=lambda since: sources.lines(since).filter(own),
        customers=sources.customers.filter(own),
        menu=sources.menu,
        table=lambda at: sources.table(at).filter(own),
        inbox=sources.inbox,
        consents=sources.consents,
        zone=sources.zone,
        dayparts=sources.dayparts,
    )


def _zones(leaves: Sequence[Rule], measures: Iterable[Measure], sources: SegmentSources) -> tuple[str, ...]:
    """Return every valid zone customers live in, the house's first; that alone where no clause looks at a clock."""
    local = any(clause.field in BY_CLOCK for each in measures for clause in each.where)
    if not local and not any(isinstance(e, Clause) and e.operator == "anniversary_within_days" for e in leaves):
        return (sources.zone,)
    found = sources.customers.select(pl.col("timezone").unique()).collect()["timezone"].drop_nulls().sort()
    return (sources.zone, *(zone for zone in found if zone != sources.zone and _is_zone(zone)))


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _population(
    rule: Rule, fields: Sequence[str], sources: SegmentSources, clock: Clock, customer_id: str | None
) -> pl.LazyFrame:
    """Return the figures and attributes needed, one row per customer known at `as_of`."""
    named = [SEGMENT_FIELDS[each] for each in fields]
    columns = [each.column for each in named if each.origin in ("history", "registration")]
    if len(clock.zones) > 1:
        columns.append("timezone")
    history = [each.column for each in named if each.origin == "history"]
    extras = [name for name in columns if name in ("gender", "home_zone", *CONTACTS)]
    plain = sorted({name for name in columns if name not in extras})
    registered = _registrations(sources.customers)
    if customer_id is not None and not history:
        one = pl.LazyFrame({"customer_id": [customer_id]})
        since = [pl.col("registered_at").alias(REGISTERED), pl.lit(True).alias(IS_REGISTERED)]
        frame = one.join(registered.select("customer_id", *plain, *extras, *since), on="customer_id", how="left")
    elif not history and _needs_registration(rule) and _all_registered(sources.customers, clock.as_of):
        # Customers without a registration cannot match, so history need not be read.
        frame = registered.select("customer_id", *plain, *extras)
    else:
        frame = figures_query(sources.orders(None), sources.customers, as_of=clock.as_of).select("customer_id", *plain)
        if customer_id is not None:
            frame = pl.LazyFrame({"customer_id": [customer_id]}).join(frame, on="customer_id", how="left")
        if extras:
            frame = frame.join(registered.select("customer_id", *extras), on="customer_id", how="left")
    return frame.with_columns(pl.col(name).fill_null(False) for name in extras if name in NEVER_NULL)


def _registrations(customers: pl.LazyFrame) -> pl.LazyFrame:
    reachable = [pl.col(column).is_not_null().alias(name) for name, column in CONTACTS.items()]
    return customers.with_columns(pl.col("zone").alias("home_zone"), *reachable)


def _needs_registration(rule: Rule) -> bool:
    """Return whether the rule surely fails for an unregistered customer, whatever else is known."""
    match rule:
        case All(rules):
            return any(_needs_registration(each) for each in rules)
        case AnyOf(rules):
            return all(_needs_registration(each) for each in rules)
        case InSegment(_, inner):
            return _needs_registration(inner)
        case Clause(name, operator, value):
            field_ = SEGMENT_FIELDS[name]
            if field_.origin != "registration":
                return False
            if field_.column in NEVER_NULL:
                return operator == "equals" and value is True
            return operator != "known" or value is True
        case _:
            return False


def _all_registered(customers: pl.LazyFrame, as_of: datetime) -> bool:
    newest = customers.select(pl.col("registered_at").max()).collect()["registered_at"][0]
    return newest is None or newest <= as_of


def _with_others(
    frame: pl.LazyFrame, fields: Sequence[str], sources: SegmentSources, as_of: datetime, customer_id: str | None
) -> pl.LazyFrame:
    """Add columns of the customer table and the consent log."""
    wanted = [SEGMENT_FIELDS[each] for each in fields if SEGMENT_FIELDS[each].origin == "table"]
    if wanted:
        table = sources.table(as_of).select("customer_id", *map(_widened, wanted))
        frame = frame.join(table, on="customer_id", how="left")
    if "consent" in fields:
        imported = sources.customers.select("customer_id", pl.col("marketing_consent").alias("imported"))
        stated = sources.consents(as_of, customer_id).lazy()
        frame = (
            frame.join(imported, on="customer_id", how="left")
            .join(stated, on="customer_id", how="left")
            .with_columns(pl.coalesce("stated", "imported").alias("consent"))
            .drop("stated", "imported")
        )
    return frame


def _widened(field: SegmentField) -> pl.Expr:
    return pl.col(field.column).cast(pl.Int64) if field.narrow else pl.col(field.column)


def _measured(
    event: str, measures: Sequence[Measure], sources: SegmentSources, clock: Clock, customer_id: str | None
) -> pl.LazyFrame:
    """Return one row per customer with an event: a column per measure, and how many events each counted."""
    clauses = [clause for each in measures for clause in each.where]
    by_menu = any(each.field in BY_MENU or (each.field == "vendor" and event not in FROM_HISTORY) for each in clauses)
    menu = sources.menu() if by_menu else pl.DataFrame(schema={"item_id": pl.String})
    starts = [earliest_instant(each, clock) for each in measures]
    earliest = None if None in starts else min(each for each in starts if each is not None)
    frame = _events(event, sources, earliest, customer_id)
    if customer_id is not None:
        # The customer's few rows first, by id alone: nothing is then read or compared for anyone else.
        frame = frame.select(_columns(event, measures, frame)).collect().lazy()
    if earliest is not None and len(measures) > 1:
        # Each has its own window; this one, around all, is what the files can be skipped by.
        frame = frame.filter(pl.col("at") >= pl.lit(earliest).cast(UTC_INSTANT))
    if len(clock.zones) > 1 and any(each.field in BY_CLOCK for each in clauses):
        frame = frame.join(sources.customers.select("customer_id", "timezone"), on="customer_id", how="left")
    filters = [event_filter(each, clock, menu) for each in measures]
    frame = frame.filter(reduce(lambda a, b: a | b, filters))
    aggregates: list[pl.Expr] = []
    for measure, counted in zip(measures, filters, strict=True):
        alone = len(measures) == 1
        aggregates += _aggregates(measure, None if alone else counted)
    return frame.group_by("customer_id").agg(aggregates)


def _columns(event: str, measures: Sequence[Measure], frame: pl.LazyFrame) -> list[str]:
    """Return the columns of the event's frame that its measures look at."""
    properties = SEGMENT_EVENTS[event].properties
    named = {each.field for measure in measures for each in measure.where} | {each.of for each in measures if each.of}
    wanted = {"customer_id", "at", "status", "item_id", "timezone"} | {properties[name].column for name in named}
    return [name for name in frame.collect_schema().names() if name in wanted]


def _aggregates(measure: Measure, counted: pl.Expr | None) -> list[pl.Expr]:
    name = measure_column(measure)
    n = pl.len() if counted is None else counted.sum()
    if measure.what == "count":
        return [n.cast(pl.Int64).alias(name)]
    value = event_value(measure) if measure.what == "sum" else pl.col("at")
    value = value if counted is None else value.filter(counted)
    if measure.what == "sum":
        total = pl.when(value.count() > 0).then(value.sum())
        return [total.alias(name), n.cast(pl.Int64).alias(f"{name}:n")]
    return [(value.min() if measure.what == "first" else value.max()).alias(name)]


def _events(event: str, sources: SegmentSources, since: datetime | None, customer_id: str | None) -> pl.LazyFrame:
    if event == "order":
        discounted = (pl.col("discount_cents").fill_null(0) > 0).alias("discounted")
        return sources.orders(since).rename({"ordered_at": "at"}).with_columns(discounted)
    if event == "order_line":
        return sources.lines(since).rename({"ordered_at": "at"})
    return sources.inbox(event, since, customer_id).lazy()


def _required(rule: Rule) -> list[EventClause]:
    """Return the event clauses without which the rule fails, of those that fail for a customer without an event."""
    match rule:
        case All(rules):
            return [found for each in rules for found in _required(each)]
        case InSegment(_, inner):
            return _required(inner)
        case EventClause(measure, operator, value) if measure.what in ("first", "last"):
            return [rule] if operator != "known" or value is True else []
        case EventClause(_, "at_least", int() | float() as least) if least > 0:
            return [rule]
        case EventClause(_, "above", int() | float() as least) if least >= 0:
            return [rule]
        case _:
            return []


def _joined(frame: pl.LazyFrame, measured: pl.LazyFrame, measures: Sequence[Measure], *, must: bool) -> pl.LazyFrame:
    frame = frame.join(measured, on="customer_id", how="inner" if must else "left")
    filled = []
    for measure in measures:
        name = measure_column(measure)
        if measure.what == "count":
            filled.append(pl.col(name).fill_null(0))
        elif measure.what == "sum":
            nothing = pl.col(f"{name}:n").fill_null(0) == 0
            filled.append(pl.when(nothing).then(0).otherwise(pl.col(name)).alias(name))
    return frame.with_columns(filled)


def _buckets(salt: str) -> pl.Expr:
    def drawn(ids: pl.Series) -> pl.Series:
        return pl.Series([int(bucket(salt, each) * ALL_BUCKETS) for each in ids], dtype=pl.Int64)

    return pl.col("customer_id").map_batches(drawn, return_dtype=pl.Int64).alias(bucket_column(salt))
