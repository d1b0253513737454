"""What campaigns read from the home folder, gathered once per command or request."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from sqlalchemy.orm import Session

from engine.customers.figures import customer_figures
from engine.errors import NoHistory
from engine.files.encryption import Seal, seal_of
from engine.history.opening import open_history
from engine.history.tables import read_table
from engine.segments.inputs import SegmentSources
from engine.segments.sources import home_segment_sources
from engine.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignData:
    """Orders and their lines (schemas ORDERS, LINES), customers, items and offers as imported, and this home's own.

    `segments` opens what segments read through a session; False takes a fresh stored customer table for "now".
    """

    orders: pl.LazyFrame
    lines: pl.LazyFrame
    customers: pl.DataFrame
    items: pl.DataFrame
    offers: pl.DataFrame
    currency: str
    timezone: str
    language: str
    seal: Seal
    segments: Callable[[Session, bool], SegmentSources]

    def figures(self, as_of: datetime) -> pl.DataFrame:
        """Return the customer figures at `as_of`."""
        return customer_figures(self.orders, self.customers, as_of=as_of)


def read_data(settings: Settings) -> CampaignData:
    """Open the home's history and tables.

    Raises NoHistory when neither orders nor customers were imported.
    """
    history = open_history(settings)
    customers = read_table(settings, "customers")
    if customers.is_empty() and history.window() is None:
        raise NoHistory(
            "there are no customers yet; import with `regulars import orders FILE`", where=str(settings.home)
        )
    return CampaignData(
        orders=history.orders(),
        lines=history.lines(),
        customers=customers,
        items=read_table(settings, "items"),
        offers=read_table(settings, "offers"),
        currency=settings.currency,
        timezone=settings.timezone,
        language=settings.language,
        seal=seal_of(settings),
        segments=lambda session, exact: home_segment_sources(settings, lambda: nullcontext(session), exact=exact),
    )
