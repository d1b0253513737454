"""The city itself: zones, vendors with hours, dishes with prices and margins, and the offers everybody sees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import numpy as np
import polars as pl

from demo.lottery import Bools, Floats, Ints, Lottery
from demo.words import TWISTS, VENDOR_FIRST, ZONE_NAMES, CuisineWords, cuisines
from engine.columns import ITEMS, OFFERS, VENDORS
from engine.errors import InputError

TIMEZONE = "Asia/Shanghai"
CURRENCY = "CNY"
# Minutes after local midnight in which orders of a daypart are placed; the last one runs into the next day.
DAYPARTS = {
    "breakfast": (420, 570),
    "lunch": (660, 810),
    "afternoon": (840, 990),
    "dinner": (1020, 1230),
    "evening": (1260, 1350),
    "night": (1350, 1500),
}
# Opening hours vendors keep; None is always open.
OPENING_HOURS: dict[str, tuple[str, str] | None] = {
    "all_day": ("10:00", "22:30"),
    "early": ("06:30", "21:00"),
    "office": ("07:00", "17:00"),
    "tea": ("10:00", "23:00"),
    "night": ("17:00", "02:00"),
    "late": ("10:30", "01:30"),
    "always": None,
}
CUISINES = cuisines()
CENTRE = (31.23, 121.47)
WORLD_STREAM = 1


@dataclass(frozen=True, slots=True)
class CityScale:
    """How big a city is; `dishes` is how many each vendor cooks."""

    customers: int
    vendors: int
    zones: int
    dishes: int = 10

    def __post_init__(self) -> None:
        if self.customers < 1 or self.zones < 1 or self.dishes < 1:
            raise InputError("a city needs at least one customer, zone and dish", where="scale")
        if self.vendors < self.zones:
            raise InputError(f"{self.zones} zones need at least as many vendors, not {self.vendors}", where="scale")

    @classmethod
    def of(cls, customers: int) -> Self:
        """Return the usual size for so many customers: 60 vendors in 8 zones for 2,000, growing with the root."""
        vendors = max(24, round(60 * (max(customers, 1) / 2_000) ** 0.5))
        return cls(customers, vendors, max(4, round(vendors / 7.5)))


@dataclass(frozen=True, slots=True)
class World:
    """Everything but the people. Arrays are by vendor or item number; frames have the schemas of `engine.columns`.

    `open_at` (vendors, dayparts, weekdays) is true where a whole daypart lies within opening hours. `nearby` draws
    items by place (zone, daypart, weekday), `nearby_cuisine` by place and cuisine, `menu` by vendor.
    """

    scale: CityScale
    zones: tuple[str, ...]
    zone_at: Floats
    vendors: pl.DataFrame
    items: pl.DataFrame
    offers: pl.DataFrame
    serves: Bools
    open_at: Bools
    fee_cents: Ints
    quality: Floats
    item_vendor: Ints
    item_cuisine: Ints
    item_cents: Ints
    nearby: Lottery
    nearby_cuisine: Lottery
    menu: Lottery

    def place(self, zone: Ints, daypart: Ints, weekday: Ints) -> Ints:
        """Return the group number of `nearby`; times the number of cuisines plus cuisine, of `nearby_cuisine`."""
        return (zone * len(DAYPARTS) + daypart) * 7 + weekday


def build_world(scale: CityScale, seed: int, *, until: datetime, days: int) -> World:
    """Return the world of `seed`; equal arguments give equal worlds."""
    rng = np.random.default_rng([seed, WORLD_STREAM])
    zones = tuple(ZONE_NAMES[i] if i < len(ZONE_NAMES) else f"zone-{i + 1:03d}" for i in range(scale.zones))
    angle = np.arange(scale.zones) * 2 * np.pi / scale.zones
    radius = 0.02 + 0.01 * np.sqrt(scale.zones)
    zone_at = np.column_stack([CENTRE[0] + radius * np.cos(angle), CENTRE[1] + radius * np.sin(angle)])
    cuisine, hours = _kitchens(scale, rng)
    home = np.arange(scale.vendors) % scale.zones
    serves = _served_zones(scale, home, hours, rng)
    closed = np.where(rng.random(scale.vendors) < 0.25, rng.integers(1, 8, scale.vendors), 0)
    closed[np.array(hours) == "always"] = 0
    appeal = rng.lognormal(0.0, 0.6, scale.vendors)
    vendors = _vendors_frame(scale, zones, zone_at, home, cuisine, hours, closed, serves, rng)
    open_at = _open_at(hours, closed)
    items, item_vendor, item_cents = _items(vendors, cuisine, scale.dishes, rng)
    weight = appeal[item_vendor] * rng.lognormal(0.0, 0.8, len(item_vendor))
    lotteries = _lotteries(scale, serves, open_at, item_vendor, cuisine[item_vendor], weight)
    return World(
        scale=scale,
        zones=zones,
        zone_at=zone_at,
        vendors=vendors,
        items=items,
        offers=_offers(zones, until, days),
        serves=serves,
        open_at=open_at,
        fee_cents=rng.integers(6, 17, scale.vendors) * 50,
        quality=np.clip(rng.normal(4.2, 0.35, scale.vendors), 2.5, 4.9),
        item_vendor=item_vendor,
        item_cuisine=cuisine[item_vendor],
        item_cents=item_cents,
        nearby=lotteries[0],
        nearby_cuisine=lotteries[1],
        menu=lotteries[2],
    )


def _kitchens(scale: CityScale, rng: np.random.Generator) -> tuple[Ints, list[str]]:
    """Draw each vendor's cuisine and hours; the first of each zone never closes: no zone is ever without food."""
    share = np.array([c.share for c in CUISINES])
    # Every cuisine once, while there are vendors for it, then by share.
    cuisine = np.concatenate(
        [rng.permutation(len(CUISINES)), rng.choice(len(CUISINES), scale.vendors, p=share / share.sum())]
    )
    cuisine = cuisine[: scale.vendors].astype(np.int64)
    second = rng.random(scale.vendors) < 0.35
    hours = [CUISINES[c].hours[-1 if second[i] else 0] for i, c in enumerate(cuisine)]
    hours[: scale.zones] = ["always"] * scale.zones
    return cuisine, hours


def _served_zones(scale: CityScale, home: Ints, hours: list[str], rng: np.random.Generator) -> Bools:
    """Every vendor delivers to its zone and one to three neighbours on the ring; the never-closing one only at home."""
    serves = np.zeros((scale.vendors, scale.zones), dtype=bool)
    reach = rng.integers(1, 4, scale.vendors)
    reach[np.array(hours) == "always"] = 0
    for step in (0, 1, 2, 3):
        side = home + (step + 1) // 2 * (1 if step % 2 else -1)
        far = reach >= step
        serves[np.flatnonzero(far), side[far] % scale.zones] = True
    return serves


def _open_at(hours: list[str], closed: Ints) -> Bools:
    spans = np.array([_minutes(OPENING_HOURS[name]) for name in hours])
    parts = np.array(list(DAYPARTS.values()))
    within = (spans[:, :1] <= parts[:, 0]) & (parts[:, 1] <= spans[:, 1:])
    weekdays = np.arange(1, 8)
    found: Bools = within[:, :, None] & (closed[:, None, None] != weekdays)
    return found


def _minutes(span: tuple[str, str] | None) -> tuple[int, int]:
    if span is None:
        return 0, 2 * 1440
    opens, closes = (int(text[:2]) * 60 + int(text[3:]) for text in span)
    return opens, closes if closes > opens else closes + 1440


def _vendors_frame(
    scale: CityScale,
    zones: tuple[str, ...],
    zone_at: Floats,
    home: Ints,
    cuisine: Ints,
    hours: list[str],
    closed: Ints,
    serves: Bools,
    rng: np.random.Generator,
) -> pl.DataFrame:
    first = rng.permutation(scale.vendors) % len(VENDOR_FIRST)
    used: dict[tuple[int, int], int] = {}
    rows = []
    for i in range(scale.vendors):
        words, (name, name_zh) = CUISINES[cuisine[i]], VENDOR_FIRST[first[i]]
        branch = used[(cuisine[i], first[i])] = used.get((cuisine[i], first[i]), 0) + 1
        span = OPENING_HOURS[hours[i]]
        rows.append(
            {
                "vendor_id": f"v-{i + 1:04d}",
                "name": f"{name} {words.place}" + (f" No. {branch}" if branch > 1 else ""),
                "name_zh": f"{name_zh}{words.place_zh}" + (f"（{branch}店）" if branch > 1 else ""),
                "zones": "|".join(zones[z] for z in np.flatnonzero(serves[i])),
                "timezone": TIMEZONE,
                "opens": span[0] if span else None,
                "closes": span[1] if span else None,
                "closed_weekdays": str(closed[i]) if closed[i] else None,
                "latitude": round(float(zone_at[home[i], 0] + rng.normal(0, 0.004)), 6),
                "longitude": round(float(zone_at[home[i], 1] + rng.normal(0, 0.004)), 6),
                "cuisine": words.name,
                "available": True,
            }
        )
    return pl.DataFrame(rows, schema=VENDORS)


def _items(
    vendors: pl.DataFrame, cuisine: Ints, dishes: int, rng: np.random.Generator
) -> tuple[pl.DataFrame, Ints, Ints]:
    """Write every vendor's menu: dishes of its cuisine, some under a name of its own, priced near the usual."""
    rows: list[dict[str, object]] = []
    for vendor, vendor_id in enumerate(vendors["vendor_id"]):
        words = CUISINES[cuisine[vendor]]
        dear = rng.lognormal(0.0, 0.12)
        for dish, twist in _menu(words, dishes, rng):
            cents = max(300, round(words.dishes[dish].price * 100 * dear * rng.lognormal(0.0, 0.06) / 50) * 50)
            rows.append(
                {
                    "item_id": f"d-{len(rows) + 1:05d}",
                    "name": _named(words.dishes[dish].name, TWISTS[twist][0]),
                    "name_zh": TWISTS[twist][1] + words.dishes[dish].name_zh,
                    "vendor_id": vendor_id,
                    "category": words.dishes[dish].category,
                    "cuisine": words.name,
                    "price_cents": cents,
                    "margin_cents": round(cents * float(rng.uniform(0.08, 0.34))),
                    "available": True,
                    "tags": None,
                    "description": None,
                    "_vendor": vendor,
                }
            )
    frame = pl.DataFrame(rows, schema={**ITEMS, "_vendor": pl.Int64})
    return frame.select(list(ITEMS)), frame["_vendor"].to_numpy(), frame["price_cents"].to_numpy()


def _menu(words: CuisineWords, dishes: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Return (dish, twist) pairs, all different; beyond the cuisine's own dishes further versions fill the menu."""
    kinds = len(words.dishes)
    order = rng.permutation(kinds)
    twists = np.where(rng.random(kinds) < 0.25, rng.integers(1, len(TWISTS), kinds), 0)
    most = min(dishes, kinds * len(TWISTS))
    return [(int(order[i % kinds]), int(twists[i % kinds] + i // kinds) % len(TWISTS)) for i in range(most)]


def _named(name: str, twist: str) -> str:
    return twist + (name[0].lower() + name[1:] if twist and not name.startswith(PROPER) else name)


PROPER = ("Sichuan", "Chongqing", "Yuxiang", "Lanzhou", "Hong", "Biang", "Caesar", "Basque")


def _lotteries(
    scale: CityScale, serves: Bools, open_at: Bools, item_vendor: Ints, item_cuisine: Ints, weight: Floats
) -> tuple[Lottery, Lottery, Lottery]:
    item, zone = np.nonzero(serves[item_vendor])
    row, daypart, weekday = np.nonzero(open_at[item_vendor[item]])
    item, zone = item[row].astype(np.int64), zone[row].astype(np.int64)
    place = (zone * len(DAYPARTS) + daypart) * 7 + weekday
    n_places = scale.zones * len(DAYPARTS) * 7
    every = np.arange(len(item_vendor))
    return (
        Lottery.of(place, item, weight[item], n_places),
        Lottery.of(place * len(CUISINES) + item_cuisine[item], item, weight[item], n_places * len(CUISINES)),
        Lottery.of(item_vendor, every, weight, scale.vendors),
    )


def _offers(zones: tuple[str, ...], until: datetime, days: int) -> pl.DataFrame:
    """The public offers, one only for holders, one for newcomers, and one that has ended."""
    start = until - timedelta(days=days)
    later = until + timedelta(days=90)
    shared = {"valid_from": start, "valid_until": later, "audience": "everyone", "currency": CURRENCY}
    rows: list[dict[str, object]] = [
        {"offer_id": "save-15-percent", "name": "15% off, up to ¥15", "name_zh": "85折，最高减15元", "kind": "percent",
         "percent": 15.0, "cap_cents": 1500, "min_spend_cents": 4000},
        {"offer_id": "save-12", "name": "¥12 off ¥60", "name_zh": "满60减12", "kind": "amount", "amount_cents": 1200,
         "min_spend_cents": 6000},
        {"offer_id": "free-delivery", "name": "Free delivery nearby", "name_zh": "附近免配送费",
         "kind": "free_delivery", "min_spend_cents": 3000, "zones": "|".join(zones[: max(2, len(zones) // 2)])},
        {"offer_id": "thank-you-10", "name": "A present: ¥10 off ¥40", "name_zh": "感恩礼：满40减10", "kind": "amount",
         "amount_cents": 1000, "min_spend_cents": 4000, "audience": "issued", "max_per_customer": 1},
        {"offer_id": "welcome-30-percent", "name": "First order 30% off, up to ¥20", "name_zh": "首单7折，最高减20元",
         "kind": "percent", "percent": 30.0, "cap_cents": 2000, "audience": "first_order", "max_per_customer": 1},
        {"offer_id": "last-season", "name": "¥10 off ¥50", "name_zh": "满50减10", "kind": "amount",
         "amount_cents": 1000, "min_spend_cents": 5000, "valid_until": until - timedelta(days=min(60, days // 2))},
    ]  # fmt: skip
    return pl.DataFrame([{**dict.fromkeys(OFFERS), **shared, **row} for row in rows], schema=OFFERS)
