"""What people order: from moments in time to orders and lines, favourites first, from whoever is open and delivers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from demo.lottery import Bools, Floats, Ints, draw_column
from demo.people import COMPANIONS, People, pick_dish
from demo.world import CURRENCY, DAYPARTS, TIMEZONE, World
from engine.columns import DAY_S, LINES, ORDERS, UTC_INSTANT

WHEN_STREAM, WHAT_STREAM = 6, 7
# Gaps between a customer's orders are gamma with this shape: more regular than chance, less than a clock.
GAP_SHAPE = 2.0
CANCELLED, REFUSED, REFUNDED = 0.02, 0.004, 0.004
RATED = 0.3


@dataclass(frozen=True, slots=True)
class Moments:
    """Orders to be filled, sorted by person and time.

    `who` is the person's place in their block; `daypart` and `weekday` (0 is Monday) are those of the business
    day, which runs past midnight; `at_s` is UTC seconds since 1970; `first` marks a customer's first order ever.
    """

    who: Ints
    daypart: Ints
    weekday: Ints
    at_s: Ints
    first: Bools

    def keep(self, wanted: Bools) -> Moments:
        """Return the moments where `wanted`."""
        return Moments(*(getattr(self, name)[wanted] for name in ("who", "daypart", "weekday", "at_s", "first")))


@dataclass(frozen=True, slots=True)
class Granted:
    """What a coupon brought, by order: `kind` is its place in COUPON_KINDS, -1 for none, `offer_ids` names each.

    Orders marked `delivered` are neither cancelled nor refunded: chances to order are stated in delivered orders.
    """

    kind: Ints
    offer_ids: tuple[str, ...]
    delivered: Bools


@dataclass(frozen=True, slots=True)
class DrawnBaskets:
    """Lines before they are frames, sorted by order: `order` numbers the moment, prices in cents."""

    order: Ints
    item: Ints
    quantity: Ints
    cents: Ints
    vendor: Ints
    total_cents: Ints


def midnight(at: datetime) -> datetime:
    """Return the local midnight before `at`, in the city's zone."""
    return at.astimezone(ZoneInfo(TIMEZONE)).replace(hour=0, minute=0, second=0, microsecond=0)


def past_moments(people: People, seed: int, block: int, *, start: datetime, until: datetime) -> Moments:
    """Return when everybody of a block ordered from `start` (a local midnight) until `until` or their churn."""
    rng = np.random.default_rng([seed, WHEN_STREAM, block])
    days = (until - start).total_seconds() / DAY_S
    # Whoever was there before the history began is somewhere between two orders when it does.
    wait = np.where(people.joined < 0, people.cadence_days * rng.random(len(people)), rng.exponential(1.5, len(people)))
    begin = np.maximum(people.joined, 0.0) + wait
    end = np.minimum(people.churned, days)
    who, t = gap_times(people.cadence_days, begin, end, rng)
    who, t = who[t < end[who]], t[t < end[who]]
    weekday0 = midnight(start).weekday()
    day, weekday = _near_favourite_weekday(people, who, t, weekday0, rng)
    daypart, minute = _minutes(people, who, rng)
    at_s = round(start.timestamp()) + day * DAY_S + minute
    order = np.lexsort((at_s, who))
    who, at_s = who[order], at_s[order]
    newcomer = (people.joined >= 0)[who]
    within = (at_s < round(start.timestamp()) + end[who] * DAY_S) & (
        at_s >= round(start.timestamp()) + people.joined[who] * DAY_S
    )
    made = Moments(who, daypart[order], weekday[order], at_s, newcomer).keep(within)
    first = made.first & (np.diff(made.who, prepend=-1) != 0)
    return Moments(made.who, made.daypart, made.weekday, made.at_s, first)


def gap_times(cadence_days: Floats, begin: Floats, end: Floats, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Return (person, time) of renewal processes: the first at `begin`, then gamma gaps; in days.

    At least as many as lie below `end`, and somewhat more: the caller drops what it does not need.
    """
    room = np.maximum(end - begin, 0.0) / cadence_days
    most = np.where(end > begin, np.ceil(room + 5 * np.sqrt(room / GAP_SHAPE) + 5), 0).astype(np.int64)
    who = np.repeat(np.arange(len(begin)), most)
    gaps = rng.standard_gamma(GAP_SHAPE, len(who)) * (cadence_days / GAP_SHAPE)[who]
    starts = (np.cumsum(most) - most)[most > 0]
    gaps[starts] = 0.0
    total = np.cumsum(gaps)
    return who, begin[who] + total - np.repeat(total[starts], most[most > 0])


def _near_favourite_weekday(
    people: People, who: Ints, t: Floats, weekday0: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Return the day of each order and its weekday: the day it falls due or one of the two after, as they like."""
    day = np.floor(t).astype(np.int64)
    coming = (weekday0 + day[:, None] + np.arange(3)) % 7
    shift = draw_column(people.weekdays[who[:, None], coming], rng.random(len(who)))
    return day + shift, (weekday0 + day + shift) % 7


def _minutes(people: People, who: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Return each order's daypart and its second after the midnight that begins the business day."""
    daypart = draw_column(people.dayparts[who], rng.random(len(who)))
    spans = np.array(list(DAYPARTS.values())) * 60
    low, high = spans[daypart, 0], spans[daypart, 1]
    # The mean of two draws: the middle of a daypart is its rush hour.
    return daypart, (low + (high - low) * (rng.random(len(who)) + rng.random(len(who))) / 2).astype(np.int64)


def within_day(people: People, who: Ints, from_s: Ints, rng: np.random.Generator) -> Moments:
    """Return one moment for each `who` in the 24 hours from `from_s`, at one of their dayparts."""
    daypart, second = _minutes(people, who, rng)
    offset = round(midnight(datetime.fromtimestamp(0, ZoneInfo("UTC"))).timestamp())
    base = (from_s - offset) // DAY_S
    at_s = offset + base * DAY_S + second
    late, early = at_s >= from_s + DAY_S, at_s < from_s
    day = base - late + early
    at_s = offset + day * DAY_S + second
    return Moments(who, daypart, (day + 3) % 7, at_s, np.zeros(len(who), dtype=bool))


def fill(
    world: World,
    people: People,
    moments: Moments,
    prefix: str,
    rng: np.random.Generator,
    granted: Granted | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return orders (schema ORDERS) and lines (schema LINES) of the moments; `prefix` begins every order id.

    An order given a coupon by `granted` uses it in place of a public offer, whatever its minimum spend.
    """
    baskets = _fill_baskets(world, people, moments, rng)
    n = len(moments.who)
    ids = prefix + pl.int_range(n, eager=True).cast(pl.String).str.zfill(7)
    fee = world.fee_cents[baskets.vendor]
    offers, discount = _discounts(world, people, moments, baskets, fee, rng)
    status = draw_column(
        np.tile([1 - CANCELLED - REFUSED - REFUNDED, CANCELLED, REFUSED, REFUNDED], (n, 1)), rng.random(n)
    )
    if granted is not None:
        status, discount, offers = _granted(granted, baskets, fee, status, discount, offers)
    rating = np.clip(np.round(rng.normal(world.quality[baskets.vendor], 0.9)), 1, 5)
    rated = (rng.random(n) < RATED) & (status == 0)
    number = people.ids()
    orders = pl.DataFrame(
        {
            "order_id": ids,
            "customer_id": number.gather(moments.who),
            "ordered_at": pl.Series(moments.at_s * 1_000_000).cast(UTC_INSTANT),
            "vendor_id": world.vendors["vendor_id"].gather(baskets.vendor),
            "zone": pl.Series(world.zones).gather(people.zone[moments.who]),
            "latitude": people.latitude[moments.who],
            "longitude": people.longitude[moments.who],
            "channel": pl.Series(["app", "web", "phone"]).gather(
                draw_column(np.tile([0.86, 0.11, 0.03], (n, 1)), rng.random(n))
            ),
            "payment_method": pl.Series(["wechat", "alipay", "card", "cash"]).gather(
                draw_column(np.tile([0.5, 0.35, 0.1, 0.05], (n, 1)), rng.random(n))
            ),
            "offer_id": offers,
            "status": pl.Series(["delivered", "cancelled", "rejected", "refunded"]).gather(status),
            "order_cents": baskets.total_cents - discount + fee,
            "discount_cents": discount,
            "delivery_fee_cents": fee,
            "currency": pl.Series([CURRENCY]).new_from_index(0, n),
            "rating": pl.Series(rating).zip_with(
                pl.Series(rated), pl.Series([None], dtype=pl.Float64).new_from_index(0, n)
            ),
        }
    ).with_columns(basket_no=pl.lit(None))
    return _conform(orders, ORDERS), _lines(world, orders, baskets)


def _lines(world: World, orders: pl.DataFrame, baskets: DrawnBaskets) -> pl.DataFrame:
    repeated = orders.select("order_id", "customer_id", "ordered_at", "status", "vendor_id")[baskets.order]
    lines = repeated.with_columns(
        line_no=pl.lit(0),
        item_id=world.items["item_id"].gather(baskets.item),
        quantity=pl.Series(baskets.quantity),
        line_cents=pl.Series(baskets.cents),
    )
    return _conform(lines, LINES)


def _conform(frame: pl.DataFrame, schema: dict[str, pl.DataType | type[pl.DataType]]) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _fill_baskets(world: World, people: People, moments: Moments, rng: np.random.Generator) -> DrawnBaskets:
    """Choose the main dish, what goes along with it from the same kitchen, and how many portions."""
    who, n = moments.who, len(moments.who)
    main, slot = _main_dishes(world, people, moments, rng)
    vendor = world.item_vendor[main]
    extra = draw_column(np.tile([0.32, 0.36, 0.21, 0.11], (n, 1)), rng.random(n))
    order = np.repeat(np.arange(n), extra)
    place = np.arange(len(order)) - np.repeat(np.cumsum(extra) - extra, extra)
    drawn = world.menu.draw(vendor[order], rng.random(len(order)))
    usual = people.companions[who[order], slot[order], np.minimum(place, COMPANIONS - 1)]
    from_habit = (slot[order] >= 0) & (place < COMPANIONS) & (rng.random(len(order)) < people.repeat_share[who[order]])
    item = np.concatenate([main, np.where(from_habit, usual, drawn)])
    # An order holds a dish once; one drawn twice is ordered once.
    keys = np.unique(np.concatenate([np.arange(n), order]) * len(world.item_vendor) + item)
    order, item = keys // len(world.item_vendor), keys % len(world.item_vendor)
    u = rng.random(len(keys))
    quantity = 1 + (u < 0.13).astype(np.int64) + (u < 0.02)
    cents = world.item_cents[item] * quantity
    total = np.bincount(order, weights=cents, minlength=n).astype(np.int64)
    return DrawnBaskets(order, item, quantity, cents, vendor, total)


def _main_dishes(world: World, people: People, moments: Moments, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Return the main dish of each order and which favourite it is, -1 for something new.

    They repeat a favourite whose kitchen is open, or explore: mostly cuisines they like, else what is popular nearby.
    """
    who, n = moments.who, len(moments.who)
    favourites = people.favourites[who]
    open_now = world.open_at[world.item_vendor[favourites], moments.daypart[:, None], moments.weekday[:, None]]
    share = people.favourite_share[who] * open_now
    repeats = (rng.random(n) < people.repeat_share[who]) & open_now.any(axis=1)
    slot = draw_column(share, rng.random(n))
    place = world.place(people.zone[who], moments.daypart, moments.weekday)
    liked = pick_dish(world, place, draw_column(people.taste[who], rng.random(n)), rng)
    popular = world.nearby.draw(place, rng.random(n))
    new = np.where(rng.random(n) < 0.7, liked, popular)
    chosen = np.where(repeats, favourites[np.arange(n), slot], new)
    return chosen, np.where(repeats, slot, -1)


def _discounts(
    world: World, people: People, moments: Moments, baskets: DrawnBaskets, fee: Ints, rng: np.random.Generator
) -> tuple[pl.Series, Ints]:
    """Return the public offer each order used (null for none) and what it took off; thrifty people use more."""
    n = len(moments.who)
    tries = rng.random(n) < 0.1 + 0.45 * people.price_sensitivity[moments.who]
    best, saved = np.full(n, -1), np.zeros(n, dtype=np.int64)
    zone = people.zone[moments.who]
    at = pl.Series(moments.at_s * 1_000_000).cast(UTC_INSTANT)
    for row, offer in enumerate(world.offers.iter_rows(named=True)):
        if offer["audience"] == "issued":
            continue
        holds = (at.is_between(offer["valid_from"], offer["valid_until"], closed="left")).to_numpy()
        holds = holds & tries & (baskets.total_cents >= (offer["min_spend_cents"] or 0))
        if offer["audience"] == "first_order":
            holds &= moments.first
        if offer["zones"]:
            holds &= np.isin(zone, [world.zones.index(name) for name in offer["zones"].split("|")])
        saving = np.where(holds, saving_cents(offer, baskets.total_cents, fee), 0)
        best, saved = np.where(saving > saved, row, best), np.maximum(saving, saved)
    ids = pl.Series([*world.offers["offer_id"], None]).gather(np.where(best < 0, len(world.offers), best))
    return ids, saved


def saving_cents(offer: dict[str, object], total_cents: Ints, fee_cents: Ints) -> Ints:
    """Return what an offer's row takes off baskets that meet its minimum."""
    cap = offer["cap_cents"]
    most = np.iinfo(np.int64).max if cap is None else int(str(cap))
    if offer["kind"] == "percent":
        # Half up, in whole basis points, as the service reckons it.
        off = (total_cents * round(float(str(offer["percent"])) * 100) + 5_000) // 10_000
    elif offer["kind"] == "amount":
        off = np.minimum(int(str(offer["amount_cents"])), total_cents)
    else:
        off = fee_cents
    saving: Ints = np.minimum(off, most)
    return saving


# Terms of the coupons whose effect is known, by kind.
COUPON_TERMS: dict[str, dict[str, object]] = {
    "percent": {"kind": "percent", "percent": 20.0, "cap_cents": 1500, "amount_cents": None},
    "amount": {"kind": "amount", "percent": None, "cap_cents": None, "amount_cents": 1000},
    "free_delivery": {"kind": "free_delivery", "percent": None, "cap_cents": None, "amount_cents": None},
}
COUPON_KINDS = tuple(COUPON_TERMS)


def _granted(
    granted: Granted, baskets: DrawnBaskets, fee: Ints, status: Ints, discount: Ints, offers: pl.Series
) -> tuple[Ints, Ints, pl.Series]:
    """Put the coupon in place of a public offer on orders that hold one."""
    for number, terms in enumerate(COUPON_TERMS.values()):
        here = granted.kind == number
        discount = np.where(here, saving_cents(terms, baskets.total_cents, fee), discount)
    held = granted.kind >= 0
    named = pl.Series([*granted.offer_ids, None], dtype=pl.String).gather(np.where(held, granted.kind, -1))
    return np.where(granted.delivered, 0, status), discount, offers.zip_with(pl.Series(~held), named)
