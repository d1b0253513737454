"""What an artifact holds beside the blended models: baskets, words, vendors by zone, and customers' clocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from engine.columns import DAY_S
from engine.ids import IdMap
from engine.models.arrays import Arrays, FloatArray, IntArray, LongArray
from engine.models.baskets import Baskets
from engine.models.content import Content
from engine.models.kernels.sums import held, sums
from engine.models.together import Together

HALF_LIFE_DAYS = 60.0
# Fewer baskets than this say little of a dish.
RARE = 5.0


@dataclass(frozen=True, slots=True)
class VendorShares:
    """How much is ordered from each vendor, by zone, an order counting half after 60 days.

    `keys` ascend and are zone * vendors + vendor, zones counted from 1 and 0 standing for everywhere.
    """

    keys: LongArray
    weight: FloatArray
    n_vendors: int

    @classmethod
    def of(cls, baskets: Baskets, *, n_vendors: int, now: int) -> Self:
        """Count the baskets that name their vendor; `now` is the newest instant, seconds since 1970."""
        named = baskets.vendor >= 0
        zone, vendor = baskets.zone[named].astype(np.int64), baskets.vendor[named].astype(np.int32)
        weight = np.exp2(-np.maximum(now - baskets.at[named], 0) / DAY_S / HALF_LIFE_DAYS)
        rows, everywhere = held(np.arange(len(vendor) + 1), vendor), np.zeros(len(vendor), np.int64)
        whole = sums(everywhere, 1, weight, rows, n_vendors)
        # Whose zone nobody knows counts in none: zones are numbered from 1 here.
        by_zone = sums(np.where(zone >= 0, zone + 1, -1), int(zone.max(initial=-1)) + 2, weight, rows, n_vendors)
        keys = np.repeat(np.arange(len(by_zone.start) - 1), np.diff(by_zone.start)) * n_vendors + by_zone.columns
        return cls(
            np.concatenate([whole.columns.astype(np.int64), keys]),
            np.concatenate([whole.values, by_zone.values]),
            n_vendors,
        )

    def speaks(self, zone: int) -> bool:
        """Say whether anything was ordered in `zone`, so that its shares are its own."""
        first, end = np.searchsorted(self.keys, [(zone + 1) * self.n_vendors, (zone + 2) * self.n_vendors])
        return zone >= 0 and bool(end > first)

    def shares(self, zone: int) -> FloatArray:
        """Return (vendors,): each one's share of what is ordered in `zone`; of everything for -1 or a silent zone."""
        for number in (zone + 1, 0):
            first, end = np.searchsorted(self.keys, [number * self.n_vendors, (number + 1) * self.n_vendors])
            if end > first:
                share = np.zeros(self.n_vendors, dtype=np.float32)
                share[self.keys[first:end] - number * self.n_vendors] = self.weight[first:end]
                return np.asarray(share / share.sum(), dtype=np.float32)
        return np.zeros(self.n_vendors, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Clocks:
    """Whose day it is: `of` (customers) int16 points into `names` (IANA), -1 where the customers table does not say."""

    names: tuple[str, ...]
    of: npt.NDArray[np.int16]

    def zone_info(self, row: int, default: str) -> ZoneInfo:
        """Return the customer's time zone, `default` for -1 or one that is unknown."""
        known = 0 <= row < len(self.of) and self.of[row] >= 0
        return ZoneInfo(self.names[self.of[row]] if known else default)


@dataclass(frozen=True, slots=True)
class RegisteredCustomers:
    """Registered customers without an order: what the customers table says of them.

    `language` (ids) int8 points into LANGUAGES, -1 unknown; `zone` (ids) numbers the home zone, -1 unknown. `referrer`
    (ids) is the row of the customer with orders who brought them here, -1 where nobody did.
    """

    ids: IdMap
    language: npt.NDArray[np.int8]
    zone: IntArray
    referrer: IntArray

    @classmethod
    def none(cls) -> Self:
        """Return that nobody is registered without an order."""
        return cls(IdMap.of([]), np.empty(0, np.int8), np.empty(0, np.int32), np.empty(0, np.int32))

    def home_zone(self, customer_id: str) -> int:
        """Return the number of their home zone, -1 where it is unknown."""
        row = self.ids.row(customer_id)
        return int(self.zone[row]) if row >= 0 else -1

    def language_of(self, customer_id: str) -> int:
        """Return the number of their language, -1 where it is unknown."""
        row = self.ids.row(customer_id)
        return int(self.language[row]) if row >= 0 else -1

    def referrer_of(self, customer_id: str) -> int:
        """Return the row of who brought them here, -1 where nobody did."""
        row = self.ids.row(customer_id)
        return int(self.referrer[row]) if row >= 0 else -1


@dataclass(frozen=True, slots=True)
class Extras:
    """Each part is None in an artifact of a release that did not have it; lists then do without.

    `first_at` (items) is when each dish was first ordered, seconds since 1970; the largest number where it never was.
    """

    together: Together | None = None
    content: Content | None = None
    vendors: VendorShares | None = None
    clocks: Clocks = field(default_factory=lambda: Clocks((), np.empty(0, np.int16)))
    cards: RegisteredCustomers | None = None
    first_at: LongArray | None = None

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return everything as named arrays, for the artifact."""
        parts: dict[str, Arrays] = {
            "clocks": {"names": np.frombuffer("|".join(self.clocks.names).encode(), np.uint8), "of": self.clocks.of}
        }
        if self.together is not None:
            parts["together"] = self.together.arrays()
        if self.content is not None:
            parts["content"] = self.content.arrays()
        if self.vendors is not None:
            count = np.array([self.vendors.n_vendors])
            parts["vendors"] = {"keys": self.vendors.keys, "weight": self.vendors.weight, "count": count}
        if self.cards is not None:
            parts["cards"] = self.cards.ids.arrays() | {
                name: getattr(self.cards, name) for name in ("language", "zone", "referrer")
            }
        if self.first_at is not None:
            parts["dishes"] = {"first_at": self.first_at}
        return {f"extras.{part}.{key}": array for part, arrays in parts.items() for key, array in arrays.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """Rebuild from the artifact's group `extras`."""

        def part(name: str) -> Arrays:
            return {key.removeprefix(f"{name}."): a for key, a in arrays.items() if key.startswith(f"{name}.")}

        together, content, vendors, clocks = (part(name) for name in ("together", "content", "vendors", "clocks"))
        cards = part("cards")
        names = tuple(clocks["names"].tobytes().decode().split("|")) if clocks and clocks["names"].size else ()
        return cls(
            Together.from_arrays(together) if together else None,
            Content.from_arrays(content) if content else None,
            VendorShares(vendors["keys"], vendors["weight"], int(vendors["count"][0])) if vendors else None,  # type: ignore[arg-type]
            Clocks(names, clocks["of"] if clocks else np.empty(0, np.int16)),  # type: ignore[arg-type]
            _cards(cards) if cards else None,
            arrays.get("dishes.first_at"),  # type: ignore[arg-type]
        )


def _cards(arrays: Arrays) -> RegisteredCustomers:
    # An artifact of a release that did not record who brought a customer.
    nobody = np.full(len(arrays["zone"]), -1, np.int32)
    return RegisteredCustomers(
        ids=IdMap.from_arrays(dict(arrays)),
        language=arrays["language"],  # type: ignore[arg-type]
        zone=arrays["zone"],  # type: ignore[arg-type]
        referrer=arrays.get("referrer", nobody),  # type: ignore[arg-type]
    )


def newest(columns: IntArray, extras: Extras, *, least: float = RARE) -> npt.NDArray[np.bool_]:
    """Return, for each of `columns`, whether fewer than `least` baskets ever held it."""
    if extras.together is None:
        return np.zeros(len(columns), dtype=bool)
    return np.asarray(extras.together.baskets[columns] < least)
