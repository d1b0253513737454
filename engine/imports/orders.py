"""Which orders and lines a call's files hold, and what became of each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from engine.columns import ORDERS
from engine.history.opening import open_history
from engine.history.parquet import LINE_KEY
from engine.history.protocol import History
from engine.imports import fields
from engine.imports.mapping import ImportMap
from engine.imports.opened import OpenedFile
from engine.imports.order_rows import ABOUT_ORDER, LINE_GRAIN, ORDER_GRAIN, grain_of, in_slices, read_rows
from engine.imports.spill import in_parts
from engine.settings import Settings

NO_CELLS = pl.DataFrame(schema={"_file": pl.UInt32, "_row": pl.UInt32, "_column": pl.String, "_code": pl.UInt8})
OUTCOMES = pl.Enum(["accepted", "updated", "duplicate", "refused"])
Progress = Callable[[str, int, int], None]
# Rows that are worked on at once, about a gigabyte; more are put aside on disk and taken month by month.
AT_ONCE = 3_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of each row, and what the usable ones hold.

    `rows` has _file, _row, _code (the reason's number in `fields.CODES`, null where not refused), _about (the column of
    ours the reason is about, null for the row as a whole) and outcome. `cells`
    has _file, _row, _column and _code of the cells that could not be read in rows that were kept without them.
    """

    rows: pl.DataFrame
    orders: int = 0
    lines: int = 0
    customers: int = 0
    first_ordered_at: datetime | None = None
    last_ordered_at: datetime | None = None
    cells: pl.DataFrame = field(default_factory=lambda: NO_CELLS)


def import_orders(
    files: Sequence[OpenedFile],
    mapping: ImportMap,
    settings: Settings,
    now: datetime,
    progress: Progress,
    warnings: list[str],
) -> Outcome:
    """Append the files' orders and lines to the history; a row that cannot be used carries its reason.

    Raises BadColumns, and Conflict when another process is writing: what was appended until then stays, and giving the
    files again goes on from there.
    """
    history = open_history(settings)
    held = history.counts()[0] > 0
    with_orders = any("customer_id" in file.head.cells for file in files)
    grains = [
        grain_of(file.head, mapping, orders_elsewhere=with_orders or (held and "ordered_at" not in file.head.cells))
        for file in files
    ]

    def tables() -> Iterator[pl.DataFrame]:
        for i, file in enumerate(files):
            progress(f"Reading {file.name}", i, len(files))
            for first, piece in in_slices(file.load(), grains[i], AT_ONCE, now):
                rows = read_rows(piece, i, grains[i], mapping, settings, now, warnings)
                yield rows.with_columns(pl.col("_row") + first) if first else rows

    n_rows = sum(file.height for file in files)
    if n_rows <= AT_ONCE:
        parts: Iterable[pl.DataFrame] = (pl.concat(group, rechunk=False) for group in [list(tables())])
    else:
        parts = in_parts(settings.home, tables(), history.known if held else None, most=AT_ONCE)
    outcomes, unequal, done = [], Counter[str](), 0
    for rows in parts:
        progress("Writing history", done, n_rows)
        outcomes.append(_append(rows, history, unequal, held=held))
        done += rows.height
    progress("Writing history", n_rows, n_rows)
    warnings += [f"{n} orders have rows that disagree on {name}; the last one was taken" for name, n in unequal.items()]
    return _together(outcomes)


def _append(rows: pl.DataFrame, history: History, unequal: Counter[str], *, held: bool) -> tuple[Outcome, pl.Series]:
    """Append some rows; return what became of them, and whose orders they hold."""
    known = history.known(rows["order_id"]) if held else _no_orders()
    rows = _owned(rows, known)
    lines, line_rows = _lines(rows)
    orders = _orders(rows, lines, known, history, unequal)
    done = history.append(orders, lines)
    outcome = Outcome(
        rows=_outcomes(rows, line_rows, orders.select("order_id", change=done.order_changes), done.line_changes),
        orders=orders.height,
        lines=lines.height,
        first_ordered_at=_instant(orders["ordered_at"].min()),
        last_ordered_at=_instant(orders["ordered_at"].max()),
    )
    return outcome, orders["customer_id"].unique()


def _together(parts: Sequence[tuple[Outcome, pl.Series]]) -> Outcome:
    outcomes = [outcome for outcome, _ in parts]
    return Outcome(
        rows=pl.concat([outcome.rows for outcome in outcomes]),
        orders=sum(outcome.orders for outcome in outcomes),
        lines=sum(outcome.lines for outcome in outcomes),
        customers=pl.concat([customers for _, customers in parts]).n_unique(),
        first_ordered_at=min((o.first_ordered_at for o in outcomes if o.first_ordered_at), default=None),
        last_ordered_at=max((o.last_ordered_at for o in outcomes if o.last_ordered_at), default=None),
    )


def _owned(rows: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Refuse rows whose order_id is somebody else's or nobody's; lines take customer and instant of their order."""
    sound = pl.col("_code").is_null()
    whole = pl.col("_grain") != LINE_GRAIN
    heads = rows.filter(sound & whole).select("order_id", "customer_id", "ordered_at")
    heads = heads.unique(subset="order_id", keep="first", maintain_order=True)
    theirs = known.select("order_id", "customer_id", "ordered_at")
    owners = pl.concat([theirs, heads.join(theirs, on="order_id", how="anti")])
    rows = rows.join(owners, on="order_id", how="left", suffix="_own", maintain_order="left")
    refused = (
        pl.when(~sound)
        .then(pl.col("_code"))
        .when(whole & (pl.col("customer_id") != pl.col("customer_id_own")))
        .then(pl.lit(fields.CODES.index("order_of_another_customer"), pl.UInt8))
        .when(whole & (pl.col("ordered_at") != pl.col("ordered_at_own")))
        .then(pl.lit(fields.CODES.index("order_of_another_instant"), pl.UInt8))
        .when(~whole & pl.col("customer_id_own").is_null())
        .then(pl.lit(fields.CODES.index("line_without_order"), pl.UInt8))
    )
    return rows.with_columns(
        _code=refused,
        customer_id=pl.coalesce("customer_id", "customer_id_own"),
        ordered_at=pl.coalesce("ordered_at", "ordered_at_own"),
    ).drop("customer_id_own", "ordered_at_own")


def _lines(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the distinct lines, and for each row with a line its position (`at`) among them.

    The n-th time a file names an item within an order is that item's line n; the same file again is the same lines.
    """
    with_item = rows.with_row_index("_at").filter(pl.col("_code").is_null() & (pl.col("_grain") != ORDER_GRAIN))
    numbered = with_item.select(
        "_at",
        "_file",
        *("order_id", "item_id", "customer_id", "ordered_at", "quantity", "line_cents", "line_discount_cents"),
        line_no=pl.int_range(pl.len(), dtype=pl.Int32).over("_file", "order_id", "item_id"),
        # The history repeats the order's own status and vendor; this takes their place until then.
        status=pl.lit("placed"),
    )
    if numbered["_file"].n_unique() <= 1:
        return numbered, numbered.select("_at", at=pl.int_range(pl.len(), dtype=pl.UInt32), first=pl.lit(value=True))
    lines = numbered.unique(subset=LINE_KEY, keep="last", maintain_order=True)
    place = lines.select(*LINE_KEY, at=pl.int_range(pl.len(), dtype=pl.UInt32))
    line_rows = numbered.join(place, on=LINE_KEY, how="left", maintain_order="left")
    return lines, line_rows.select("_at", "at", first=pl.col("at").is_first_distinct())


def _orders(
    rows: pl.DataFrame, lines: pl.DataFrame, known: pl.DataFrame, history: History, disagreeing: Counter[str]
) -> pl.DataFrame:
    """Return one row for each order the call names; a later row's word wins over an earlier one's."""
    sound = rows.filter(pl.col("_code").is_null())
    whole = sound.filter(pl.col("_grain") != LINE_GRAIN)
    said = [name for name in ABOUT_ORDER if whole[name].null_count() < whole.height]
    disagree = [name for name in ("order_cents", "discount_cents", "delivery_fee_cents") if name in said]
    orders = whole.group_by("order_id", maintain_order=True).agg(
        pl.col("customer_id", "ordered_at").first(),
        *(pl.col(name).last(ignore_nulls=True) for name in said),
        *((pl.col(name).min() != pl.col(name).max()).alias(f"{name}_differs") for name in disagree),
        _items=(pl.col("_grain") != ORDER_GRAIN).any(),
    )
    for name in disagree:
        unequal = int(orders.filter("_items")[f"{name}_differs"].fill_null(value=False).sum())
        if unequal:
            plain = "order_amount" if name == "order_cents" else name.removesuffix("_cents")
            disagreeing[plain] += unequal
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in ABOUT_ORDER.items() if name not in said]
    orders = orders.with_columns(missing).select("order_id", "customer_id", "ordered_at", *ABOUT_ORDER)
    # Orders of the history that only lines of this call name.
    others = known.join(orders, on="order_id", how="anti").join(lines, on="order_id", how="semi")
    orders = pl.concat([orders, others.select("order_id", "customer_id", "ordered_at", "status")], how="diagonal")
    orders = orders.join(
        known.select("order_id", _known_status="status"), on="order_id", how="left", maintain_order="left"
    )
    orders = orders.with_columns(status=pl.coalesce("status", "_known_status", pl.lit("delivered")))
    return _with_totals(orders.drop("_known_status"), lines, history).select(list(ORDERS))


def _with_totals(orders: pl.DataFrame, lines: pl.DataFrame, history: History) -> pl.DataFrame:
    """Fill order_cents from the lines, less discount, plus delivery fee, where no amount of the order itself is known.

    An amount in the history counts as the order's own unless it equals that sum of its lines so far.
    """
    open_orders = orders.filter(pl.col("order_cents").is_null()).select("order_id")
    off_lines = lines.group_by("order_id").agg(
        _off=pl.col("line_discount_cents").sum(), _any=pl.col("line_discount_cents").count()
    )
    orders = (
        orders.join(off_lines, on="order_id", how="left", maintain_order="left")
        .with_columns(discount_cents=pl.coalesce("discount_cents", pl.when(pl.col("_any") > 0).then(pl.col("_off"))))
        .drop("_off", "_any")
    )
    if not open_orders.height or (lines["line_cents"].null_count() == lines.height):
        return orders
    wanted = open_orders.lazy()
    before = history.lines().join(wanted, on="order_id", how="semi").select(*LINE_KEY, "line_cents").collect()
    stored = (
        history.orders()
        .join(wanted, on="order_id", how="semi")
        .select("order_id", _cents="order_cents", _discount="discount_cents", _fee="delivery_fee_cents")
        .collect()
    )
    after = pl.concat([before.join(lines, on=LINE_KEY, how="anti"), lines.select(*LINE_KEY, "line_cents")])
    sums = _sum_of(after, "_after").join(_sum_of(before, "_before"), on="order_id", how="left")
    orders = orders.join(sums, on="order_id", how="left", maintain_order="left")
    orders = orders.join(stored, on="order_id", how="left", maintain_order="left")

    def total(lines_sum: str, discount: pl.Expr, fee: pl.Expr) -> pl.Expr:
        return (pl.col(lines_sum) - discount.fill_null(0) + fee.fill_null(0)).clip(0)

    now = total("_after", pl.coalesce("discount_cents", "_discount"), pl.coalesce("delivery_fee_cents", "_fee"))
    derived = pl.col("_cents").is_null() | (pl.col("_cents") == total("_before", pl.col("_discount"), pl.col("_fee")))
    return orders.with_columns(
        order_cents=pl.when(pl.col("order_cents").is_null() & derived).then(now).otherwise(pl.col("order_cents"))
    )


def _sum_of(lines: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the sum of each order's lines; null where a line's price is unknown."""
    priced = pl.when(pl.col("line_cents").null_count() == 0).then(pl.col("line_cents").sum())
    return lines.group_by("order_id").agg(priced.alias(name))


def _outcomes(
    rows: pl.DataFrame, line_rows: pl.DataFrame, order_changes: pl.DataFrame, line_changes: pl.Series
) -> pl.DataFrame:
    """Say of each row whether it was accepted, updated something, was a duplicate, or was refused."""
    of_line = line_rows.select(
        "_at",
        _line=pl.when("first").then(line_changes.cast(pl.String).gather(line_rows["at"])).otherwise(pl.lit("repeat")),
    )
    rows = rows.select("_file", "_row", "_code", "_about", "_grain", "order_id").with_row_index("_at")
    rows = rows.join(of_line, on="_at", how="left", maintain_order="left")
    rows = rows.join(order_changes, on="order_id", how="left", maintain_order="left")
    first = pl.col("order_id").is_first_distinct()
    alone = rows.filter((pl.col("_grain") == ORDER_GRAIN) & pl.col("_code").is_null())
    rows = rows.join(alone.select("_at", _first=first), on="_at", how="left", maintain_order="left")
    change = pl.col("change").cast(pl.String)
    # A row with order and line changes something if either does; an order's own row only at its first appearance.
    of_row = (
        pl.when(pl.col("_grain") == ORDER_GRAIN)
        .then(pl.when("_first").then(change).otherwise(pl.lit("same")))
        .when((pl.col("_grain") != LINE_GRAIN) & (pl.col("_line") == "same") & (change == "updated"))
        .then(pl.lit("updated"))
        .otherwise(pl.col("_line"))
    )
    names = {"new": "accepted", "updated": "updated", "same": "duplicate", "repeat": "duplicate"}
    outcome = pl.when(pl.col("_code").is_not_null()).then(pl.lit("refused")).otherwise(of_row.replace(names))
    return rows.select("_file", "_row", "_code", "_about", outcome=outcome.cast(OUTCOMES))


def _no_orders() -> pl.DataFrame:
    kept = ("order_id", "customer_id", "ordered_at", "status", "vendor_id")
    return pl.DataFrame(schema={name: ORDERS[name] for name in kept})


def _instant(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None
