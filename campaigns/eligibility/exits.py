"""Who is no longer to be written to, because of what they did since the launch decided on them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.definition.campaign import Definition
from engine.events.inbox import EventRow
from engine.events.orders import UNDONE_STATUSES
from engine.segments.rule import Clause, EventClause, Rule, walk

ORDERED_SINCE = "ordered_since"
# What a segment may ask that an order ends: long silence, or a stage of the lifecycle that is one.
LONG_SILENCE = frozenset({"days_since_last_order", "p_no_order_90d"})
MORE = frozenset({"at_least", "above", "between"})
SILENT_STAGES = frozenset({"slowing", "likely_lapsed", "lapsed"})


def exits_on_order(definition: Definition) -> bool:
    """Return whether an order after the decision takes a customer out: as the definition says, else by its segment.

    Without a word of the definition it does where the segment asks how long a customer has been silent.
    """
    if definition.exit_on_order is not None:
        return definition.exit_on_order
    return any(_about_silence(rule) for rule in walk(definition.segment))


def ordered_since(session: Session, decided_at: Mapping[str, datetime]) -> frozenset[str]:
    """Return which of the customers have an order after their instant that still stands, as far as the inbox knows.

    `decided_at` maps customer_id to the instant of the decision. The rows are found by the index on customers.
    """
    if not decided_at:
        return frozenset()
    rows = session.execute(
        select(EventRow.customer_id, EventRow.type, EventRow.at, EventRow.body)
        .where(EventRow.customer_id.in_(decided_at), EventRow.type.in_(("order", "order_status")))
        .where(EventRow.at > min(decided_at.values()))
        .order_by(EventRow.at, EventRow.seq)
    )
    standing: dict[tuple[str, str], bool] = {}
    for customer_id, kind, at, body in rows:
        told = orjson.loads(body)
        order = (customer_id, str(told.get("order_id")))
        undone = told.get("status") in UNDONE_STATUSES
        if order in standing or (kind == "order" and at > decided_at[customer_id]):
            standing[order] = not undone
    return frozenset(customer_id for (customer_id, _), stands in standing.items() if stands)


def _about_silence(rule: Rule) -> bool:
    match rule:
        case Clause(field, operator, _) if field in LONG_SILENCE:
            return operator in MORE
        case Clause("lifecycle", _, value):
            return not SILENT_STAGES.isdisjoint(value if isinstance(value, tuple) else (value,))
        case EventClause(measure, _, value):
            return measure.event == "order" and (measure.what == "last" or (measure.what == "count" and value == 0))
        case _:
            return False
