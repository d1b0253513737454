"""Rows of an orders file: typed cells in our units, or the reason a row is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import polars as pl

from engine.columns import DAY_S, STATUSES, UTC_INSTANT
from engine.imports import fields
from engine.imports.instants import told_order
from engine.imports.mapped import MappedFile
from engine.imports.mapping import ORDER_MONEY, ImportMap, is_currency
from engine.imports.numbers import told_marks
from engine.settings import Settings

ORDER_GRAIN, LINES_WITH_ORDER, LINE_GRAIN = range(3)
# Amounts that reduce what is paid, and those that a refund writes below zero.
TAKEN_OFF = frozenset({"discount", "line_discount", "refunded_amount"})
MAY_BE_TAKEN_BACK = frozenset({"order_amount", "line_amount"})
FIGURES = frozenset({*ORDER_MONEY, "quantity", "rating", "latitude", "longitude", "basket_no"})
TEXTS = ("zone", "channel", "payment_method")
# Everything about an order that its rows may state, and its type.
ABOUT_ORDER: dict[str, pl.DataType | type[pl.DataType]] = {
    "basket_no": pl.Int32, "vendor_id": pl.String, "zone": pl.String, "latitude": pl.Float64, "longitude": pl.Float64,
    "channel": pl.String, "payment_method": pl.String, "offer_id": pl.String, "status": pl.String,
    "order_cents": pl.Int64, "discount_cents": pl.Int64, "delivery_fee_cents": pl.Int64, "currency": pl.String,
    "rating": pl.Float32,
}  # fmt: skip
ROWS: dict[str, pl.DataType | type[pl.DataType]] = {
    "_file": pl.UInt32, "_row": pl.UInt32, "_grain": pl.UInt8, "_code": pl.UInt8, "_about": pl.String,
    "order_id": pl.String,
    "customer_id": pl.String, "ordered_at": UTC_INSTANT, **ABOUT_ORDER, "item_id": pl.String, "quantity": pl.Float32,
    "line_cents": pl.Int64, "line_discount_cents": pl.Int64,
}  # fmt: skip


def grain_of(file: MappedFile, mapping: ImportMap, *, orders_elsewhere: bool) -> int:
    """Say whether a file's rows are orders, lines that repeat their order, or lines alone.

    `orders_elsewhere`: another file of the call or the history has the orders. Raises BadColumns for what is missing.
    """
    cells = file.cells
    if "customer_id" not in cells:
        alone = "order_id" in cells and "item_id" in cells
        if not alone or not orders_elsewhere:
            file.need("customer_id", mapping=mapping)
        return LINE_GRAIN
    file.need("ordered_at", "basket_no", mapping=mapping)
    return LINES_WITH_ORDER if "item_id" in cells else ORDER_GRAIN


def in_slices(file: MappedFile, grain: int, most: int, now: datetime) -> Iterator[tuple[int, MappedFile]]:
    """Yield the file cut into pieces of at most `most` rows, each with its first row; whole where rows need each other.

    What the whole columns tell of marks and dates goes with each piece. Rows need each other where orders without an id
    are numbered apart, and where a look-up table is to be warned of once.
    """
    numbered = grain == ORDER_GRAIN and (
        "order_id" not in file.cells or fields.identifier(file.cells["order_id"]).null_count() > 0
    )
    if file.height <= most or numbered or file.brought:
        yield 0, file
        return
    texts = {name: cells for name, cells in file.cells.items() if cells.dtype == pl.String}
    told = {name: told_marks(fields.text(cells)) for name, cells in texts.items() if name in FIGURES}
    order = told_order(fields.text(texts["ordered_at"]), now) if "ordered_at" in texts else None
    for first in range(0, file.height, most):
        source = replace(file.source, rows=file.source.rows.slice(first, most))
        cells = {name: column.slice(first, most) for name, column in file.cells.items()}
        yield first, replace(file, source=source, cells=cells, told_marks=told, told_order=order)


def read_rows(
    file: MappedFile,
    number: int,
    grain: int,
    mapping: ImportMap,
    settings: Settings,
    now: datetime,
    warnings: list[str],
) -> pl.DataFrame:
    """Return one row (schema ROWS) for each of the file's; `_code` is the reason it is refused, null where it is not.

    Money is in minor units, instants are UTC, a missing order_id is derived; what the file lacks is null.
    """
    refusals = fields.Refusals(file.height)
    read: dict[str, pl.Series] = {}
    _read_ids(file, grain, read, refusals)
    _read_instants(file, grain, read, mapping, settings, now, refusals)
    _read_money(file, read, mapping, settings, refusals)
    _read_words(file, read, mapping, refusals, warnings)
    warnings += [note for note in refusals.said.values() if note not in warnings]
    if grain == ORDER_GRAIN:
        read = {name: cells for name, cells in read.items() if name not in {"quantity", "line_cents"}}
    if "order_id" in read and grain == LINE_GRAIN:
        refusals.add(read["order_id"].is_null(), "missing_order_id")
    elif grain != LINE_GRAIN:
        read["order_id"] = _derived_ids(read, several=grain == ORDER_GRAIN)
    grains = pl.Series([grain], dtype=pl.UInt8).new_from_index(0, file.height)
    if grain != ORDER_GRAIN and "order_id" in read:
        grains = _without_refunded_lines(read, grains, refusals)
    frame = pl.DataFrame({"_row": pl.int_range(0, file.height, dtype=pl.UInt32, eager=True), **read})
    return frame.with_columns(
        _file=pl.lit(number, pl.UInt32), _grain=grains, _code=refusals.codes, _about=refusals.columns
    ).select(
        (pl.col(name) if name in frame.columns or name[0] == "_" else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in ROWS.items()
    )


def _read_ids(file: MappedFile, grain: int, read: dict[str, pl.Series], refusals: fields.Refusals) -> None:
    for name in ("customer_id", "order_id", "item_id", "vendor_id", "offer_id"):
        if name in file.cells:
            read[name] = fields.identifier(file.cells[name])
    if grain != LINE_GRAIN:
        refusals.add(read["customer_id"].is_null(), "missing_customer_id", "customer_id")
    if grain != ORDER_GRAIN:
        refusals.add(read["item_id"].is_null(), "missing_item_id")
    for name in ("customer_id", "order_id", "item_id", "vendor_id", "offer_id"):
        if name in read:
            refusals.add(fields.bad_identifier(read[name]), "bad_id", name)
            if name != "item_id":
                refusals.add(fields.rounded_identifier(read[name]), "rounded_id", name)


def _read_instants(
    file: MappedFile,
    grain: int,
    read: dict[str, pl.Series],
    mapping: ImportMap,
    settings: Settings,
    now: datetime,
    refusals: fields.Refusals,
) -> None:
    if grain == LINE_GRAIN:
        return
    default = mapping.timezone or settings.timezone
    zones = pl.Series([default], dtype=pl.String).new_from_index(0, file.height)
    if "timezone" in file.cells:
        zones = fields.time_zone(file.cells["timezone"], refusals, "timezone").fill_null(default)
    at = pl.Series([None], dtype=UTC_INSTANT).new_from_index(0, file.height)
    if "ordered_at" in file.cells:
        cells = file.cells["ordered_at"]
        pattern = mapping.instant_format
        if "ordered_time" in file.cells:
            cells, pattern = _with_times(cells, file.cells["ordered_time"], mapping.instant_format), None
        at = fields.instant(
            cells, zones, refusals, "ordered_at", now, pattern=pattern, order=mapping.date_order, told=file.told_order
        )
    if "basket_no" in file.cells:
        position = fields.number(
            file.cells["basket_no"], refusals, "basket_no", mapping.marks, told=file.told_marks.get("basket_no")
        )
        wrong = (position != position.round(0)) | (position.abs() > 2**31 - 1)
        refusals.add(wrong, "unreadable_number", "basket_no")
        baskets = position.cast(pl.Int32, strict=False)
        read["basket_no"] = baskets
        days = (baskets.cast(pl.Int64) * (DAY_S * 1_000_000)).cast(pl.Duration("us"))
        counted = pl.Series([fields.BASKET_ZERO], dtype=UTC_INSTANT).new_from_index(0, file.height) + days
        at = at.zip_with(at.is_not_null(), counted)
    refusals.add(at.is_null(), "missing_ordered_at", "ordered_at")
    if "ordered_at" in file.cells:
        fields.refuse_odd_instants(at, now, refusals, "ordered_at")
    read["ordered_at"] = at


def _read_money(
    file: MappedFile, read: dict[str, pl.Series], mapping: ImportMap, settings: Settings, refusals: fields.Refusals
) -> None:
    default = mapping.currency or settings.currency
    currency = pl.Series([default], dtype=pl.String).new_from_index(0, file.height)
    if "currency" in file.cells:
        given = fields.text(file.cells["currency"]).str.to_uppercase()
        wrong = [code for code in given.unique().drop_nulls().to_list() if not is_currency(code)]
        refusals.add(given.is_in(wrong), "bad_currency", "currency")
        currency = given.fill_null(default)
    scale = fields.minor_units_per_major(currency)
    # Three digits are the usual tail of an amount in dinars or rials only.
    thirds = bool((scale == 1000).all()) and file.height > 0

    def amount(name: str) -> pl.Series | None:
        """Return minor units before rounding."""
        if name not in file.cells:
            return None
        figures = fields.number(
            file.cells[name], refusals, name, mapping.marks, three_is_decimal=thirds, told=file.told_marks.get(name)
        )
        if name in TAKEN_OFF:
            # Some write what is taken off with a minus, some without.
            figures = figures.abs()
        elif name not in MAY_BE_TAKEN_BACK:
            refusals.add(figures < 0, "negative_amount", name)
        return figures if mapping.money_minor or name in file.minor else figures * scale

    money = {
        name: amount(name) for name in ("order_amount", "discount", "delivery_fee", "line_discount", "refunded_amount")
    }
    if (back := money["refunded_amount"]) is not None:
        paid = money["order_amount"]
        if paid is not None:
            money["order_amount"] = paid - back.fill_null(0)
    for name, target in (("order_amount", "order_cents"), ("line_discount", "line_discount_cents")):
        if (figures := money[name]) is not None:
            read[target] = fields.whole(figures)
    for name in ("discount", "delivery_fee"):
        if (figures := money[name]) is not None:
            read[f"{name}_cents"] = fields.whole(figures)
    quantity = pl.Series([1.0], dtype=pl.Float32).new_from_index(0, file.height)
    if "quantity" in file.cells:
        portions = fields.number(
            file.cells["quantity"], refusals, "quantity", mapping.marks, told=file.told_marks.get("quantity")
        )
        quantity = portions.fill_null(1.0).cast(pl.Float32)
        refusals.add(quantity == 0, "non_positive_quantity", "quantity")
    read["quantity"] = quantity
    of_line, each = amount("line_amount"), amount("unit_price")
    if each is not None:
        priced = each * quantity.cast(pl.Float64)
        of_line = priced if of_line is None else of_line.zip_with(of_line.is_not_null(), priced)
    if of_line is not None:
        refusals.add(of_line.abs() > fields.LARGEST * 1000, "amount_too_large", "line_amount")
        read["line_cents"] = fields.whole(of_line)
    if (
        mapping.currency
        or "currency" in file.cells
        or of_line is not None
        or any(m is not None for m in money.values())
    ):
        read["currency"] = currency


def _with_times(days: pl.Series, times: pl.Series, pattern: str | None) -> pl.Series:
    """Return `2026-03-01 12:30`: the days of one column with the times of day of another; a day alone is midnight."""
    if pattern is not None and days.dtype == pl.String:
        days = fields.text(days).str.to_date(pattern, strict=False).cast(pl.String).fill_null(days)
    clock = fields.text(times.cast(pl.String)).str.replace(r"^(\d{4}-\d\d-\d\d|1899-12-3\d|1900-01-0\d)[T ]", "")
    day = fields.text(days.cast(pl.String)).str.replace(r"[T ]00:00(:00(\.0+)?)?$", "")
    return pl.select(pl.when(clock.is_null()).then(day).otherwise(day + " " + clock)).to_series()


def _without_refunded_lines(read: dict[str, pl.Series], grains: pl.Series, refusals: fields.Refusals) -> pl.Series:
    """Return the rows' grains, those of lines that are taken back made rows of their order alone.

    Such a line is no dish somebody ordered: its money falls into the order's amount, which is then the sum of its
    lines. An order of nothing else is a credit note: an amount below zero.
    """
    below = (read["quantity"] < 0) if "quantity" in read else pl.Series([False]).new_from_index(0, len(grains))
    cents = read.get("line_cents")
    if cents is not None:
        below |= (cents < 0).fill_null(value=False)
    below &= refusals.accepted
    if not below.any():
        return grains
    if "ordered_at" in read:
        # What is taken back later is taken back from the order as it was placed.
        frame = pl.DataFrame({"order_id": read["order_id"], "at": read["ordered_at"], "below": below})
        placed = pl.col("at").filter(~pl.col("below")).first().over("order_id")
        read["ordered_at"] = frame.select(pl.when("below").then(pl.coalesce(placed, "at")).otherwise("at")).to_series()
    if cents is not None:
        frame = pl.DataFrame(
            {
                "order_id": read["order_id"],
                "below": below,
                "cents": cents.set(~refusals.accepted, None),
                "amount": read.get("order_cents", pl.Series([None], dtype=pl.Int64).new_from_index(0, len(grains))),
                "off": read.get("discount_cents", pl.Series([None], dtype=pl.Int64).new_from_index(0, len(grains))),
                "fee": read.get("delivery_fee_cents", pl.Series([None], dtype=pl.Int64).new_from_index(0, len(grains))),
                "line_off": read.get(
                    "line_discount_cents", pl.Series([None], dtype=pl.Int64).new_from_index(0, len(grains))
                ),
            }
        )
        own = pl.coalesce(pl.col("off").max().over("order_id"), pl.col("line_off").sum().over("order_id")).fill_null(0)
        total = pl.col("cents").sum().over("order_id") - own + pl.col("fee").max().over("order_id").fill_null(0)
        touched = pl.col("below").any().over("order_id") & pl.col("amount").is_null().all().over("order_id")
        read["order_cents"] = frame.select(pl.when(touched).then(total).otherwise("amount")).to_series()
    return grains.set(below, ORDER_GRAIN)


def _read_words(
    file: MappedFile, read: dict[str, pl.Series], mapping: ImportMap, refusals: fields.Refusals, warnings: list[str]
) -> None:
    for name in TEXTS:
        if name in file.cells:
            read[name] = fields.text(file.cells[name])
    if "status" in file.cells:
        status = fields.text(file.cells["status"]).str.to_lowercase()
        refusals.add(status.is_not_null() & ~status.is_in(STATUSES).fill_null(value=True), "unknown_status", "status")
        read["status"] = status
    if "rating" in file.cells:
        rating = fields.number(
            file.cells["rating"],
            refusals,
            "rating",
            mapping.marks,
            three_is_decimal=True,
            told=file.told_marks.get("rating"),
        )
        refusals.add((rating < 1) | (rating > 5), "rating_out_of_range", "rating")
        read["rating"] = rating.cast(pl.Float32)
    place = {
        name: fields.number(
            file.cells[name], refusals, name, mapping.marks, three_is_decimal=True, told=file.told_marks.get(name)
        )
        for name in ("latitude", "longitude")
        if name in file.cells
    }
    if not place:
        return
    unknown = pl.Series([None], dtype=pl.Float64).new_from_index(0, file.height)
    off_earth = fields.position(place.get("latitude", unknown), place.get("longitude", unknown))
    if file.brought & place.keys():
        # The order is sound, only the look-up table's position is not: keep the order without it.
        if off_earth.any():
            warnings.append(
                f"{int(off_earth.sum())} rows of {file.source.path.name} got a position outside the Earth from a "
                "look-up table; it was left out"
            )
        place = {name: cells.set(off_earth, None) for name, cells in place.items()}
    else:
        refusals.add(off_earth, "position_out_of_range", "latitude")
    read.update(place)


def _derived_ids(read: dict[str, pl.Series], *, several: bool) -> pl.Series:
    """Return order ids, derived from customer and basket number or customer and instant where none is given.

    `several`: each row is an order of its own, so the n-th one of a customer and instant that names an amount gets its
    number behind the id: two purchases of one day, in a file that has only days, are two, and no money is lost.
    """
    names = ("order_id", "customer_id", "ordered_at", "basket_no", "order_cents")
    frame = pl.DataFrame({name: read[name] for name in names if name in read})
    instant = pl.col("customer_id") + "@" + pl.col("ordered_at").dt.strftime("%Y%m%dT%H%M%S%.fZ")
    if several and "order_cents" in read:
        nth = pl.int_range(pl.len()).over("customer_id", "ordered_at")
        repeated = (nth > 0) & pl.col("order_cents").is_not_null()
        instant = pl.when(repeated).then(instant + "." + (nth + 1).cast(pl.String)).otherwise(instant)
    derived = instant
    if "basket_no" in read:
        derived = pl.coalesce(pl.col("customer_id") + "#" + pl.col("basket_no").cast(pl.String), instant)
    given = [pl.col("order_id")] if "order_id" in read else []
    return frame.select(order_id=pl.coalesce(*given, derived)).to_series()
