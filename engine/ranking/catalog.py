"""What can be ordered now: the items and vendors tables as arrays, and the hard filters over them.

The tables are read apart from the artifact, so that a dish sold out this minute is hidden without training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.ids import IdMap

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Vendor:
    """What one vendor's row says about ordering there; None means no limit."""

    zones: frozenset[str] | None
    zone_info: ZoneInfo
    opens: time | None
    closes: time | None
    closed_weekdays: frozenset[int]
    available: bool

    def serves(self, zone: str | None, at: datetime) -> bool:
        """Say whether it delivers to `zone` (None: not asked) at the instant `at`."""
        if not self.available:
            return False
        if zone is not None and self.zones is not None and zone not in self.zones:
            return False
        return self.is_open(at)

    def is_open(self, at: datetime) -> bool:
        """Say whether it is open at `at`; hours past midnight belong to the weekday on which they began."""
        local = at.astimezone(self.zone_info)
        if self.opens is None or self.closes is None:
            return local.isoweekday() not in self.closed_weekdays
        clock = local.time()
        if self.opens < self.closes:
            return self.opens <= clock < self.closes and local.isoweekday() not in self.closed_weekdays
        if clock >= self.opens:
            return local.isoweekday() not in self.closed_weekdays
        yesterday = (local.isoweekday() - 2) % 7 + 1
        return clock < self.closes and yesterday not in self.closed_weekdays


@dataclass(frozen=True, slots=True)
class Catalog:
    """Names, availability and vendors by item column; items missing from the table are orderable everywhere.

    `vendor_of` is -1 where an item's vendor is unknown; vendors are numbered as in `vendor_ids`.
    """

    available: BoolArray
    names: dict[str, list[str]]
    vendor_of: npt.NDArray[np.int32]
    vendor_ids: list[str]
    vendors: list[Vendor | None]
    zones: frozenset[str] = field(default_factory=frozenset)

    def name(self, column: int, language: str) -> str:
        """Return the dish's name in `language`."""
        return self.names["zh" if language == "zh" else "en"][column]

    def orderable(self, zone: str | None, at: datetime) -> BoolArray:
        """Return (items,): available, and its vendor, where known, open at `at` and delivering to `zone`."""
        if not self.vendors:
            return self.available
        # A vendor nobody described limits nothing; the last place answers for items without a vendor (-1).
        serving = np.array([v is None or v.serves(zone, at) for v in self.vendors] + [True])
        orderable: BoolArray = self.available & serving[self.vendor_of]
        return orderable


def build_catalog(ids: IdMap, items: pl.DataFrame, vendors: pl.DataFrame, *, timezone: str) -> Catalog:
    """Align the tables with the artifact's item columns; `timezone` holds where a vendor names none."""
    n_items = len(ids)
    available = np.ones(n_items, dtype=bool)
    english = ids.names(np.arange(n_items))
    chinese = list(english)
    vendor_ids = sorted(set(vendors["vendor_id"]) | set(items["vendor_id"].drop_nulls()))
    vendor_number = {vendor: i for i, vendor in enumerate(vendor_ids)}
    vendor_of = np.full(n_items, -1, dtype=np.int32)
    wanted = items.select("item_id", "name", "name_zh", "vendor_id", "available")
    for item_id, name, name_zh, vendor_id, is_available in wanted.iter_rows():
        column = ids.row(item_id)
        if column < 0:
            continue
        available[column] = is_available is not False
        english[column] = name or name_zh or item_id
        chinese[column] = name_zh or name or item_id
        vendor_of[column] = vendor_number.get(vendor_id, -1)
    described = {row["vendor_id"]: _vendor(row, timezone) for row in vendors.iter_rows(named=True)}
    zones = {zone for vendor in described.values() if vendor.zones for zone in vendor.zones}
    return Catalog(
        available,
        {"en": english, "zh": chinese},
        vendor_of,
        vendor_ids,
        [described.get(vendor) for vendor in vendor_ids],
        frozenset(zones),
    )


def split_words(text: str | None) -> frozenset[str] | None:
    """Return the parts of a `|`-separated cell; None where it is empty."""
    words = frozenset(word.strip() for word in (text or "").split("|") if word.strip())
    return words or None


def _vendor(row: dict[str, object], timezone: str) -> Vendor:
    weekdays = split_words(_text(row["closed_weekdays"])) or frozenset()
    return Vendor(
        zones=split_words(_text(row["zones"])),
        zone_info=ZoneInfo(_text(row["timezone"]) or timezone),
        opens=_clock(_text(row["opens"])),
        closes=_clock(_text(row["closes"])),
        closed_weekdays=frozenset(int(day) for day in weekdays),
        available=row["available"] is not False,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _clock(value: str | None) -> time | None:
    if not value:
        return None
    hours, minutes = (int(part) for part in value.split(":")[:2])
    return time(hours % 24, minutes)


def columns_of(ids: IdMap, item_ids: Sequence[str]) -> npt.NDArray[np.int32]:
    """Return the columns of the ids we know; unknown ones are left out."""
    found = [column for item_id in item_ids if (column := ids.row(item_id)) >= 0]
    return np.array(found, dtype=np.int32)
