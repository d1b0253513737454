"""What can be ordered now: the items and vendors tables as arrays, and the hard filters over them.

The tables are read apart from the artifact, so that a dish sold out this minute is hidden without training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.artifact import Pause, no_pause
from engine.ids import IdMap
from engine.language import LANGUAGES
from engine.recommend.catalog.diets import ALLERGENS, DIETS, NOTHING, allergens_in, plain_words
from engine.recommend.published.model import PublishedModel

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int32]
# Answers kept for "what is orderable in this zone while these vendors are open"; each takes a byte a dish.
KEPT_BYTES = 64 * 1024**2
KEPT_MINUTES = 32
NOWHERE = ""
# From this share of the dishes that were ordered on, the items table is taken for the whole menu.
MENU = 0.5
# Vendors read, dishes named and labels taken apart between two pauses: about a third of a millisecond.
PAUSE_EVERY, BLOCK, LABELS = 50, 2_500, 250
POSITION = ("latitude", "longitude")


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
        return self.available and self.delivers(zone) and self.is_open(at)

    def delivers(self, zone: str | None) -> bool:
        """Say whether it delivers to `zone`; everywhere where it names none."""
        return zone is None or self.zones is None or zone in self.zones

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
class Labels:
    """What dishes hold and whom they suit: for each word the (items,) it is said of.

    `told` (items) says of which dishes somebody listed the allergens at all.
    """

    allergens: Mapping[str, BoolArray]
    diets: Mapping[str, BoolArray]
    told: BoolArray

    @property
    def allergen_words(self) -> frozenset[str]:
        """Every allergen one may name."""
        return (ALLERGENS | self.allergens.keys()) - {NOTHING}

    @property
    def diet_words(self) -> frozenset[str]:
        """Every diet one may name."""
        return DIETS | self.diets.keys()

    def suits(self, allergens: Sequence[str], diets: Sequence[str]) -> BoolArray:
        """Return (items,): without any of `allergens`, and for all of `diets`; what nobody labelled suits nobody."""
        fine = self.told.copy() if allergens else np.ones(len(self.told), dtype=bool)
        for word in allergens:
            if word in self.allergens:
                fine &= ~self.allergens[word]
        for word in diets:
            fine &= self.diets.get(word, False)
        return fine


class Sold(NamedTuple):
    """Which dishes were ever ordered from, or listed by, each vendor: `items` from `start[v]` on, `vendors` in rows."""

    start: npt.NDArray[np.int64]
    items: IntArray
    vendors: IdMap

    def fill(self, vendor_of: IntArray, vendor_ids: Sequence[str]) -> IntArray:
        """Return `vendor_of` with the only vendor of each dish that has none (-1), by its place in `vendor_ids`."""
        rows = np.repeat(np.arange(len(self.vendors), dtype=np.int32), np.diff(self.start))
        alone = (np.bincount(self.items, minlength=len(vendor_of))[self.items] == 1) & (vendor_of[self.items] < 0)
        number = {vendor: at for at, vendor in enumerate(vendor_ids)}
        found, place = np.unique(rows[alone], return_inverse=True)
        numbers = np.array([number.get(name, -1) for name in self.vendors.names(found)], dtype=np.int32)
        filled = vendor_of.copy()
        filled[self.items[alone]] = numbers[place]
        return filled


@dataclass(frozen=True, slots=True)
class Catalog:
    """Names, availability and vendors by item column.

    Items missing from the table are not available, or, where it lists only half of them or less, orderable everywhere.
    `vendor_of` (items) is -1 where an item's vendor is unknown; vendors are numbered as in `vendor_ids`, `places`
    (vendors, 2) holds their latitude and longitude, NaN where unknown. `groups` numbers each item's category and
    cuisine, -1 where unknown.
    """

    available: BoolArray
    ids: list[str]
    names: dict[str, list[str]]
    vendor_of: npt.NDArray[np.int32]
    vendor_ids: list[str]
    vendors: list[Vendor | None]
    zones: frozenset[str] = field(default_factory=frozenset)
    timezone: str = "UTC"
    language: str = LANGUAGES[0]
    labels: Labels = field(default_factory=lambda: Labels({}, {}, np.zeros(0, bool)))
    groups: Mapping[str, IntArray] = field(default_factory=dict)
    places: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    vendor_names: dict[str, list[str]] = field(default_factory=dict)
    vendor_number: Mapping[str, int] = field(default_factory=dict)
    _delivering: dict[str | None, BoolArray] = field(default_factory=dict, compare=False, repr=False)
    _opened: dict[int, tuple[BoolArray, bytes]] = field(default_factory=dict, compare=False, repr=False)
    _kept: dict[tuple[str | None, bytes], BoolArray] = field(default_factory=dict, compare=False, repr=False)

    def name(self, column: int, language: str) -> str:
        """Return the dish's name in `language`."""
        return self.names["zh" if language == "zh" else "en"][column]

    def names_in(self, language: str) -> list[str]:
        """Return every dish's name in `language`."""
        return self.names["zh" if language == "zh" else "en"]

    def orderable(self, zone: str | None, at: datetime) -> BoolArray:
        """Return (items,), not to be written to: available, its vendor, where known, open at `at` and serving `zone`.

        Doors open and close on whole minutes, and most minutes nobody's do: an answer is kept for as long as the same
        vendors are open.
        """
        if not self.vendors:
            return self.available
        # All zones no vendor names are alike: only vendors without a list of zones deliver there.
        zone = zone if zone is None or zone in self.zones else NOWHERE
        opened, doors = self._open(at)
        found = self._kept.get((zone, doors))
        if found is None:
            found = self.available & (opened & self._delivers(zone))[self.vendor_of]
            found.setflags(write=False)
            if len(self._kept) * len(found) > KEPT_BYTES:
                self._kept.clear()
            self._kept[zone, doors] = found
        return found

    def serving(self, zone: str | None, at: datetime) -> BoolArray:
        """Return (vendors + 1,): open at `at` and delivering to `zone`; a vendor nobody described limits nothing.

        The last place is True: it answers for dishes without a vendor (-1).
        """
        return self._open(at)[0] & self._delivers(zone)

    def _open(self, at: datetime) -> tuple[BoolArray, bytes]:
        """Return (vendors + 1,) who takes orders at `at`, and the same as bits."""
        minute = int(at.timestamp()) // 60
        found = self._opened.get(minute)
        if found is None:
            opened = np.array([v is None or (v.available and v.is_open(at)) for v in self.vendors] + [True])
            if len(self._opened) >= KEPT_MINUTES:
                self._opened.clear()
            found = self._opened[minute] = (opened, np.packbits(opened).tobytes())
        return found

    def _delivers(self, zone: str | None) -> BoolArray:
        """Return (vendors + 1,) who delivers to `zone`; everybody where none is asked for."""
        if zone not in self._delivering:
            if len(self._delivering) > len(self.zones) + 1:
                self._delivering.clear()  # zones nobody names come from outside, in any number
            self._delivering[zone] = np.array([v is None or v.delivers(zone) for v in self.vendors] + [True])
        return self._delivering[zone]


def catalog_of(
    published: PublishedModel,
    items: pl.DataFrame,
    vendors: pl.DataFrame,
    *,
    timezone: str,
    language: str = LANGUAGES[0],
    pause: Pause = no_pause,
) -> Catalog:
    """Return the catalogue of a version: `build_catalog`, with what its orders say of who cooks what."""
    sold = Sold(published.vendor_item_start, published.vendor_items, published.vendors)
    return build_catalog(published.items, items, vendors, timezone=timezone, language=language, pause=pause, sold=sold)


def build_catalog(
    ids: IdMap,
    items: pl.DataFrame,
    vendors: pl.DataFrame,
    *,
    timezone: str,
    language: str = LANGUAGES[0],
    pause: Pause = no_pause,
    sold: Sold | None = None,
) -> Catalog:
    """Align the tables with the artifact's item columns; `timezone` holds where a vendor names none, `language` for who
    has no text.

    A dish the items table gives to nobody is cooked by the one vendor that ever `sold` it, where there is one and a
    table describes it. `pause` is called every few milliseconds of work, for a thread beside others that must not wait
    for it.
    """
    item_ids, listed = _listed(ids, items.with_columns(on_menu=pl.lit(value=True)), pause)
    vendor_ids = sorted({*vendors["vendor_id"].to_list(), *items["vendor_id"].drop_nulls().unique().to_list()})
    pause()
    described, opened = {}, {}
    for number, row in enumerate(vendors.iter_rows(named=True)):
        described[row["vendor_id"]], opened[row["vendor_id"]] = row, _vendor(row, timezone)
        if number % PAUSE_EVERY == 0:
            pause()
    names = _names(listed, pause)
    labels, groups = _labels(listed, pause), {}
    for group in ("category", "cuisine"):
        pause()
        groups[group] = _numbered(listed[group], listed[group].drop_nulls().unique().sort().to_list())
    pause()
    vendor_of, available = _numbered(listed["vendor_id"], vendor_ids), listed["available"].fill_null(value=True)
    if sold is not None and (vendor_of < 0).any():
        vendor_of = sold.fill(vendor_of, vendor_ids)
    on_menu = listed["on_menu"].fill_null(value=False)
    if on_menu.sum() > MENU * listed.height:
        # A table that lists nearly everything is the menu: what it leaves out is a typing error, or no longer sold.
        available = available & on_menu
    pause()
    places, called = _described(vendor_ids, described, pause)
    return Catalog(
        available=np.array(available.to_numpy(), dtype=bool),
        ids=item_ids,
        names=names,
        vendor_of=vendor_of,
        vendor_ids=vendor_ids,
        vendors=[opened.get(vendor) for vendor in vendor_ids],
        zones=frozenset(zone for vendor in opened.values() if vendor.zones for zone in vendor.zones),
        timezone=timezone,
        language=language,
        labels=labels,
        groups=groups,
        places=places,
        vendor_names=called,
        vendor_number={vendor: i for i, vendor in enumerate(vendor_ids)},
    )


def _names(listed: pl.DataFrame, pause: Pause) -> dict[str, list[str]]:
    """Return, by language, every dish's name."""
    names: dict[str, list[str]] = {}
    for language, first, second in (("en", "name", "name_zh"), ("zh", "name_zh", "name")):
        column = listed.select(pl.coalesce(_told(first), _told(second), "item_id")).to_series()
        names[language] = []
        for block in column.to_frame().iter_slices(BLOCK):
            pause()
            names[language] += block.to_series().to_list()
    pause()
    return names


def _described(
    vendor_ids: Sequence[str], described: Mapping[str, Mapping[str, Any]], pause: Pause
) -> tuple[npt.NDArray[np.float64], dict[str, list[str]]]:
    """Return (vendors, 2) where each is, NaN where nobody says, and by language what it is called."""
    nowhere, places = float("nan"), np.empty((len(vendor_ids), len(POSITION)), dtype=np.float64)
    called: dict[str, list[str]] = {"en": [], "zh": []}
    for number, vendor in enumerate(vendor_ids):
        told = described.get(vendor, {})
        places[number] = [nowhere if told.get(name) is None else told[name] for name in POSITION]
        called["en"].append(told.get("name") or told.get("name_zh") or vendor)
        called["zh"].append(told.get("name_zh") or told.get("name") or vendor)
        if number % PAUSE_EVERY == 0:
            pause()
    return places, called


def _listed(ids: IdMap, items: pl.DataFrame, pause: Pause) -> tuple[list[str], pl.DataFrame]:
    """Return every item id, and the items table with a row for each of them, in that order."""
    item_ids: list[str] = []
    blocks = [pl.Series("item_id", [], pl.String)]
    for first in range(0, len(ids), BLOCK):
        block = ids.names_between(first, min(first + BLOCK, len(ids)))
        item_ids += block
        blocks.append(pl.Series("item_id", block, pl.String))
        pause()
    listed = pl.concat(blocks).to_frame().join(items, on="item_id", how="left", maintain_order="left")
    pause()
    return item_ids, listed


def _told(name: str) -> pl.Expr:
    """Return the column, null where it is empty."""
    return pl.when(pl.col(name) != "").then(pl.col(name))


def _numbered(words: pl.Series, known: Sequence[str]) -> IntArray:
    """Return each word's place in `known`, -1 where it is missing."""
    numbers = words.replace_strict(list(known), range(len(known)), default=-1, return_dtype=pl.Int32)
    return numbers.to_numpy().astype(np.int32)


def _labels(listed: pl.DataFrame, pause: Pause) -> Labels:
    told = np.zeros(listed.height, dtype=bool)
    found: dict[str, dict[str, BoolArray]] = {"allergens": {}, "diets": {}}
    for kind, by_word in found.items():
        columns = np.flatnonzero(listed[kind].is_not_null().to_numpy())
        for number, (column, cell) in enumerate(zip(columns.tolist(), listed[kind].drop_nulls(), strict=True)):
            if number % LABELS == 0:
                pause()
            words = allergens_in(cell) if kind == "allergens" else plain_words(cell)
            for word in words:
                by_word.setdefault(word, np.zeros(listed.height, dtype=bool))[column] = True
            if kind == "allergens" and words:
                told[column] = True
    return Labels(found["allergens"], found["diets"], told)


@lru_cache(maxsize=10_000)
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


@lru_cache(maxsize=2_000)
def _clock(value: str | None) -> time | None:
    if not value:
        return None
    hours, minutes = (int(part) for part in value.split(":")[:2])
    return time(hours % 24, minutes)


def columns_of(ids: IdMap, item_ids: Sequence[str]) -> IntArray:
    """Return the columns of the ids we know; unknown ones are left out."""
    found = ids.rows_of(item_ids) if item_ids else np.empty(0, np.int32)
    return found[found >= 0]
