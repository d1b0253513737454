"""Orders for tests of the customer table: written by hand, or drawn from the very models that are fitted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from engine.columns import CUSTOMERS, ITEMS, LINES, ORDERS, VENDORS
from engine.customers.behaviour.satisfaction import FEEDBACK
from engine.customers.compute.inputs import TableSources
from engine.customers.moment import Moment, end_of

NOW = end_of(datetime(2026, 3, 1, tzinfo=UTC).date(), "UTC")


def order(customer: str, days_ago: float, **more: object) -> dict[str, object]:
    """Return a delivered order of 10.00 placed `days_ago` before the last noon."""
    at = datetime(2026, 3, 1, 12, tzinfo=UTC) - timedelta(days=days_ago)
    plain = {"customer_id": customer, "ordered_at": at, "status": "delivered", "order_cents": 1000, "currency": "USD"}
    return {**plain, **more}


def orders(*rows: dict[str, object]) -> pl.DataFrame:
    """Return ORDERS; ids are given where missing."""
    full = [{"order_id": f"o{i}", **row} for i, row in enumerate(rows)]
    return pl.DataFrame([{name: row.get(name) for name in ORDERS} for row in full], schema=ORDERS)


def lines_of(placed: pl.DataFrame, items: Sequence[Sequence[str]]) -> pl.DataFrame:
    """Return LINES: `items[i]` are the dishes of order i, one portion each."""
    rows = []
    for row, dishes in zip(placed.iter_rows(named=True), items, strict=True):
        for dish in dishes:
            rows.append({**row, "item_id": dish, "line_no": 0, "quantity": 1.0})
    return pl.DataFrame([{name: row.get(name) for name in LINES} for row in rows], schema=LINES)


def customers(*rows: dict[str, object]) -> pl.DataFrame:
    """Return CUSTOMERS."""
    return pl.DataFrame([{name: row.get(name) for name in CUSTOMERS} for row in rows], schema=CUSTOMERS)


def items(*rows: dict[str, object]) -> pl.DataFrame:
    """Return ITEMS."""
    return pl.DataFrame([{name: row.get(name) for name in ITEMS} for row in rows], schema=ITEMS)


def opinion(customer: str, days_ago: float, kind: str, score: float | None = None, **about: str) -> dict[str, object]:
    """Return one survey answer or complaint given `days_ago` before the last noon."""
    at = datetime(2026, 3, 1, 12, tzinfo=UTC) - timedelta(days=days_ago)
    return {"customer_id": customer, "at": at, "kind": kind, "score": score, **about}


def feedback(*rows: dict[str, object]) -> pl.DataFrame:
    """Return FEEDBACK."""
    return pl.DataFrame([{name: row.get(name) for name in FEEDBACK} for row in rows], schema=FEEDBACK)


def sources(
    placed: pl.DataFrame,
    lines: pl.DataFrame | None = None,
    known: pl.DataFrame | None = None,
    menu: pl.DataFrame | None = None,
) -> TableSources:
    """Return what the table is built from; what is not given is empty."""
    return TableSources(
        placed.lazy(),
        (lines if lines is not None else pl.DataFrame(schema=LINES)).lazy(),
        known if known is not None else customers(),
        menu if menu is not None else items(),
        pl.DataFrame(schema=VENDORS),
    )


def drawn_days(
    n: int, *, r: float, alpha: float, a: float, b: float, weeks: int, seed: int, drops_out_at_once: bool = False
) -> list[np.ndarray]:
    """Return each customer's order days (floats, from 0) drawn from BG/NBD, or from MBG/NBD."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(r, 1 / alpha, n)
    p = rng.beta(a, b, n)
    drawn = []
    for i in range(n):
        start = rng.uniform(0, 7 * min(12, weeks / 3))
        days, at = [start], start
        while not ((drops_out_at_once or len(days) > 1) and rng.random() < p[i]):
            at += 7 * rng.exponential(1 / max(rate[i], 1e-12))
            if at > weeks * 7:
                break
            days.append(at)
        drawn.append(np.array(days))
    return drawn


def drawn_town(n: int, *, seed: int, weeks: int = 52) -> pl.DataFrame:
    """Return orders of `n` customers who buy and leave as BG/NBD says; amounts differ by customer, half discounted."""
    rng = np.random.default_rng(seed)
    days = drawn_days(n, r=0.6, alpha=3.0, a=0.8, b=2.5, weeks=weeks, seed=seed)
    worth = rng.gamma(4, 500, n)
    start = NOW.at - timedelta(days=weeks * 7)
    rows = [
        order(
            f"c{i:05d}", 0, ordered_at=start + timedelta(days=float(day)),
            order_cents=int(rng.gamma(5, worth[i] / 5)) + 1, discount_cents=int(rng.random() < 0.5) * 100,
            zone=f"z{i % 5}", vendor_id=f"v{int(rng.integers(4))}",
            rating=float(rng.integers(1, 6)) if rng.random() < 0.3 else None,
        )
        for i, own in enumerate(days) for day in own
    ]  # fmt: skip
    return orders(*rows)


def moment(day: str, zone: str = "UTC") -> Moment:
    """Return the end of a day."""
    return end_of(datetime.fromisoformat(day).date(), zone)
