"""What a rule needs to know of each customer, gathered lazily: only the columns, months and tables it names.

Nothing after `as_of` is seen; the instant itself still counts, as in `engine.customers.figures`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import polars as pl

from engine.clock import zone_exists
from engine.customers.figures import FIGURES, figures_query
from engine.experiments.assignment import bucket
from engine.segments.compile import (
    Clock,
    bucket_column,
    expression,
)
from engine.segments.fields import OWN_FIELDS, SEGMENT_FIELDS, SegmentField
from engine.segments.inputs import RuleInputs, SegmentSources
from engine.segments.measures import join_measures, measured_events, required_clauses
from engine.segments.properties import BY_CLOCK
from engine.segments.rule import All, AnyOf, Clause, EventClause, InSegment, Measure, Rule, Sample, walk

CONTACTS = {"push_reachable": "push_token", "sms_reachable": "phone", "email_reachable": "email"}
NEVER_NULL = tuple(CONTACTS)
ALL_BUCKETS = 10_000
# Beside one customer's figures: whether they are registered, and since when.
IS_REGISTERED, REGISTERED = "registration:known", "registration:registered_at"


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
        measured = measured_events(event, same, sources, clock, customer_id)
        must = [each for each in required_clauses(rule) if each.measure in same] if matching else []
        if must:
            measured = measured.filter([expression(each, clock) for each in must])
        frame = join_measures(frame, measured, same, must=bool(must))
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
    return (sources.zone, *(zone for zone in found if zone != sources.zone and zone_exists(zone)))


def _population(
    rule: Rule, fields: Sequence[str], sources: SegmentSources, clock: Clock, customer_id: str | None
) -> pl.LazyFrame:
    """Return the figures and attributes needed, one row per customer known at `as_of`."""
    named = [SEGMENT_FIELDS[each] for each in fields]
    columns = [each.column for each in named if each.origin in ("history", "registration")]
    if len(clock.zones) > 1:
        columns.append("timezone")
    history = [each.column for each in named if each.origin == "history"]
    extras = [name for name in columns if name in OWN_FIELDS]
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


def _buckets(salt: str) -> pl.Expr:
    def drawn(ids: pl.Series) -> pl.Series:
        return pl.Series([int(bucket(salt, each) * ALL_BUCKETS) for each in ids], dtype=pl.Int64)

    return pl.col("customer_id").map_batches(drawn, return_dtype=pl.Int64).alias(bucket_column(salt))
