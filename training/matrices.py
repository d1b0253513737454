"""Order history to numbered baskets: the border where outside ids become rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.errors import NoHistory
from engine.models.base import Baskets, Place, Query
from engine.ranking.places import default_place, went_to

BASKET_CLOCK_START = 946_857_600  # 2000-01-03T00:00Z: where a source has only basket numbers, they count days from here
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Baskets with what their numbers stand for.

    `customers`, `items`, `zones` and `vendors` are distinct text ids; their position is the number. `vendor_items` has
    one row (vendor, item) for each dish known at a vendor. `clock` is "time", or "basket" where the source gave only
    the order of baskets, so that no instant is shared between customers.
    """

    baskets: Baskets
    customers: pl.Series
    items: pl.Series
    zones: pl.Series
    vendors: pl.Series
    vendor_items: pl.DataFrame
    clock: str

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
    context = orders.filter(pl.col("status") == "delivered").select(
        "order_id", "zone", "latitude", "longitude", "basket_no"
    )
    baskets = (
        lines.filter(pl.col("status") == "delivered")
        .group_by("order_id", "item_id")
        .agg(pl.first("customer_id", "ordered_at", "vendor_id"), pl.sum("quantity"))
        .join(context, on="order_id", how="inner")
        .with_columns(at=pl.col("ordered_at").dt.epoch("s"))
        .collect()
    )
    if baskets.is_empty():
        raise NoHistory(
            "no delivered order line names an item, so there is nothing to recommend; "
            "import orders with an item_id column first"
        )
    clock = _clock(baskets)
    if clock == "basket":
        # Basket numbers count from each customer's first; counted from her last they all end "now", so that whatever
        # weighs newer orders more does so for everybody.
        newest = pl.col("at").max().over("customer_id")
        baskets = baskets.with_columns(at=pl.col("at") + pl.col("at").max() - newest)
    names = {
        "customer_id": baskets["customer_id"].unique().sort(),
        "zone": baskets["zone"].drop_nulls().unique().sort(),
        "item_id": pl.concat([baskets["item_id"], items["item_id"]]).unique().sort(),
        "vendor_id": pl.concat([baskets["vendor_id"], items["vendor_id"]]).drop_nulls().unique().sort(),
    }
    known_at = pl.concat([baskets.select("vendor_id", "item_id"), items.select("vendor_id", "item_id")])
    return TrainingSet(
        baskets=_compress(baskets, names),
        customers=names["customer_id"],
        items=names["item_id"],
        zones=names["zone"],
        vendors=names["vendor_id"],
        vendor_items=known_at.drop_nulls()
        .unique()
        .select(
            vendor=_number(pl.col("vendor_id"), names["vendor_id"]), item=_number(pl.col("item_id"), names["item_id"])
        )
        .sort("vendor", "item"),
        clock=clock,
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


def _number(column: pl.Expr, names: pl.Series) -> pl.Expr:
    return column.replace_strict(names, pl.int_range(len(names), dtype=pl.Int32, eager=True), default=-1).cast(pl.Int32)


def _clock(baskets: pl.DataFrame) -> str:
    by_basket = baskets.select(
        (
            pl.col("basket_no").is_not_null()
            & (pl.col("at") == BASKET_CLOCK_START + pl.col("basket_no").cast(pl.Int64) * DAY_S)
        ).mean()
    ).item()
    # One file with basket numbers among others with instants makes no shared clock: the majority decides.
    return "basket" if by_basket > 0.5 else "time"


def _compress(baskets: pl.DataFrame, names: dict[str, pl.Series]) -> Baskets:
    numbered = baskets.select(
        customer=_number(pl.col("customer_id"), names["customer_id"]),
        item=_number(pl.col("item_id"), names["item_id"]),
        zone=_number(pl.col("zone"), names["zone"]),
        vendor=_number(pl.col("vendor_id"), names["vendor_id"]),
        at=pl.col("at"),
        basket_no=pl.col("basket_no"),
        order_id=pl.col("order_id"),
        quantity=pl.col("quantity").cast(pl.Float32),
        latitude=pl.col("latitude").cast(pl.Float32).fill_null(float("nan")),
        longitude=pl.col("longitude").cast(pl.Float32).fill_null(float("nan")),
    ).sort("customer", "at", "basket_no", "order_id", "item", nulls_last=True)
    first = (numbered["order_id"] != numbered["order_id"].shift(1)).fill_null(value=True)
    heads = numbered.filter(first)
    starts = np.append(np.flatnonzero(first.to_numpy()), numbered.height).astype(np.int64)
    per_customer = np.bincount(heads["customer"].to_numpy(), minlength=len(names["customer_id"]))
    return Baskets(
        customer_start=np.concatenate([[0], np.cumsum(per_customer)]).astype(np.int64),
        basket_start=starts,
        items=numbered["item"].to_numpy().astype(np.int32),
        quantity=numbered["quantity"].to_numpy().astype(np.float32),
        at=heads["at"].to_numpy().astype(np.int64),
        zone=heads["zone"].to_numpy().astype(np.int32),
        vendor=heads["vendor"].to_numpy().astype(np.int32),
        latitude=heads["latitude"].to_numpy().astype(np.float32),
        longitude=heads["longitude"].to_numpy().astype(np.float32),
        n_items=len(names["item_id"]),
    )
