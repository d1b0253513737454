"""What a rule means, in slow plain Python over rows: the engine that every other one is held to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engine.experiments.assignment import bucket
from engine.segments.fields import SEGMENT_FIELDS
from engine.segments.rule import All, AnyOf, Clause, EventClause, InSegment, Measure, Not, Rule, Sample

Row = dict[str, Any]


@dataclass
class Town:
    """All that is known, as rows."""

    cards: dict[str, Row] = field(default_factory=dict)
    orders: list[Row] = field(default_factory=list)
    lines: list[Row] = field(default_factory=list)
    views: list[Row] = field(default_factory=list)
    table: dict[str, Row] = field(default_factory=dict)
    consents: list[Row] = field(default_factory=list)
    items: dict[str, Row] = field(default_factory=dict)
    zone: str = "Europe/Berlin"


def people(town: Town, as_of: datetime) -> list[str]:
    """Everybody registered by then, or with a delivered order by then."""
    found = {o["customer_id"] for o in town.orders if o["status"] == "delivered" and o["ordered_at"] <= as_of}
    for name, card in town.cards.items():
        if card["registered_at"] is None or card["registered_at"] <= as_of:
            found.add(name)
    return sorted(found)


def members(rule: Rule, town: Town, as_of: datetime) -> list[str]:
    return [name for name in people(town, as_of) if holds(rule, town, as_of, name)]


def holds(rule: Rule, town: Town, as_of: datetime, who: str) -> bool:
    match rule:
        case All(inner):
            return all(holds(each, town, as_of, who) for each in inner)
        case AnyOf(inner):
            return any(holds(each, town, as_of, who) for each in inner)
        case Not(inner):
            return not holds(inner, town, as_of, who)
        case InSegment(_, inner):
            return holds(inner, town, as_of, who)
        case Sample(salt, start, end):
            return start <= int(bucket(salt, who) * 10_000) < end
        case EventClause(measure, operator, value):
            return compares(measured(measure, town, as_of, who), measure.kind, operator, value, town, as_of, who)
        case Clause(name, operator, value):
            kind = SEGMENT_FIELDS[name].kind
            return compares(known(name, town, as_of, who), kind, operator, value, town, as_of, who)


def known(name: str, town: Town, as_of: datetime, who: str) -> object:
    where = SEGMENT_FIELDS[name]
    card = town.cards.get(who)
    if where.origin == "history":
        return figure(where.column, town, as_of, who)
    if where.origin == "table":
        return town.table.get(who, {}).get(where.column)
    if where.origin == "consent":
        stated = [c["granted"] for c in town.consents if c["customer_id"] == who and c["at"] <= as_of]
        return stated[-1] if stated else card and card["marketing_consent"]
    contacts = {"push_reachable": "push_token", "sms_reachable": "phone", "email_reachable": "email"}
    if name in contacts:
        return card is not None and card[contacts[name]] is not None
    return None if card is None else card["zone" if name == "home_zone" else where.column]


def figure(column: str, town: Town, as_of: datetime, who: str) -> object:
    mine = sorted(
        (o for o in town.orders if o["customer_id"] == who and o["status"] == "delivered" and o["ordered_at"] <= as_of),
        key=lambda o: (o["ordered_at"], o["order_id"]),
    )
    known = [o["order_cents"] for o in mine if o["order_cents"] is not None]
    # An amount below zero takes money back and is no order.
    delivered, mine = mine, [o for o in mine if not (o["order_cents"] is not None and o["order_cents"] < 0)]
    cents = [o["order_cents"] for o in mine if o["order_cents"] is not None]
    if column == "orders":
        return len(mine)
    if column == "revenue_cents":
        return None if delivered and not known else sum(known)
    if column == "zone":
        zones = [o["zone"] for o in delivered if o["zone"] is not None]
        return zones[-1] if zones else town.cards.get(who, {}).get("zone")
    if not mine:
        return None
    first, last = mine[0]["ordered_at"], mine[-1]["ordered_at"]
    return {
        "average_order_cents": sum(cents) / len(cents) if cents else None,
        "first_order_at": first,
        "last_order_at": last,
        "days_since_first_order": (as_of - first) / timedelta(days=1),
        "days_since_last_order": (as_of - last) / timedelta(days=1),
        "discounted_orders": sum((o["discount_cents"] or 0) > 0 for o in mine) / len(mine),
    }[column]


def measured(measure: Measure, town: Town, as_of: datetime, who: str) -> object:
    rows = {"order": town.orders, "order_line": town.lines, "view": town.views}[measure.event]
    mine = [row for row in rows if row["customer_id"] == who and counts(measure, row, town, as_of, who)]
    if measure.what == "count":
        return len(mine)
    if measure.what in ("first", "last"):
        instants = [row["ordered_at"] for row in mine]
        return (min if measure.what == "first" else max)(instants, default=None)
    values = [prop(measure.of or "", row, town, who, measure.event) for row in mine]
    some = [value for value in values if value is not None]
    return None if mine and not some else sum(some)


def counts(measure: Measure, row: Row, town: Town, as_of: datetime, who: str) -> bool:
    at, window = row["ordered_at"], measure.window
    inside = (
        at <= as_of
        and (window.last_days is None or at > as_of - timedelta(days=window.last_days))
        and (window.older_than_days is None or at <= as_of - timedelta(days=window.older_than_days))
        and (window.start is None or at >= window.start)
        and (window.before is None or at < window.before)
    )
    filters = list(measure.where)
    if measure.event != "view" and not any(each.field == "status" for each in filters):
        filters.append(Clause("status", "equals", "delivered"))
    kinds = {"amount": "money", "discount": "money", "rating": "number", "hour": "number", "quantity": "number"}
    return inside and all(
        compares(
            prop(each.field, row, town, who, measure.event), kinds.get(each.field, "word"), each.operator, each.value,
            town, as_of, who,
        )
        for each in filters
    )  # fmt: skip


def prop(name: str, row: Row, town: Town, who: str, event: str) -> Any:
    local = row["ordered_at"].astimezone(ZoneInfo(zone_of(town, who)))
    item = town.items.get(str(row.get("item_id")), {})
    match name:
        case "hour":
            return local.hour
        case "weekday":
            return local.isoweekday()
        case "daypart":
            starts = {"breakfast": 5, "lunch": 11, "afternoon": 14, "dinner": 17, "late": 22}
            return ([part for part, hour in starts.items() if hour <= local.hour] or ["late"])[-1]
        case "category" | "cuisine":
            return item.get(name)
        case "vendor" if event == "view":
            return item.get("vendor_id")
        case "amount":
            return row["order_cents" if event == "order" else "line_cents"]
        case "discount":
            return row["discount_cents"] or 0
        case "discounted":
            return (row["discount_cents"] or 0) > 0
        case "item" | "vendor" | "offer":
            return row[f"{name}_id"]
    return row[name]


def zone_of(town: Town, who: str) -> str:
    zone = (town.cards.get(who) or {}).get("timezone")
    try:
        return str(ZoneInfo(zone)) if zone else town.zone
    except (ZoneInfoNotFoundError, ValueError):
        return town.zone


def compares(value: Any, kind: str, operator: str, wanted: Any, town: Town, as_of: datetime, who: str) -> bool:
    if operator == "known":
        return bool((value is not None) == wanted)
    if value is None:
        return False
    if operator == "between":
        low, high = wanted
        return bool(low <= value < high if kind == "instant" else low <= value <= high)
    if operator == "anniversary_within_days":
        today = as_of.astimezone(ZoneInfo(zone_of(town, who))).date()
        return any(kept(value, today + timedelta(days=ahead)) for ahead in range(wanted))
    checks: dict[str, Callable[[], bool]] = {
        "at_least": lambda: value >= wanted,
        "above": lambda: value > wanted,
        "at_most": lambda: value <= wanted,
        "below": lambda: value < wanted,
        "equals": lambda: value == wanted,
        "in": lambda: value in wanted,
        "not_in": lambda: value not in wanted,
        "contains": lambda: wanted in value,
        "contains_any": lambda: any(each in value for each in wanted),
        "within_days": lambda: as_of - timedelta(days=wanted) < value <= as_of,
        "older_than_days": lambda: value <= as_of - timedelta(days=wanted),
        "in_next_days": lambda: as_of < value <= as_of + timedelta(days=wanted),
    }
    return bool(checks[operator]())


def kept(birthday: date, day: date) -> bool:
    """Whether a birthday is kept on `day`: on its own date, or on 28 February where the year lacks the 29th."""
    if (birthday.month, birthday.day) != (2, 29):
        return (birthday.month, birthday.day) == (day.month, day.day)
    leap = day.year % 4 == 0 and (day.year % 100 != 0 or day.year % 400 == 0)
    return (day.month, day.day) == ((2, 29) if leap else (2, 28))


def named(rows: Sequence[Row], key: str) -> dict[str, Row]:
    return {str(row[key]): row for row in rows}
