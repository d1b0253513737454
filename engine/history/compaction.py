"""Inbox to history: orders received as events become order history like imported ones.

Appending is idempotent, so a run that dies before it notes how far it came is simply done again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import islice

import polars as pl
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from engine.columns import LINES, ORDERS
from engine.database.session import transaction
from engine.events.event import Event
from engine.events.inbox import events_of_customers, last_seq, move_watermark, read_after, watermark
from engine.events.orders import ABOUT_ORDERS, DELIVERED, last_statuses, order_id_of, placed_and_changed
from engine.history.merge import merge
from engine.history.opening import open_history
from engine.history.protocol import History
from engine.settings import Settings

READER = "history"
BATCH = 100_000
TYPES = ("order", "order_status", "rating")
LINE_KEY = ["order_id", "item_id", "line_no"]


def compact_inbox(engine: Engine, settings: Settings) -> int:
    """Move what the inbox holds of orders into history; return the sequence number up to which history holds all.

    The status reported last, by instant, holds, in whatever order reports arrive and whatever was compacted between.
    A status or rating of an order that neither the inbox nor history holds is dropped: the order, when imported
    later, brings its own.
    """
    history = open_history(settings)
    with transaction(engine) as session:
        done, end = watermark(session, READER), last_seq(session)
    while done < end:
        # The database is not held while files are written: a long append must not delay the app's events.
        with transaction(engine) as session:
            batch = list(islice(read_after(session, done, types=TYPES), BATCH))
            batch = [event for event in batch if event.seq <= end]
            end_of_batch = batch[-1].seq if len(batch) == BATCH else end
            # A status may have arrived before its order, and an older one after a newer.
            customers = sorted({event.customer_id for event in batch if event.type in ABOUT_ORDERS})
            earlier = list(events_of_customers(session, customers, types=("order_status",), end=done))
        _append(history, batch, earlier, settings.currency)
        with transaction(engine) as session:
            move_watermark(session, READER, end_of_batch)
        done = end_of_batch
    return done


def orders_of_customer(
    session: Session, settings: Settings, customer_id: str, *, before: datetime | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return one customer's orders and lines (schemas ORDERS, LINES) placed before `before`, None for all.

    They are those of history with what the inbox reported since it was last compacted, exactly as compacting it now
    would leave them.
    """
    history = open_history(settings)
    # Read before history: what is compacted meanwhile is then merged twice, which changes nothing.
    done = watermark(session, READER)
    events = list(events_of_customers(session, [customer_id], types=TYPES))
    own = pl.col("customer_id") == customer_id
    orders, lines = history.orders(before).filter(own).collect(), history.lines(before).filter(own).collect()
    fresh = [event for event in events if event.seq > done]
    if not fresh:
        return orders, lines
    earlier = [event for event in events if event.seq <= done and event.type == "order_status"]

    def known(order_ids: list[str]) -> Mapping[str, dict[str, object]]:
        return {row["order_id"]: row for row in orders.iter_rows(named=True) if row["order_id"] in order_ids}

    new_orders, new_lines = _reported(history, fresh, earlier, settings.currency, known)
    if before is not None:
        new_orders, new_lines = (each.filter(pl.col("ordered_at") < before) for each in (new_orders, new_lines))
    orders, _ = merge(orders, new_orders, ["order_id"], [name for name in ORDERS if name != "order_id"])
    lines, _ = merge(lines, new_lines, LINE_KEY, [name for name in LINES if name not in LINE_KEY])
    # Lines have the status of their order, which may have changed since.
    statuses = orders.select("order_id", _now="status")
    lines = lines.join(statuses, on="order_id", how="left").with_columns(status=pl.coalesce("_now", "status"))
    return orders, lines.select(list(LINES))


def _append(history: History, events: Sequence[Event], earlier: Sequence[Event], currency: str) -> None:
    """Append what `events` report; `earlier` are the statuses that the same customers' orders had before."""
    orders, lines = _reported(history, events, earlier, currency, lambda ids: _known(history, ids))
    if not orders.is_empty():
        history.append(orders, lines)


def _reported(
    history: History,
    events: Sequence[Event],
    earlier: Sequence[Event],
    currency: str,
    known_among: Callable[[list[str]], Mapping[str, dict[str, object]]],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return orders and lines as `events` leave them, but for those whose ids history holds for others."""
    placed, changed = placed_and_changed(events)
    changes = {order_id: dict(each) for order_id, each in changed.items()}
    about = {order_id_of(event) for event in events if event.type in ABOUT_ORDERS}
    for order_id, status in last_statuses([*earlier, *events]).items():
        if order_id in about:
            changes.setdefault(order_id, {})["status"] = status
    orders = {order_id: order_row(event, currency) | changes.get(order_id, {}) for order_id, event in placed.items()}
    lines = {order_id: line_rows(event) for order_id, event in placed.items()}
    known = known_among([order_id for order_id in changes if order_id not in orders])
    for order_id, row in known.items():
        orders[order_id] = row | changes[order_id]
    new = pl.DataFrame(list(orders.values()), schema=ORDERS, orient="row") if orders else pl.DataFrame(schema=ORDERS)
    conflicting = _conflicting(history, new)
    new = new.filter(~pl.col("order_id").is_in(conflicting))
    rows = [line for order_id, own in lines.items() if order_id not in conflicting for line in own]
    return new, pl.DataFrame(rows, schema=LINES, orient="row") if rows else pl.DataFrame(schema=LINES)


def order_row(event: Event, currency: str) -> dict[str, object]:
    """Return the ORDERS row of an order event; a missing status means delivered."""
    given = event.properties
    row: dict[str, object] = {name: given.get(name) for name in ORDERS}
    lines = line_rows(event)
    if row["order_cents"] is None and lines and all(line["line_cents"] is not None for line in lines):
        total = sum(_whole(line["line_cents"]) for line in lines)
        row["order_cents"] = total - _whole(row["discount_cents"]) + _whole(row["delivery_fee_cents"])
    return row | {
        "order_id": order_id_of(event),
        "customer_id": event.customer_id,
        "ordered_at": event.at,
        "status": given.get("status") or DELIVERED,
        "currency": given.get("currency") or currency,
    }


def line_rows(event: Event) -> list[dict[str, object]]:
    """Return the LINES rows of an order event, equal dishes numbered apart."""
    given = event.properties
    items = given.get("items")
    seen: dict[str, int] = {}
    rows: list[dict[str, object]] = []
    for line in items if isinstance(items, list) else []:
        item_id = str(line["item_id"])
        quantity = float(line.get("quantity") or 1)
        price = line.get("unit_price_cents")
        rows.append(
            {
                "order_id": order_id_of(event),
                "line_no": seen.get(item_id, 0),
                "customer_id": event.customer_id,
                "ordered_at": event.at,
                "status": given.get("status") or DELIVERED,
                "item_id": item_id,
                "vendor_id": given.get("vendor_id"),
                "quantity": quantity,
                "line_cents": None if price is None else round(price * quantity),
            }
        )
        seen[item_id] = seen.get(item_id, 0) + 1
    return rows


def _known(history: History, order_ids: list[str]) -> Mapping[str, dict[str, object]]:
    if not order_ids:
        return {}
    rows = history.orders().filter(pl.col("order_id").is_in(order_ids)).collect()
    return {row["order_id"]: row for row in rows.iter_rows(named=True)}


def _conflicting(history: History, orders: pl.DataFrame) -> list[str]:
    """Return ids that history holds for another customer or instant: the first one of an order id is kept."""
    if orders.is_empty():
        return []
    known = history.known(orders["order_id"]).select("order_id", was="customer_id", was_at="ordered_at")
    both = orders.join(known, on="order_id", how="inner")
    return (
        both.filter((pl.col("customer_id") != pl.col("was")) | (pl.col("ordered_at") != pl.col("was_at")))["order_id"]
        .unique()
        .to_list()
    )


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
