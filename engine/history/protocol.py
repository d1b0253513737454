"""What every order history offers, wherever it keeps its orders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import polars as pl


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append did; `order_changes` and `line_changes` (new, updated, same) align with the rows given.

    A repeated row of the same call is `same` except its last appearance.
    """

    orders_new: int
    orders_updated: int
    orders_same: int
    lines_new: int
    lines_updated: int
    lines_duplicate: int
    order_changes: pl.Series
    line_changes: pl.Series


class History(Protocol):
    """Orders and their lines: read before any instant, extended by `append` alone."""

    def orders(self, before: datetime | None = None, *, since: datetime | None = None) -> pl.LazyFrame:
        """Return orders (schema ORDERS) placed strictly before `before`; all of them where None.

        `since` may leave out orders placed before it; those from it on are all there.
        Raises ValueError for a `before` without time zone, BadFile when what is stored is broken.
        """

    def lines(self, before: datetime | None = None, *, since: datetime | None = None) -> pl.LazyFrame:
        """Return order lines (schema LINES) as `orders` returns orders."""

    def months(self) -> Iterator[tuple[pl.LazyFrame, pl.LazyFrame]]:
        """Yield orders and lines of one calendar month (UTC) after the other, by customer, instant and order."""

    def window(self) -> tuple[datetime, datetime] | None:
        """Return the first and last `ordered_at`; None when there is no order."""

    def counts(self) -> tuple[int, int]:
        """Return how many orders and how many lines there are, without reading them."""

    def fingerprint(self) -> str:
        """Return 32 hex digits that change if and only if the content does."""

    def known(self, order_ids: pl.Series) -> pl.DataFrame:
        """Return order_id, customer_id, ordered_at, status and vendor_id of those `order_ids` that history holds."""

    def append(self, orders: pl.DataFrame, lines: pl.DataFrame) -> Appended:
        """Add or update orders by order_id and lines by (order_id, item_id, line_no); the same again changes nothing.

        Where history already has the row, a given value wins and null keeps what was known. Lines take customer,
        instant, status and vendor of their order.
        Raises BadColumns for a missing or null required column, Conflict when an order_id belongs to another customer
        or instant, when a line has no order, or when another process is writing.
        """
