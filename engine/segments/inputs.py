"""Where the figures and events of a rule come from, and what is gathered of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from engine.history.dayparts import Dayparts
from engine.segments.compile import Clock

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
