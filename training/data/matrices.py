"""Order history to numbered baskets: the border where outside ids become rows and columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.columns import DAY_S
from engine.errors import NoHistory
from engine.history.parquet import SORT
from engine.models.arrays import FloatArray, IntArray, LongArray
from engine.models.baskets import Baskets, user_items
from engine.models.kernels.sums import by_number
from engine.models.query import Place, Query
from engine.recommend.published.places import trained_baskets
from engine.runtime.threads import parallel_map
from training.kernels.baskets import in_order, lay_baskets

BASKET_CLOCK_START = 946_857_600  # 2000-01-03T00:00Z: where a source has only basket numbers, they count days from here
# How far apart a customer's baskets are taken to be where only their numbers are known: as far as lists look ahead.
BASKET_DAYS = 28
# Below this share of what returning customers order, a dish ordered twice is a slip, not a habit; fewer lines than
# these show no habit either way.
RARELY, LEAST_LINES = 0.01, 1_000
_SECONDS = pl.col("ordered_at").dt.epoch("s")


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Baskets with what their numbers stand for.

    `customers`, `items`, `zones` and `vendors` are distinct text ids; their position is the number. `vendor_items` has
    one row (vendor, item) for each dish known at a vendor. `clock` is "time", or "basket" where the source gave only
    the order of baskets, so that no instant is shared between customers. `repeats` says whether customers order a dish
    again: False only where enough of them came back and (almost) none did.
    """

    baskets: Baskets
    customers: pl.Series
    items: pl.Series
    zones: pl.Series
    vendors: pl.Series
    vendor_items: pl.DataFrame
    clock: str
    repeats: bool

    @property
    def first_at(self) -> int:
        """Instant of the oldest basket, seconds since 1970."""
        return int(self.baskets.at.min())

    @property
    def last_at(self) -> int:
        """Instant of the newest basket, seconds since 1970."""
        return int(self.baskets.at.max())


def training_set(orders: pl.LazyFrame, lines: pl.LazyFrame, items: pl.DataFrame) -> TrainingSet:
    """Number the delivered order lines that name an item; the items table adds dishes nobody ordered yet.

    Raises NoHistory if no delivered order line names an item.
    """
    return training_set_of([(orders.sort(SORT["orders"]), lines.sort(SORT["lines"]))], items)


def training_set_of(parts: Iterable[tuple[pl.LazyFrame, pl.LazyFrame]], items: pl.DataFrame) -> TrainingSet:
    """Return what `training_set` does of orders and lines that come in parts, as `History.months` gives them.

    An order and its lines are in one part, each sorted as history sorts them, and later parts hold later orders.
    """
    ids = {name: _Ids() for name in ("customer_id", "zone", "item_id", "vendor_id")}
    # Only a part or two are held as text at a time. Which thread comes first decides codes, not numbers.
    read = parallel_map(lambda part: _read(*part, ids), list(parts))
    if not any(len(lines.item) for _, lines in read):
        raise NoHistory(
            "no delivered order line names an item, so there is nothing to recommend; "
            "import orders with an item_id column first"
        )
    heads, lines = _Heads.joined([heads for heads, _ in read]), _Lines.joined([lines for _, lines in read])
    del read
    customers, customer_of = ids["customer_id"].numbered(heads.customer)
    zones, zone_of = ids["zone"].numbered(heads.zone)
    names, item_of = ids["item_id"].numbered(lines.item, items["item_id"])
    vendors, vendor_of = ids["vendor_id"].numbered(lines.vendor, items["vendor_id"])
    heads = replace(heads, customer=customer_of[heads.customer], zone=zone_of[heads.zone])
    lines = replace(lines, item=item_of[lines.item], vendor=vendor_of[lines.vendor])
    clock = _clock(heads)
    if clock == "basket":
        # Basket numbers count from each customer's first; counted from the last they all end "now", so that whatever
        # weighs newer orders more does so for everybody, and by as much as if everybody ordered every four weeks.
        newest = np.full(len(customers), np.iinfo(np.int64).min)
        np.maximum.at(newest, heads.customer, heads.at)
        heads = replace(heads, at=heads.at.max() - BASKET_DAYS * (newest[heads.customer] - heads.at))
    baskets = _compress(heads, lines, n_customers=len(customers), n_items=len(names))
    return TrainingSet(
        baskets=baskets,
        customers=customers,
        items=names,
        zones=zones,
        vendors=vendors,
        vendor_items=_vendor_items(lines, items, names, vendors),
        clock=clock,
        repeats=_repeat(baskets),
    )


def keep_baskets(baskets: Baskets, keep: npt.NDArray[np.bool_]) -> Baskets:
    """Return only the baskets where `keep` (n_baskets) is true; customers and items keep their numbers."""
    sizes = np.diff(baskets.basket_start)
    lines = np.repeat(keep, sizes)
    kept_before = np.concatenate([[0], np.cumsum(keep)])
    return replace(
        baskets,
        customer_start=kept_before[baskets.customer_start].astype(np.int64),
        basket_start=np.concatenate([[0], np.cumsum(sizes[keep])]).astype(np.int64),
        items=baskets.items[lines],
        quantity=baskets.quantity[lines],
        at=baskets.at[keep],
        zone=baskets.zone[keep],
        vendor=baskets.vendor[keep],
        latitude=baskets.latitude[keep],
        longitude=baskets.longitude[keep],
    )


def queries_for(
    baskets: Baskets, rows: npt.NDArray[np.integer], now: npt.NDArray[np.integer], places: Sequence[Place]
) -> list[Query]:
    """Return one query a row with all of the customer's baskets in `baskets`; row -1 is an unknown customer."""
    queries = []
    languages = baskets.language if len(baskets.language) else np.full(baskets.n_customers, -1, np.int8)
    referrers = baskets.referrer if len(baskets.referrer) else np.full(baskets.n_customers, -1, np.int32)
    for row, at, place in zip(rows.tolist(), now.tolist(), places, strict=True):
        if row < 0:
            queries.append(Query.of((), np.empty(0, np.int64), at, place))
            continue
        known = trained_baskets(baskets, row, place)
        own, instants = baskets.items[known.line : known.line_end], baskets.at[known.first : known.end]
        brought_by = _baskets_of(baskets, int(referrers[row]), at) if known.first == known.end else None
        language = int(languages[row])
        queries.append(Query(own, known.start, instants, at, known.place, row, known.here, language, brought_by))
    return queries


def _baskets_of(baskets: Baskets, row: int, now: int) -> Query | None:
    """Return the baskets of the customer who brought somebody; None for -1."""
    if row < 0:
        return None
    first, end = int(baskets.customer_start[row]), int(baskets.customer_start[row + 1])
    start = baskets.basket_start[first : end + 1]
    here = np.zeros(end - first, dtype=bool)
    return Query(baskets.items[start[0] : start[-1]], start - start[0], baskets.at[first:end], now, row=row, here=here)


class _Ids:
    """Texts as codes, in the order of their first appearance, over all parts; -1 stands for none."""

    def __init__(self) -> None:
        self._known = pl.Categories.random()
        # Polars forgets the texts once no column of the kind is left.
        self._kept = pl.Series([None], dtype=pl.Categorical(self._known))

    def codes(self, column: str) -> pl.Expr:
        return pl.col(column).cast(pl.Categorical(self._known)).to_physical().cast(pl.Int32).fill_null(-1).alias(column)

    def numbered(self, codes: IntArray, more: pl.Series | None = None) -> tuple[pl.Series, IntArray]:
        """Return the distinct texts that `codes` use or `more` adds, sorted, and each code's place among them.

        The last entry is for code -1, and is -1.
        """
        texts = self._known.to_series()
        used = np.zeros(len(texts) + 1, dtype=bool)
        used[codes] = True
        names = texts.filter(pl.Series(used[:-1]))
        if more is not None:
            names = pl.concat([names, more.drop_nulls()]).unique()
        names = names.sort()
        places = texts.cast(pl.Enum(names), strict=False).to_physical().cast(pl.Int32).fill_null(-1).to_numpy()
        return names, np.append(places, np.int32(-1))


@dataclass(frozen=True, slots=True)
class _Heads:
    """Orders: ids as codes or numbers, the instant in seconds, `basket_no` -1 where there is none."""

    customer: IntArray
    zone: IntArray
    at: LongArray
    basket_no: LongArray
    latitude: FloatArray
    longitude: FloatArray

    @classmethod
    def joined(cls, parts: Sequence[_Heads]) -> _Heads:
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


@dataclass(frozen=True, slots=True)
class _Lines:
    """Order lines by order, in the order of the heads; `size` says how many each head has, never 0."""

    item: IntArray
    vendor: IntArray
    quantity: FloatArray
    size: IntArray

    @classmethod
    def joined(cls, parts: Sequence[_Lines]) -> _Lines:
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


def _read(orders: pl.LazyFrame, lines: pl.LazyFrame, ids: Mapping[str, _Ids]) -> tuple[_Heads, _Lines]:
    """Return the delivered orders of a part that have a line, and their lines, ids as codes."""
    delivered = pl.col("status") == "delivered"
    nowhere = float("nan")
    placed = (
        orders.filter(delivered)
        .select(
            "order_id",
            ids["customer_id"].codes("customer_id"),
            ids["zone"].codes("zone"),
            at=_SECONDS,
            basket_no=pl.col("basket_no").cast(pl.Int64).fill_null(-1),
            latitude=pl.col("latitude").cast(pl.Float32).fill_null(nowhere),
            longitude=pl.col("longitude").cast(pl.Float32).fill_null(nowhere),
        )
        .with_row_index("order")
        .collect()
    )
    bought = (
        lines.filter(delivered)
        .select(
            "order_id", ids["item_id"].codes("item_id"), ids["vendor_id"].codes("vendor_id"),
            pl.col("quantity").cast(pl.Float32),
        )
        .join(placed.lazy().select("order_id", "order"), on="order_id", how="inner", maintain_order="left")
        .drop("order_id")
        .collect()
    )  # fmt: skip
    order = bought["order"].to_numpy()
    sizes = np.bincount(order, minlength=placed.height)
    rows = slice(None) if (np.diff(order.astype(np.int64)) >= 0).all() else np.argsort(order, kind="stable")
    heads = placed.filter(pl.Series(sizes > 0))
    told = ("customer_id", "zone", "at", "basket_no", "latitude", "longitude")
    item, vendor, quantity = (bought[name].to_numpy()[rows] for name in ("item_id", "vendor_id", "quantity"))
    return (
        _Heads(*(heads[name].to_numpy() for name in told)),
        _Lines(item, vendor, quantity, sizes[sizes > 0].astype(np.int32)),
    )


def _vendor_items(lines: _Lines, items: pl.DataFrame, names: pl.Series, vendors: pl.Series) -> pl.DataFrame:
    """Return each (vendor, item) that a line or the items table names, both as numbers, sorted."""
    # Most dishes have one vendor: only lines that name another than the dish's last are looked at for more.
    last = np.full(len(names), -1, dtype=np.int32)
    last[lines.item] = lines.vendor
    others = lines.vendor != last[lines.item]
    known = items.select(
        pl.col(name).cast(pl.Enum(texts)).to_physical().cast(pl.Int32).alias(short)
        for name, short, texts in (("vendor_id", "vendor", vendors), ("item_id", "item", names))
    )
    told = pl.DataFrame(
        {
            "vendor": np.concatenate([last, lines.vendor[others]]),
            "item": np.concatenate([np.arange(len(names), dtype=np.int32), lines.item[others]]),
        }
    ).filter(pl.col("vendor") >= 0)
    return pl.concat([told, known.drop_nulls()]).unique().sort("vendor", "item")


def _repeat(baskets: Baskets) -> bool:
    """Return whether customers who come back order what they had before."""
    first = baskets.customer_start[:-1][np.diff(baskets.customer_start) > 0]
    later = len(baskets.items) - int(np.diff(baskets.basket_start)[first].sum())
    again = len(baskets.items) - user_items(baskets).nnz
    return later < LEAST_LINES or again >= RARELY * later


def _clock(heads: _Heads) -> str:
    by_basket = (heads.basket_no >= 0) & (heads.at == BASKET_CLOCK_START + heads.basket_no * DAY_S)
    # One file with basket numbers among others with instants makes no shared clock: the majority decides.
    return "basket" if by_basket.mean() > 0.5 else "time"


def _compress(heads: _Heads, lines: _Lines, *, n_customers: int, n_items: int) -> Baskets:
    """Lay the orders of each customer together, oldest first, those of one instant by basket number, then id.

    The parts bring them sorted by customer, instant and id, so a stable sort keeps the ids' order.
    """
    start, order = by_number(heads.customer.astype(np.int64), n_customers)
    if not in_order(start, order, heads.at, heads.basket_no):
        number = np.where(heads.basket_no >= 0, heads.basket_no, np.iinfo(np.int64).max)
        order = np.lexsort((number, heads.at, heads.customer)).astype(np.int32)
    source = np.concatenate([[0], np.cumsum(lines.size, dtype=np.int64)])
    basket_start, items, quantity, vendor = lay_baskets(order, source, lines.item, lines.quantity, lines.vendor)
    return Baskets(
        customer_start=start,
        basket_start=basket_start,
        items=items,
        quantity=quantity,
        at=heads.at[order],
        zone=heads.zone[order],
        vendor=vendor,
        latitude=heads.latitude[order],
        longitude=heads.longitude[order],
        n_items=n_items,
    )
