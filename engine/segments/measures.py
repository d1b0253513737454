"""What a rule counts, sums and looks up of events: one row per customer with an event, a column per measure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import reduce

import polars as pl

from engine.columns import UTC_INSTANT
from engine.segments.compile import Clock, earliest_instant, event_filter, event_value, measure_column
from engine.segments.inputs import SegmentSources
from engine.segments.properties import BY_CLOCK, BY_MENU, FROM_HISTORY, SEGMENT_EVENTS
from engine.segments.rule import All, EventClause, InSegment, Measure, Rule


def measured_events(
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
    """Return the columns of the event's frame that its measures read."""
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


def required_clauses(rule: Rule) -> list[EventClause]:
    """Return the event clauses without which the rule fails, of those that fail for a customer without an event."""
    match rule:
        case All(rules):
            return [found for each in rules for found in required_clauses(each)]
        case InSegment(_, inner):
            return required_clauses(inner)
        case EventClause(measure, operator, value) if measure.what in ("first", "last"):
            return [rule] if operator != "known" or value is True else []
        case EventClause(_, "at_least", int() | float() as least) if least > 0:
            return [rule]
        case EventClause(_, "above", int() | float() as least) if least >= 0:
            return [rule]
        case _:
            return []


def join_measures(
    frame: pl.LazyFrame, measured: pl.LazyFrame, measures: Sequence[Measure], *, must: bool
) -> pl.LazyFrame:
    """Return `frame` with the columns of `measures`, 0 where nothing was counted or summed; `must` drops those rows."""
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
