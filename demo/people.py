"""Who lives in the city: latent tastes, habits, cadence and churn, and the customer card that names them.

People are drawn in blocks of `BLOCK`, each from its own random streams, so that nobody depends on how many blocks are
held in memory at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from demo.lottery import Bools, Floats, Ints, draw_column
from demo.words import FIRST_NAMES, GIVEN_ZH, LAST_NAMES, SURNAMES_ZH
from demo.world import CUISINES, TIMEZONE, World
from engine.columns import CUSTOMERS, DAY_S, UTC_INSTANT

BLOCK = 10_000
FAVOURITES = 6
COMPANIONS = 2
TASTE_STREAM, HABIT_STREAM, LIFE_STREAM, CARD_STREAM, REFERRAL_STREAM = 2, 3, 4, 5, 11

# Taste segments: cuisines their members lean to; every member still has a mix of their own.
SEGMENTS: dict[str, tuple[str, ...]] = {
    "spice_lovers": ("Sichuan", "Hot pot", "Barbecue", "Noodles"),
    "southern_comfort": ("Cantonese", "Jiangnan", "Tea", "Noodles"),
    "world_kitchen": ("Italian", "Indian", "Mexican", "Japanese"),
    "east_asian": ("Japanese", "Korean", "Tea", "Cantonese"),
    "quick_bites": ("Burgers", "Noodles", "Coffee", "Barbecue"),
    "light_and_fresh": ("Salads", "Coffee", "Japanese", "Tea"),
}
# How many of each read Chinese: tastes and languages go together.
READ_CHINESE = (0.72, 0.72, 0.25, 0.52, 0.46, 0.4)
# How many of those who join later somebody brought, and how many of these eat as they do; all live in their zone.
BROUGHT, ALIKE = 0.3, 0.7
SEGMENT_SHARE = (0.24, 0.20, 0.12, 0.16, 0.18, 0.10)
DAYPART_BASE = (0.08, 0.34, 0.13, 0.31, 0.09, 0.05)
WEEKDAY_BASE = (0.9, 0.9, 0.95, 1.0, 1.3, 1.35, 1.2)


@dataclass(frozen=True, slots=True)
class People:
    """One block. Arrays by person; `first` is the number of the first in the whole city.

    `joined` and `churned` are days after the start of history (joined may lie before it, churned is infinite while they
    stay); `favourites` holds item numbers, `companions` what they order along with each.
    """

    first: int
    zone: Ints
    latitude: Floats
    longitude: Floats
    segment: Ints
    taste: Floats
    dayparts: Floats
    weekdays: Floats
    cadence_days: Floats
    joined: Floats
    churned: Floats
    price_sensitivity: Floats
    repeat_share: Floats
    favourites: Ints
    favourite_share: Floats
    companions: Ints

    def __len__(self) -> int:
        return len(self.zone)

    def ids(self) -> pl.Series:
        """Return the customer ids."""
        return customer_ids(self.first, len(self))


def customer_ids(first: int, count: int) -> pl.Series:
    """Return the ids of `count` customers from number `first` on."""
    numbers = pl.int_range(first + 1, first + 1 + count, eager=True).cast(pl.String)
    return ("c-" + numbers.str.zfill(7)).alias("customer_id")


def draw_people(world: World, seed: int, block: int, *, days: int) -> People:
    """Return the people of one block; the last one of a city may be smaller than the others."""
    first = block * BLOCK
    n = min(BLOCK, world.scale.customers - first)
    taste_rng = np.random.default_rng([seed, TASTE_STREAM, block])
    habit_rng = np.random.default_rng([seed, HABIT_STREAM, block])
    zone = draw_column(np.tile(_zone_weight(world), (n, 1)), habit_rng.random(n))
    at = world.zone_at[zone] + habit_rng.normal(0, 0.006, (n, 2))
    segment = draw_column(np.tile(np.array(SEGMENT_SHARE), (n, 1)), taste_rng.random(n))
    taste = _shares(_segment_alpha()[segment], taste_rng)
    dayparts = _shares(np.tile(np.array(DAYPART_BASE) * 7, (n, 1)), habit_rng)
    weekdays = _shares(np.tile(np.array(WEEKDAY_BASE) * 2.5, (n, 1)), habit_rng)
    sensitivity = taste_rng.beta(2.0, 3.0, n)
    favourites = _favourites(world, zone, taste, dayparts, weekdays, sensitivity, taste_rng)
    joined, churned, cadence = _lives(n, days, np.random.default_rng([seed, LIFE_STREAM, block]))
    vendor = world.item_vendor[favourites]
    companions = world.menu.draw(np.repeat(vendor.ravel(), COMPANIONS), taste_rng.random(n * FAVOURITES * COMPANIONS))
    return People(
        first=first,
        zone=zone,
        latitude=at[:, 0].round(6),
        longitude=at[:, 1].round(6),
        segment=segment,
        taste=taste,
        dayparts=dayparts,
        weekdays=weekdays,
        cadence_days=cadence,
        joined=joined,
        churned=churned,
        price_sensitivity=sensitivity,
        repeat_share=taste_rng.beta(10.0, 2.5, n),
        favourites=favourites,
        favourite_share=_shares(np.tile(4.0 * 0.55 ** np.arange(FAVOURITES), (n, 1)), taste_rng),
        companions=companions.reshape(n, FAVOURITES, COMPANIONS),
    )


def _shares(alpha: Floats, rng: np.random.Generator) -> Floats:
    """Draw one Dirichlet row for each row of `alpha`."""
    drawn = rng.standard_gamma(alpha) + 1e-9
    shares: Floats = drawn / drawn.sum(axis=1, keepdims=True)
    return shares


def _zone_weight(world: World) -> Floats:
    """Return how many people live in each zone, relative to the first: old zones are fuller."""
    weight: Floats = 1.0 / (1.0 + np.arange(len(world.zones)) * 6 / len(world.zones)) ** 0.7
    return weight


def _segment_alpha() -> Floats:
    alpha = np.full((len(SEGMENTS), len(CUISINES)), 0.12)
    names = [cuisine.name for cuisine in CUISINES]
    for row, liked in enumerate(SEGMENTS.values()):
        for place, cuisine in enumerate(liked):
            alpha[row, names.index(cuisine)] = 2.2 - 0.4 * place
    return alpha


def _favourites(
    world: World,
    zone: Ints,
    taste: Floats,
    dayparts: Floats,
    weekdays: Floats,
    sensitivity: Floats,
    rng: np.random.Generator,
) -> Ints:
    """Draw dishes of cuisines they like, to be had where and when they order; thrift picks the cheaper of two."""
    n = len(zone)
    slots = np.repeat(np.arange(n), FAVOURITES)
    place = world.place(
        zone[slots],
        draw_column(dayparts[slots], rng.random(len(slots))),
        draw_column(weekdays[slots], rng.random(len(slots))),
    )
    cuisine = draw_column(taste[slots], rng.random(len(slots)))
    one, two = (pick_dish(world, place, cuisine, rng) for _ in range(2))
    cheaper = np.where(world.item_cents[one] <= world.item_cents[two], one, two)
    thrifty = rng.random(len(slots)) < sensitivity[slots]
    return np.where(thrifty, cheaper, one).reshape(n, FAVOURITES)


def pick_dish(world: World, place: Ints, cuisine: Ints, rng: np.random.Generator) -> Ints:
    """Draw one dish for each place and cuisine; where nobody cooks that there and then, whatever is popular."""
    wanted = world.nearby_cuisine.draw(place * len(CUISINES) + cuisine, rng.random(len(place)))
    popular = world.nearby.draw(place, rng.random(len(place)))
    return np.where(wanted >= 0, wanted, popular)


def _lives(n: int, days: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Return joined, churned (days after the start) and cadence; more than half join within the history."""
    before = rng.random(n) < 0.42
    # The city grows: later days bring more newcomers than early ones.
    joined = np.where(before, -rng.exponential(250.0, n), days * rng.random(n) ** 0.75)
    cadence = np.clip(rng.lognormal(np.log(24.0), 0.75, n), 2.5, 180.0)
    # Frequent customers stay longer; some never leave.
    stays = rng.exponential(np.where(cadence < 20, 620.0, 340.0))
    stays = np.where(rng.random(n) < 0.15, np.inf, stays)
    # A customer who joined before the start had not churned by then, or they would have no history.
    churned = np.maximum(joined, 0.0) + stays
    return joined, np.where(churned < days, churned, np.inf), cadence


def customers_frame(world: World, people: People, seed: int, block: int, *, start: datetime) -> pl.DataFrame:
    """Return the block's customer cards, schema CUSTOMERS: what the operator has of them, gaps included."""
    rng = np.random.default_rng([seed, CARD_STREAM, block])
    n = len(people)
    chinese = rng.random(n) < np.array(READ_CHINESE)[people.segment]
    name = pl.DataFrame(
        {
            "zh": _joined("", _drawn(SURNAMES_ZH, n, rng), _drawn(GIVEN_ZH, n, rng)),
            "en": _joined(" ", _drawn(FIRST_NAMES, n, rng), _drawn(LAST_NAMES, n, rng)),
            "chinese": chinese,
        }
    ).select(pl.when("chinese").then("zh").otherwise("en"))
    ids = people.ids()
    number = rng.integers(0, 10**8, n)
    asked = rng.random(n)
    frame = pl.DataFrame({"customer_id": ids}).with_columns(
        name=_sometimes(name.to_series(), rng, 0.94),
        language=_sometimes(pl.Series(np.where(chinese, "zh", "en")), rng, 0.97),
        timezone=pl.lit(TIMEZONE),
        zone=pl.Series(world.zones).gather(people.zone),
        birthday=_sometimes(_birthdays(n, rng), rng, 0.7),
        gender=_sometimes(pl.Series(np.where(rng.random(n) < 0.55, "female", "male")), rng, 0.6),
        registered_at=instants(start, people.joined),
        referred_by=_referrers(people, np.random.default_rng([seed, REFERRAL_STREAM, block])),
        marketing_consent=_sometimes(pl.Series(asked < 0.83), rng, 0.75),
        # 100 is no mobile prefix: these numbers belong to nobody.
        phone=_sometimes("+86100" + pl.Series(number).cast(pl.String).str.zfill(8), rng, 0.95),
        email=_sometimes(ids + "@example.com", rng, 0.6),
        push_token=_sometimes("push-" + ids, rng, 0.8),
    )
    return frame.select(pl.col(column).cast(dtype) for column, dtype in CUSTOMERS.items())


def _referrers(people: People, rng: np.random.Generator) -> pl.Series:
    """Draw who brought whom: a neighbour of the same block who was there before, mostly one who eats as they do."""
    n = len(people)
    brought = (people.joined > 0) & (rng.random(n) < BROUGHT)
    alike, lot = rng.random(n) < ALIKE, rng.random(n)
    kin = _one_before(people.zone * len(SEGMENTS) + people.segment, people.joined, lot)
    found = np.where(alike, kin, _one_before(people.zone, people.joined, lot))
    # The first of a group was brought by nobody.
    known = brought & (found != np.arange(n))
    names = customer_ids(people.first, n).gather(found)
    return names.zip_with(pl.Series(known), pl.Series([None], dtype=pl.String).new_from_index(0, n))


def _one_before(group: Ints, joined: Floats, lot: Floats) -> Ints:
    """Return for each the place of one of their group who joined before them; their own where they were the first."""
    order = np.lexsort((joined, group))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    begins = np.searchsorted(group[order], group)
    drawn: Ints = order[begins + np.floor(lot * (place - begins)).astype(np.int64)]
    return drawn


def _drawn(words: Sequence[str], n: int, rng: np.random.Generator) -> pl.Series:
    # Common names are common: the draw leans to the front of the list.
    return pl.Series(words).gather((rng.random(n) ** 1.5 * len(words)).astype(np.int64))


def _joined(separator: str, first: pl.Series, second: pl.Series) -> pl.Series:
    return first + separator + second


def _sometimes(values: pl.Series, rng: np.random.Generator, share: float) -> pl.Series:
    known: Bools = rng.random(len(values)) < share
    return values.zip_with(pl.Series(known), pl.Series([None], dtype=values.dtype).new_from_index(0, len(values)))


def _birthdays(n: int, rng: np.random.Generator) -> pl.Series:
    # Days since 1970: born from 1950 to 2008.
    days = np.clip(rng.normal(9_000, 3_300, n), -7_300, 13_880).astype(np.int32)
    return pl.Series(days).cast(pl.Date)


def instants(start: datetime, days: Floats) -> pl.Series:
    """Return instants so many days after `start`, in whole seconds."""
    seconds = np.floor(days * DAY_S).astype(np.int64)
    return pl.Series((round(start.timestamp()) + seconds) * 1_000_000).cast(UTC_INSTANT)
