"""Small order histories for tests, written the way people say them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from engine.columns import ITEMS, LINES, ORDERS
from engine.models.baskets import Baskets
from engine.models.query import Place, Query
from training.data.matrices import BASKET_CLOCK_START, TrainingSet, training_set

START = datetime(2025, 1, 1, 12, tzinfo=UTC)
# Days after START, then the dishes of that order.
Orders = Sequence[tuple[float, Sequence[str]]]


def tables(
    told: Mapping[str, Orders], *, zones: Mapping[str, str] | None = None, vendors: Mapping[str, str] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return ORDERS and LINES of `{customer: [(day, [dish, ...]), ...]}`; zones are by customer, vendors by dish."""
    orders, lines = [], []
    for customer, placed in told.items():
        for number, (day, dishes) in enumerate(placed):
            at = START + timedelta(days=day)
            vendor = (vendors or {}).get(dishes[0]) if dishes else None
            order = {
                "order_id": f"{customer}-{number}",
                "customer_id": customer,
                "ordered_at": at,
                "status": "delivered",
                "vendor_id": vendor,
                "zone": (zones or {}).get(customer),
                "order_cents": 1000 * len(dishes),
                "currency": "USD",
            }
            orders.append({name: order.get(name) for name in ORDERS})
            for dish in dishes:
                line = {**order, "item_id": dish, "quantity": 1.0, "line_no": 0, "line_cents": 1000}
                lines.append({name: line.get(name) for name in LINES})
    return pl.DataFrame(orders, schema=ORDERS, orient="row"), pl.DataFrame(lines, schema=LINES, orient="row")


def learned_from(told: Mapping[str, Orders], **facts: Mapping[str, str]) -> TrainingSet:
    """Return the training set of such a history."""
    orders, lines = tables(told, **facts)
    return training_set(orders.lazy(), lines.lazy(), pl.DataFrame(schema=ITEMS))


def without_clock(told: Mapping[str, Sequence[str]]) -> TrainingSet:
    """Return the training set of `{customer: [dish, ...]}`, one dish a basket, of which only the numbers are known."""
    orders, lines = tables({name: [(n, [dish]) for n, dish in enumerate(dishes)] for name, dishes in told.items()})
    numbers = pl.Series([n for dishes in told.values() for n in range(len(dishes))], dtype=pl.Int32)
    at = pl.lit(datetime.fromtimestamp(BASKET_CLOCK_START, UTC)) + pl.duration(days=pl.lit(numbers))
    orders = orders.with_columns(basket_no=numbers, ordered_at=at.cast(ORDERS["ordered_at"]))
    return training_set(orders.lazy(), lines.lazy(), pl.DataFrame(schema=ITEMS))


def asks(data: TrainingSet, *baskets: Sequence[str], row: int = -1, place: Place | None = None) -> Query:
    """Return the query of somebody who ordered `baskets`, oldest first, a day apart."""
    columns = {name: i for i, name in enumerate(data.items)}
    own = tuple(np.array(sorted(columns[dish] for dish in basket), dtype=np.int32) for basket in baskets)
    at = np.arange(len(own), dtype=np.int64) * 86_400 + int(START.timestamp())
    return Query.of(own, at, data.last_at, place or Place(), row)


def random_town(customers: int, dishes: int, *, seed: int) -> dict[str, Orders]:
    """Return a history in which each customer mostly repeats a few favourites."""
    rng = np.random.default_rng(seed)
    town: dict[str, Orders] = {}
    for customer in range(customers):
        favourites = rng.choice(dishes, 3, replace=False)
        days = np.sort(rng.uniform(0, 90, rng.integers(2, 9)))
        town[f"c{customer:03d}"] = [
            (
                float(day),
                sorted(
                    {
                        f"d{int(rng.choice(favourites) if rng.random() < 0.8 else rng.integers(dishes)):02d}"
                        for _ in "ab"
                    }
                ),
            )
            for day in days
        ]
    return town


def empty_baskets(n_customers: int, n_items: int) -> Baskets:
    """Return a history without any basket."""
    nothing = np.empty(0, np.int32)
    return Baskets(
        customer_start=np.zeros(n_customers + 1, np.int64),
        basket_start=np.zeros(1, np.int64),
        items=nothing,
        quantity=np.empty(0, np.float32),
        at=np.empty(0, np.int64),
        zone=nothing,
        vendor=nothing,
        latitude=np.empty(0, np.float32),
        longitude=np.empty(0, np.float32),
        n_items=n_items,
    )


def dishes_by_customer(data: TrainingSet, baskets: Baskets | None = None) -> dict[str, list[list[str]]]:
    """Read baskets back as {customer: [dishes, ...]}, the inverse of the border."""
    b = baskets or data.baskets
    return {
        name: [
            sorted(data.items[int(i)] for i in b.items[b.basket_start[n] : b.basket_start[n + 1]])
            for n in range(b.customer_start[row], b.customer_start[row + 1])
        ]
        for row, name in enumerate(data.customers)
    }
