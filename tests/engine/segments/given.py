"""Sources of segments, from frames written by hand."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from engine.columns import CUSTOMERS, ITEMS
from engine.segments.inputs import SegmentSources
from engine.segments.parse import parse_rule
from engine.segments.rule import Rule
from engine.segments.sources import INBOX_EVENTS, LATEST_CONSENTS
from tests.engine.customers.histories import lines_of, orders


def rule_of(tree: object) -> Rule:
    """Return the rule of a tree, money in dollars."""
    return parse_rule(tree, currency="USD")


def sources_with(
    placed: pl.DataFrame | None = None,
    known: pl.DataFrame | None = None,
    *,
    lines: pl.DataFrame | None = None,
    menu: pl.DataFrame | None = None,
    table: pl.DataFrame | None = None,
    views: pl.DataFrame | None = None,
    consents: pl.DataFrame | None = None,
    zone: str = "UTC",
) -> SegmentSources:
    """Return sources; what is not given is empty. `views` are the inbox's events of every type."""
    placed = orders() if placed is None else placed

    def inbox(_type: str, since: datetime | None, customer_id: str | None) -> pl.DataFrame:
        found = pl.DataFrame(schema=INBOX_EVENTS) if views is None else views
        found = found if since is None else found.filter(pl.col("at") >= since)
        return found if customer_id is None else found.filter(customer_id=customer_id)

    def stated(_at: datetime, customer_id: str | None) -> pl.DataFrame:
        found = pl.DataFrame(schema=LATEST_CONSENTS) if consents is None else consents
        return found if customer_id is None else found.filter(customer_id=customer_id)

    return SegmentSources(
        orders=lambda _since: placed.lazy(),
        lines=lambda _since: (lines_of(orders(), []) if lines is None else lines).lazy(),
        customers=(pl.DataFrame(schema=CUSTOMERS) if known is None else known).lazy(),
        menu=lambda: (pl.DataFrame(schema=ITEMS) if menu is None else menu).select(
            "item_id", "category", "cuisine", "vendor_id"
        ),
        table=lambda _at: (pl.DataFrame(schema={"customer_id": pl.String}) if table is None else table).lazy(),
        inbox=inbox,
        consents=stated,
        zone=zone,
    )
