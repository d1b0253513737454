"""Order history to numbered baskets: the border where outside ids become rows and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.errors import NoHistory
from engine.models.base import Baskets, Place, Query, user_items
from engine.ranking.places import default_place, went_to

BASKET_CLOCK_START = 946_857_600  # 2000-01-03T00:00Z: where a source has only basket numbers, they count days from here
DAY_S = 86_400
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
    placed = (
        orders.filter(pl.col("status") == "delivered")
        .select("order_id", "customer_id", "zone", "latitude", "longitude", "basket_no", at=_SECONDS)
        .with_row_index("order")
        .collect()
    )
    bought = (
        lines.filter(pl.col("status") == "delivered")
        .select("order_id", "item_id", "vendor_id", pl.col("quantity").cast(pl.Float32))
        .join(placed.lazy().select("order_id", "order"), on="order_id", how="inner")
        .drop("order_id")
        .collect()
    )
    if bought.is_empty():
        raise NoHistory(
            "no delivered order line names an item, so there is nothing to recommend; "
            "import orders with an item_id column first"
        )
    placed = placed.filter(pl.Series(np.bincount(bought["order"].to_numpy(), minlength=placed.height) > 0))
    clock = _clock(placed)
    if clock == "basket":
        # Basket numbers count from each customer's first; counted from her last they all end "now", so that whatever
        # weighs newer orders more does so for everybody.
        newest = pl.col("at").max().over("customer_id")
        placed = placed.with_columns(at=pl.col("at") + pl.col("at").max() - newest)
    names = {
        "customer_id": placed["customer_id"].unique().sort(),
        "zone": placed["zone"].drop_nulls().unique().sort(),
        "item_id": pl.concat([bought["item_id"].unique(), items["item_id"]]).unique().sort(),
        "vendor_id": pl.concat([bought["vendor_id"].unique(), items["vendor_id"]]).drop_nulls().unique().sort(),
    }
    known_at = pl.concat([bought.select("vendor_id", "item_id").unique(), items.select("vendor_id", "item_id")])
    baskets = _compress(placed, bought, names)
    return TrainingSet(
        baskets=baskets,
        customers=names["customer_id"],
        items=names["item_id"],
        zones=names["zone"],
        vendors=names["vendor_id"],
        vendor_items=known_at.drop_nulls()
        .unique()
        .select(vendor=_number("vendor_id", names), item=_number("item_id", names))
        .sort("vendor", "item"),
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
    """Return one query a row with all her baskets in `baskets`; row -1 is an unknown customer."""
    queries = []
    for row, at, place in zip(rows.tolist(), now.tolist(), places, strict=True):
        if row < 0:
            queries.append(Query.of((), np.empty(0, np.int64), at, place))
            continue
        first, end = int(baskets.customer_start[row]), int(baskets.customer_start[row + 1])
        start = baskets.basket_start[first : end + 1]
        own = baskets.items[start[0] : start[-1]]
        place = default_place(baskets, row, place)  # noqa: PLW2901 - the place asked from, from here on
        here = went_to(place, baskets.zone[first:end], baskets.latitude[first:end], baskets.longitude[first:end])
        queries.append(Query(own, start - start[0], baskets.at[first:end], at, place, row, here))
    return queries


def _number(column: str, names: Mapping[str, pl.Series]) -> pl.Expr:
    """Return int32: the place of each name among `names[column]`, -1 for null."""
    return pl.col(column).cast(pl.Enum(names[column])).to_physical().cast(pl.Int32).fill_null(-1)


def _repeat(baskets: Baskets) -> bool:
    """Say whether customers who come back order what they had before."""
    first = baskets.customer_start[:-1][np.diff(baskets.customer_start) > 0]
    later = len(baskets.items) - int(np.diff(baskets.basket_start)[first].sum())
    again = len(baskets.items) - user_items(baskets).nnz
    return later < LEAST_LINES or again >= RARELY * later


def _clock(placed: pl.DataFrame) -> str:
    by_basket = placed.select(
        (
            pl.col("basket_no").is_not_null()
            & (pl.col("at") == BASKET_CLOCK_START + pl.col("basket_no").cast(pl.Int64) * DAY_S)
        ).mean()
    ).item()
    # One file with basket numbers among others with instants makes no shared clock: the majority decides.
    return "basket" if by_basket > 0.5 else "time"


def _compress(placed: pl.DataFrame, bought: pl.DataFrame, names: Mapping[str, pl.Series]) -> Baskets:
    nowhere = float("nan")
    heads = placed.select(
        "order",
        "at",
        "basket_no",
        "order_id",
        customer=_number("customer_id", names),
        zone=_number("zone", names),
        latitude=pl.col("latitude").cast(pl.Float32).fill_null(nowhere),
        longitude=pl.col("longitude").cast(pl.Float32).fill_null(nowhere),
    ).sort("customer", "at", "basket_no", "order_id", nulls_last=True)
    basket_of = np.zeros(int(placed["order"].max()) + 1, dtype=np.int64)  # type: ignore[arg-type]
    basket_of[heads["order"].to_numpy()] = np.arange(heads.height)
    n_items = len(names["item_id"])
    numbered = bought.select("order", "quantity", item=_number("item_id", names), vendor=_number("vendor_id", names))
    # A dish named on two lines of one order is one line of the basket with both quantities.
    cell = basket_of[numbered["order"].to_numpy()] * n_items + numbered["item"].to_numpy()
    order = np.argsort(cell, kind="stable")
    cell = cell[order]
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    start = np.searchsorted(cell[first], np.arange(heads.height + 1) * n_items).astype(np.int64)
    return Baskets(
        customer_start=np.searchsorted(heads["customer"].to_numpy(), np.arange(len(names["customer_id"]) + 1)).astype(
            np.int64
        ),
        basket_start=start,
        items=(cell[first] % n_items).astype(np.int32),
        quantity=np.add.reduceat(numbered["quantity"].to_numpy()[order], first).astype(np.float32),
        at=heads["at"].to_numpy().astype(np.int64),
        zone=heads["zone"].to_numpy().astype(np.int32),
        vendor=numbered["vendor"].to_numpy()[order][first[start[:-1]]].astype(np.int32),
        latitude=heads["latitude"].to_numpy(),
        longitude=heads["longitude"].to_numpy(),
        n_items=n_items,
    )
