"""Habits: dishes, cuisines, vendors, hours, weekdays, zones, payment, party size, price band."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.columns import UTC_INSTANT
from engine.customers.behaviour.purchases import Purchases
from engine.customers.behaviour.tops import count_pairs, most_frequent, name_lists, regroup
from engine.customers.columns import DAYPART_NAMES, PRICE_BANDS
from engine.history.dayparts import Dayparts

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lines:
    """Delivered lines as arrays, sorted by nothing: whose, when, which dish (place in `items`), portions, margin.

    `first_of_dish` marks one line per order and dish.
    """

    items: pl.Series
    customer: Ints
    second: Ints
    item: Ints
    quantity: Floats
    first_of_dish: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Menu:
    """What is known of each dish of `Lines.items`: number of its category and cuisine (-1 unknown), margin (NaN)."""

    category: Ints
    categories: pl.Series
    cuisine: Ints
    cuisines: pl.Series
    margin_cents: Floats


def read_lines(lines: pl.LazyFrame, purchases: Purchases) -> Lines:
    """Read the delivered lines that count as of the purchases' moment."""
    at = pl.lit(purchases.moment.at).cast(UTC_INSTANT)
    delivered = lines.filter((pl.col("status") == "delivered") & (pl.col("ordered_at") <= at))
    items = delivered.select("item_id").unique().collect(engine="streaming")["item_id"].drop_nulls().sort()
    frame = delivered.select(
        pl.col("customer_id").cast(pl.Enum(purchases.ids)).to_physical().alias("customer"),
        pl.col("ordered_at").dt.epoch("s").alias("second"),
        pl.col("item_id").cast(pl.Enum(items)).to_physical().alias("item"),
        "quantity",
        (pl.col("line_no") == 0).alias("first"),
    ).collect(engine="streaming")
    return Lines(
        items,
        frame["customer"].to_numpy().astype(np.int64),
        frame["second"].to_numpy(),
        frame["item"].to_numpy().astype(np.int64),
        frame["quantity"].cast(pl.Float64).to_numpy(),
        frame["first"].to_numpy(),
    )


def read_menu(items: pl.Series, table: pl.DataFrame, vendors: pl.DataFrame) -> Menu:
    """Return what ITEMS and VENDORS hold of each of `items`; a dish without a cuisine has its vendor's."""
    kitchen = vendors.select("vendor_id", pl.col("cuisine").alias("vendor_cuisine")).unique("vendor_id", keep="last")
    known = (
        items.alias("item_id")
        .to_frame()
        .join(table.unique("item_id", keep="last"), on="item_id", how="left", maintain_order="left")
        .join(kitchen, on="vendor_id", how="left", maintain_order="left")
        .with_columns(pl.coalesce("cuisine", "vendor_cuisine").alias("cuisine"))
    )
    category, categories = _numbered(known["category"])
    cuisine, cuisines = _numbered(known["cuisine"])
    margin = known["margin_cents"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return Menu(category, categories, cuisine, cuisines, margin)


def dish_columns(lines: Lines, menu: Menu, n: int) -> dict[str, pl.Series]:
    """Return the columns of dishes, categories and cuisines."""
    used = lines.first_of_dish
    pairs = count_pairs(lines.customer[used], lines.item[used], lines.second[used])
    newest = np.full(n, -1, np.int64)
    np.maximum.at(newest, pairs.customer, pairs.first)
    columns = {
        "top_items": name_lists(most_frequent(pairs, n), lines.items),
        "distinct_items": pl.Series(np.bincount(pairs.customer, minlength=n)),
        "last_new_item_at": _instants(newest),
    }
    for name, number, names in (
        ("top_categories", menu.category, menu.categories),
        ("top_cuisines", menu.cuisine, menu.cuisines),
    ):
        columns[name] = name_lists(most_frequent(regroup(pairs, number, len(names), n), n), names)
    return columns


def party_size(lines: Lines, n: int) -> Floats:
    """Return the median portions of each customer's orders; NaN without lines. Orders of one second count as one."""
    key = (lines.customer << 34) + lines.second
    # History keeps an order's lines together; whatever is not is brought together below.
    first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1]))) if len(key) else np.empty(0, np.int64)
    keys = key[first]
    portions = np.add.reduceat(lines.quantity, first) if len(first) else np.empty(0)
    in_order = pl.Series(keys).sort().to_numpy()
    if (in_order[1:] == in_order[:-1]).any():
        parts = pl.DataFrame({"key": keys, "portions": portions}).group_by("key").agg(pl.col("portions").sum())
        keys, portions = parts["key"].to_numpy(), parts["portions"].to_numpy()
    # Bits of floats above zero rise with them, so one whole number sorts by customer, then size, exactly.
    size = portions.astype(np.float32).view(np.uint32).astype(np.int64)
    packed = pl.Series((keys >> 34 << 32) + size).sort().to_numpy()
    ordered = (packed & 0xFFFFFFFF).astype(np.uint32).view(np.float32).astype(np.float64)
    count = np.bincount(packed >> 32, minlength=n)
    start = np.cumsum(count) - count
    found = np.full(n, np.nan)
    there = count > 0
    lower, upper = start[there] + (count[there] - 1) // 2, start[there] + count[there] // 2
    found[there] = (ordered[lower] + ordered[upper]) / 2
    return found


def margins(lines: Lines, menu: Menu, purchases: Purchases, since_second: int) -> tuple[Floats, Floats]:
    """Return what each customer's dishes earned less discounts, ever and from `since_second` on, in minor units.

    NaN where none of the dishes has a known margin.
    """
    n = purchases.n
    known = np.isfinite(menu.margin_cents)
    if not known.any():
        return np.full(n, np.nan), np.full(n, np.nan)
    # What is unknown is settled per dish, a handful, before it is spread over all lines.
    earned = np.where(known, menu.margin_cents, 0.0)[lines.item] * lines.quantity
    some = np.bincount(lines.customer, known[lines.item], minlength=n) > 0
    totals = [np.bincount(lines.customer, earned, minlength=n)]
    totals.append(np.bincount(lines.customer, earned * (lines.second >= since_second), minlength=n))
    discount, late = purchases.orders["discount"].to_numpy(), purchases.orders["second"].to_numpy() >= since_second
    given = (
        np.bincount(purchases.customer, discount, minlength=n),
        np.bincount(purchases.customer[late], discount[late], minlength=n),
    )
    return np.where(some, totals[0] - given[0], np.nan), np.where(some, totals[1] - given[1], np.nan)


def timing_columns(purchases: Purchases, config: Dayparts) -> dict[str, pl.Series]:
    """Return the columns of order times: dayparts, weekdays, best hour."""
    n, customer = purchases.n, purchases.customer
    hour = purchases.orders["hour"].to_numpy().astype(np.int64)
    weekday = purchases.orders["weekday"].to_numpy().astype(np.int64) - 1
    part = np.array(config.part_of_hour())[hour]
    parts = _counts(customer, part, n, len(DAYPART_NAMES))
    weekdays = _counts(customer, weekday, n, 7)
    hours = _counts(customer, hour, n, 24)
    around = 2 * hours + np.roll(hours, 1, axis=1) + np.roll(hours, -1, axis=1)
    ordered = hours.sum(axis=1) > 0
    shares, weekday_shares = _shares(parts), _shares(weekdays)
    return {
        "daypart_shares": _lists(shares, ordered),
        "weekday_shares": _lists(weekday_shares, ordered),
        "favourite_daypart": _where(pl.Series(np.array(DAYPART_NAMES)[parts.argmax(axis=1)]), ordered),
        "favourite_weekday": _where(pl.Series(weekdays.argmax(axis=1) + 1), ordered),
        "lunch_share": _where(pl.Series(shares[:, DAYPART_NAMES.index("lunch")]), ordered),
        "weekend_share": _where(pl.Series(weekday_shares[:, 5:].sum(axis=1)), ordered),
        "best_hour": _where(pl.Series(around.argmax(axis=1)), ordered),
    }


def place_columns(purchases: Purchases) -> dict[str, pl.Series]:
    """Return the columns of vendors, zones and payment: top_vendors, zones, payment_method."""
    second = purchases.orders["second"].to_numpy()
    found = {}
    for column, name in (("top_vendors", "vendor_id"), ("zones", "zone"), ("payment_method", "payment_method")):
        number, names = _numbered(purchases.orders[name])
        top = most_frequent(count_pairs(purchases.customer, number, second), purchases.n)
        found[column] = name_lists(top, names)
    found["payment_method"] = found["payment_method"].list.first()
    return found


def price_bands(average_cents: Floats) -> pl.Series:
    """Return low, middle or high: thirds of customers by mean order amount, ties share; null where unknown."""
    known = np.isfinite(average_cents)
    if not known.any():
        return pl.Series([None] * len(average_cents), dtype=pl.String)
    cuts = np.quantile(average_cents[known], [1 / 3, 2 / 3], method="inverted_cdf")
    band = np.searchsorted(cuts, average_cents, side="left").clip(0, 2)
    return _where(pl.Series(np.array(PRICE_BANDS)[band]), known)


def _numbered(column: pl.Series) -> tuple[Ints, pl.Series]:
    """Return numbers (-1 for null) into the sorted distinct words, and those words."""
    coded = column.cast(pl.Categorical)
    seen = coded.drop_nulls().unique()
    words = pl.DataFrame({"code": seen.to_physical(), "name": seen.cast(pl.String)}).sort("name")
    known = words["code"].to_numpy()
    place = np.full(int(known.max(initial=0)) + 1, -1, np.int64)
    place[known] = np.arange(words.height)
    code = coded.to_physical().fill_null(0).to_numpy()
    return np.where(coded.is_null().to_numpy(), -1, place[code]), words["name"]


def _counts(customer: Ints, value: Ints, n: int, width: int) -> Ints:
    return np.bincount(customer * width + value, minlength=n * width).reshape(n, width)


def _shares(counts: Ints) -> Floats:
    total = counts.sum(axis=1, keepdims=True)
    shares: Floats = counts / np.maximum(total, 1)
    return shares


def _lists(shares: Floats, there: npt.NDArray[np.bool_]) -> pl.Series:
    array = pl.Series(shares.astype(np.float32)).arr.to_list()
    return _where(array, there)


def _where(values: pl.Series, there: npt.NDArray[np.bool_]) -> pl.Series:
    """Return `values` with null where not `there`."""
    return values.alias("v").to_frame().select(pl.when(pl.Series(there)).then(pl.col("v")))["v"]


def _instants(second: Ints) -> pl.Series:
    return _where(pl.Series(second * 1_000_000).cast(UTC_INSTANT), second >= 0)
