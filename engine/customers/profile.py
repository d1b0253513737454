"""One customer's profile: the row of the table, why they are in each group, and the latest orders."""

from __future__ import annotations

from typing import Any

import polars as pl

from engine.customers.config import CustomerConfig
from engine.customers.explain import explain_groups
from engine.customers.store import read_customer
from engine.errors import NotFound
from engine.history.opening import open_history
from engine.settings import Settings

PROFILE_ORDER_COLUMNS = (
    "order_id",
    "ordered_at",
    "status",
    "vendor_id",
    "zone",
    "order_cents",
    "discount_cents",
    "currency",
    "rating",
)


def customer_profile(
    settings: Settings, customer_id: str, config: CustomerConfig, *, last_orders: int
) -> dict[str, Any]:
    """Return customer_id, as_of, figures (the row), why (group: sentence) and history, newest order first.

    Raises NotFound where the table is not built or does not hold the customer.
    """
    built, everybody = read_customer(settings, customer_id)
    if not built.table.height:
        raise NotFound(
            f"customer {customer_id!r} is not in the table of {built.facts['as_of'][:10]}; "
            "check the id, or build the table again",
            where="customers show",
        )
    row = built.table.to_dicts()[0]
    orders = open_history(settings).orders().filter(pl.col("customer_id") == customer_id)
    newest = (
        orders.sort("ordered_at", "order_id", descending=True).head(last_orders).select(PROFILE_ORDER_COLUMNS).collect()
    )
    return {
        "customer_id": customer_id,
        "as_of": built.facts["as_of"],
        "horizon_days": built.facts["horizon_days"],
        "figures": row,
        "why": explain_groups(row, everybody, built.facts, config),
        "history": newest.to_dicts(),
    }
