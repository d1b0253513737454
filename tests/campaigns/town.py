"""A small town for campaign tests: dormant customers with names, languages and consents, in a real home folder."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from campaigns.definition.campaign import Definition, parse
from engine.columns import LINES, ORDERS
from engine.files.encryption import seal_of
from engine.history.opening import open_history
from engine.history.tables import upsert_table
from engine.settings import Settings

WINBACK = """
id: winback
segment: {all: [{days_since_last_order: {at_least: 30}}, {orders: {at_least: 1}}]}
offer: {kind: amount, amount: 5, min_spend: 20, valid_days: 7}
message:
  en: {title: "Hi {{ customer.name | default: 'there' }}", body: "{{ offer.amount }} off with {{ coupon.code }}"}
  zh: {body: "{{ customer.name | default: '您好' }}，{{ coupon.code }} 立减 {{ offer.amount }}"}
channel: recording
holdout: 0.2
"""


def winback(extra: str = "", *, channel: str = "recording", currency: str = "USD") -> Definition:
    return parse(WINBACK.replace("channel: recording", f"channel: {channel}") + extra, currency=currency)


def settle_town(
    settings: Settings,
    n: int,
    *,
    now: datetime | None = None,
    days_ago: float = 60,
    consents: Sequence[bool | None] = (None,),
) -> None:
    """Put `n` customers c0..  with one delivered order each `days_ago`; consents repeat in turn."""
    at = (now or datetime.now(UTC)) - timedelta(days=days_ago)
    order_rows(settings, [(f"c{i}", at, 2500) for i in range(n)])
    seal = seal_of(settings)
    people = [
        {
            "customer_id": f"c{i}",
            "name": seal.seal(f"Name {i}") if i % 4 else None,
            "language": ["en", "zh", None][i % 3],
            "timezone": "Asia/Shanghai",
            "marketing_consent": consents[i % len(consents)],
        }
        for i in range(n)
    ]
    upsert_table(settings, "customers", pl.DataFrame(people, infer_schema_length=None))


def order_rows(
    settings: Settings,
    rows: Sequence[tuple[str, datetime, int]],
    *,
    status: str = "delivered",
    offer_ids: Sequence[str | None] = (None,),
    discount_cents: int = 0,
) -> None:
    """Append orders (customer, instant, cents); offers repeat in turn."""
    history = open_history(settings)
    full = [
        {
            "order_id": f"{customer}@{at.isoformat()}",
            "customer_id": customer,
            "ordered_at": at,
            "status": status,
            "order_cents": cents,
            "currency": "USD",
            "discount_cents": discount_cents,
            "offer_id": offer_ids[i % len(offer_ids)],
        }
        for i, (customer, at, cents) in enumerate(rows)
    ]
    table = pl.DataFrame([{name: row.get(name) for name in ORDERS} for row in full], schema=ORDERS)
    history.append(table, pl.DataFrame(schema=LINES))
