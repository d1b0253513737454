"""A whole city from a seed: in memory, or written in parts; and what its customers do after they got a coupon."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from demo import coupons
from demo.coupons import Outcomes, Received
from demo.lottery import Floats, Ints
from demo.orders import COUPON_KINDS, WHAT_STREAM, fill, midnight, past_moments
from demo.people import BLOCK, FAVOURITES, SEGMENTS, People, customers_frame, draw_people, instants
from demo.world import CUISINES, DAYPARTS, CityScale, World, build_world
from engine.columns import DAY_S, UTC_INSTANT
from engine.errors import BadColumns, InputError

DAYS = 365
RESPONSE_STREAM = 10
LINE_FILE = ["order_id", "item_id", "quantity", "line_cents"]
COUPON_CHANCES = [f"p_order_14d_{kind}" for kind in COUPON_KINDS]

TRUTH: dict[str, pl.DataType | type[pl.DataType]] = {
    "customer_id": pl.String,
    "segment": pl.String,
    "cuisine_shares": pl.Array(pl.Float32, len(CUISINES)),
    "daypart_shares": pl.Array(pl.Float32, len(DAYPARTS)),
    "weekday_shares": pl.Array(pl.Float32, 7),
    "cadence_days": pl.Float64,
    "repeat_share": pl.Float64,
    "price_sensitivity": pl.Float64,
    "joined_at": UTC_INSTANT,
    "churned_at": UTC_INSTANT,
    "last_ordered_at": UTC_INSTANT,
    "p_order_14d": pl.Float64,
    **dict.fromkeys(COUPON_CHANCES, pl.Float64),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a city follows from. History runs from `start`, a local midnight, until `until`, both UTC."""

    scale: CityScale
    seed: int
    until: datetime
    days: int

    @property
    def start(self) -> datetime:
        """The local midnight on which history begins."""
        return midnight(self.until - timedelta(days=self.days)).astimezone(UTC)

    @property
    def blocks(self) -> int:
        """How many blocks of people it has."""
        return -(-self.scale.customers // BLOCK)


@dataclass(frozen=True, slots=True)
class City:
    """A simulated city. Frames have the schemas of `engine.columns`; the truth is what no observer could know.

    `truth` has one row per customer (TRUTH): tastes by CUISINES, dayparts by DAYPARTS, weekdays from Monday, churned_at
    null while they stay, chances to order within 14 days of `until` without and with a coupon of each kind.
    `favourites` has customer_id, item_id and share of their repeats.
    """

    plan: Plan
    world: World
    customers: pl.DataFrame
    orders: pl.DataFrame
    lines: pl.DataFrame
    truth: pl.DataFrame
    favourites: pl.DataFrame

    @property
    def vendors(self) -> pl.DataFrame:
        """Vendors, schema VENDORS."""
        return self.world.vendors

    @property
    def items(self) -> pl.DataFrame:
        """Dishes, schema ITEMS."""
        return self.world.items

    @property
    def offers(self) -> pl.DataFrame:
        """Public and issued offers, schema OFFERS."""
        return self.world.offers


@dataclass(frozen=True, slots=True)
class Block:
    """What one block of people adds to a city."""

    customers: pl.DataFrame
    orders: pl.DataFrame
    lines: pl.DataFrame
    truth: pl.DataFrame
    favourites: pl.DataFrame


PARTS = ("customers", "orders", "lines", "truth", "favourites")


def simulate(scale: CityScale | int, *, seed: int, until: datetime, days: int = DAYS) -> City:
    """Return the city of `seed` with `days` of history ending at `until`; a number of customers gets the usual size.

    Equal arguments give equal frames. Raises InputError for arguments that make no city.
    """
    plan = plan_city(scale, seed=seed, until=until, days=days)
    world = build_world(plan.scale, seed, until=plan.until, days=days)
    blocks = list(_blocks(plan, world))
    frames = {name: pl.concat([getattr(block, name) for block in blocks]) for name in PARTS}
    return City(plan=plan, world=world, **frames)


def plan_city(scale: CityScale | int, *, seed: int, until: datetime, days: int) -> Plan:
    """Check the arguments. Raises InputError naming the wrong one."""
    if isinstance(scale, int) and not 1 <= scale <= 9_999_999:
        raise InputError(f"expected 1 to 9,999,999, not {scale}", where="customers")
    if until.tzinfo is None:
        raise InputError("needs a time zone", where="until")
    if not 1 <= days <= 3_650:
        raise InputError(f"expected 1 to 3,650, not {days}", where="days")
    if seed < 0:
        raise InputError(f"expected 0 or more, not {seed}", where="seed")
    return Plan(
        CityScale.of(scale) if isinstance(scale, int) else scale,
        seed,
        until.astimezone(UTC).replace(microsecond=0),
        days,
    )


def _blocks(plan: Plan, world: World) -> Iterator[Block]:
    for number in range(plan.blocks):
        people = draw_people(world, plan.seed, number, days=plan.days)
        moments = past_moments(people, plan.seed, number, start=plan.start, until=plan.until)
        rng = np.random.default_rng([plan.seed, WHAT_STREAM, number])
        orders, lines = fill(world, people, moments, f"o-{number:04d}-", rng)
        last = np.full(len(people), np.nan)
        last[moments.who] = (moments.at_s - plan.start.timestamp()) / DAY_S
        end = (plan.until - plan.start).total_seconds() / DAY_S
        outcomes = coupons.potential_outcomes(people, plan.seed, number, last_day=last, end_day=end)
        yield Block(
            customers=customers_frame(world, people, plan.seed, number, start=plan.start),
            orders=orders,
            lines=lines,
            truth=_truth(plan, people, last, outcomes),
            favourites=_favourites(world, people),
        )


def _truth(plan: Plan, people: People, last: Floats, outcomes: Outcomes) -> pl.DataFrame:
    chances = {name: outcomes.with_coupon[:, i] for i, name in enumerate(COUPON_CHANCES)}
    frame = pl.DataFrame(
        {
            "customer_id": people.ids(),
            "segment": pl.Series(list(SEGMENTS)).gather(people.segment),
            "cuisine_shares": people.taste,
            "daypart_shares": people.dayparts,
            "weekday_shares": people.weekdays,
            "cadence_days": people.cadence_days,
            "repeat_share": people.repeat_share,
            "price_sensitivity": people.price_sensitivity,
            "joined_at": instants(plan.start, people.joined),
            "churned_at": _known_instants(plan.start, people.churned),
            "last_ordered_at": _known_instants(plan.start, last),
            "p_order_14d": outcomes.without,
            **chances,
        }
    )
    return frame.select(pl.col(name).cast(dtype) for name, dtype in TRUTH.items())


def _known_instants(start: datetime, days: Floats) -> pl.Series:
    known = np.isfinite(days)
    found = instants(start, np.where(known, days, 0.0))
    return found.zip_with(pl.Series(known), pl.Series([None], dtype=UTC_INSTANT).new_from_index(0, len(found)))


def _favourites(world: World, people: People) -> pl.DataFrame:
    n = len(people)
    return pl.DataFrame(
        {
            "customer_id": people.ids().gather(np.repeat(np.arange(n), FAVOURITES)),
            "item_id": world.items["item_id"].gather(people.favourites.ravel()),
            "share": people.favourite_share.ravel(),
        }
    )


@dataclass(frozen=True, slots=True)
class CityFiles:
    """Files of a written city, by what they hold, and how many rows each kind has."""

    folder: Path
    files: dict[str, tuple[Path, ...]]
    rows: dict[str, int]


def write_city(
    folder: Path,
    scale: CityScale | int,
    *,
    seed: int,
    until: datetime,
    days: int = DAYS,
    chunk_customers: int = 100_000,
    report: Callable[[int], None] = lambda _: None,
) -> CityFiles:
    """Write a city as Parquet files that `regulars import` reads, holding one part of the customers at a time.

    A city of one part lies in `orders.parquet`, `lines.parquet` and so on; more parts are numbered,
    `orders-00000.parquet`. `chunk_customers` is rounded up to whole blocks of 10,000 and changes nothing but the
    number of files. The truth lies in `truth/`; `report` gets the number of customers written.
    Raises InputError, also for a folder that holds something.
    """
    if chunk_customers < 1:
        raise InputError("expected 1 or more", where="chunk_customers")
    plan = plan_city(scale, seed=seed, until=until, days=days)
    world = build_world(plan.scale, seed, until=plan.until, days=days)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("is not an empty folder; name a new one", where=str(folder))
    (folder / "truth").mkdir(parents=True)
    files: dict[str, list[Path]] = {}
    rows: dict[str, int] = {}
    for name in ("vendors", "items", "offers"):
        _write(folder / f"{name}.parquet", getattr(world, name), name, files, rows)
    per_part = -(-chunk_customers // BLOCK)
    parts = -(-plan.blocks // per_part)
    held: list[Block] = []
    written = 0
    for number, block in enumerate(_blocks(plan, world)):
        held.append(block)
        if len(held) < per_part and number < plan.blocks - 1:
            continue
        suffix = "" if parts == 1 else f"-{written:05d}"
        for name in PARTS:
            frame = pl.concat([getattr(each, name) for each in held])
            below = folder / "truth" if name in {"truth", "favourites"} else folder
            plain = "customers" if name == "truth" else name
            _write(below / f"{plain}{suffix}.parquet", _as_file(name, frame), name, files, rows)
        held, written = [], written + 1
        report(rows["customers"])
    return CityFiles(folder, {name: tuple(paths) for name, paths in files.items()}, rows)


def _as_file(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Leave out what an import derives itself."""
    if name == "lines":
        return frame.select(LINE_FILE)
    return frame.drop("basket_no") if name == "orders" else frame


def _write(path: Path, frame: pl.DataFrame, name: str, files: dict[str, list[Path]], rows: dict[str, int]) -> None:
    frame.write_parquet(path)
    files.setdefault(name, []).append(path)
    rows[name] = rows.get(name, 0) + frame.height


def respond(
    city: City,
    treated: pl.DataFrame,
    *,
    at: datetime,
    days: int,
    draw: int = 0,
    offer_ids: Mapping[str, str] | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw what happens in the `days` after `at`: orders (schema ORDERS) and lines (schema LINES).

    `treated` has customer_id and kind (percent, amount, free_delivery), and may have received_at (missing or null: at
    once). Everybody else orders as they would have anyway; another `draw` is another possible future of the same city.
    Orders that use a coupon name `offer_ids[kind]`, or the kind. The chance of a delivered order within whole days
    follows the truth's p_order_14d exactly, see `demo.coupons`; the truth is that of the end of history.
    Raises InputError when `at` lies before that, an id or kind is unknown, or somebody is treated twice.
    """
    if at.tzinfo is None or at < city.plan.until:
        raise InputError(f"must not lie before the end of history, {city.plan.until.isoformat()}", where="at")
    if not 1 <= days <= 3_650:
        raise InputError(f"expected 1 to 3,650, not {days}", where="days")
    kind, day = _received(city, treated, at)
    names = tuple((offer_ids or {}).get(name, name) for name in COUPON_KINDS)
    orders, lines = [], []
    for block in range(city.plan.blocks):
        people = draw_people(city.world, city.plan.seed, block, days=city.plan.days)
        span = slice(people.first, people.first + len(people))
        truth = city.truth[span]
        moments, granted = coupons.next_moments(
            people,
            Outcomes(truth["p_order_14d"].to_numpy(), truth.select(COUPON_CHANCES).to_numpy()),
            Received(kind[span], day[span]),
            seed=city.plan.seed,
            block=block,
            draw=draw,
            at=at,
            days=days,
            offer_ids=names,
        )
        rng = np.random.default_rng([city.plan.seed, RESPONSE_STREAM, block, draw, int(at.timestamp())])
        prefix = f"r-{int(at.timestamp())}-{draw}-{block:04d}-"
        filled = fill(city.world, people, moments, prefix, rng, granted)
        orders.append(filled[0])
        lines.append(filled[1])
    return pl.concat(orders), pl.concat(lines)


def _received(city: City, treated: pl.DataFrame, at: datetime) -> tuple[Ints, Floats]:
    """Return each customer's coupon kind (-1 for none) and the day after `at` they received it."""
    for name in ("customer_id", "kind"):
        if name not in treated.columns:
            raise BadColumns(f"column {name!r} is missing", where="treated")
    places = city.truth.select("customer_id").with_row_index("place")
    found = treated.join(places, on="customer_id", how="left", maintain_order="left")
    unknown = found.filter(pl.col("place").is_null())
    if unknown.height:
        raise InputError(f"customer {unknown['customer_id'][0]!r} does not live here", where="treated")
    if found["place"].is_duplicated().any():
        raise InputError("names a customer twice; one coupon each", where="treated")
    wrong = found.filter(~pl.col("kind").is_in(COUPON_KINDS).fill_null(value=False))
    if wrong.height:
        raise InputError(f"unknown kind {wrong['kind'][0]!r}; valid are {', '.join(COUPON_KINDS)}", where="treated")
    received = pl.col("received_at").fill_null(at) if "received_at" in found.columns else pl.lit(at)
    found = found.with_columns(delay=received - pl.lit(at))
    days = found["delay"].dt.total_microseconds().to_numpy() / (DAY_S * 1e6)
    if (days < 0).any():
        raise InputError("somebody received a coupon before `at`", where="treated.received_at")
    kind, day = np.full(city.truth.height, -1), np.zeros(city.truth.height)
    numbers = found["kind"].replace_strict(list(COUPON_KINDS), range(len(COUPON_KINDS)), return_dtype=pl.Int64)
    kind[found["place"].to_numpy()] = numbers.to_numpy()
    day[found["place"].to_numpy()] = days
    return kind, day
