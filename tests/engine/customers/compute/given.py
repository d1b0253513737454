"""Inputs of column groups, from orders written by hand."""

from __future__ import annotations

import polars as pl

from engine.customers.behaviour.purchases import order_days, read_purchases
from engine.customers.compute.inputs import TableInputs, TableSources, window_start_s
from engine.customers.compute.orders import dish_figures
from engine.customers.config import CustomerConfig
from tests.engine.customers.histories import NOW


def inputs_of(sources: TableSources, config: CustomerConfig | None = None, *, horizon_days: int = 30) -> TableInputs:
    """Return what the groups compute from, as of NOW."""
    chosen = config or CustomerConfig()
    purchases = read_purchases(sources.orders, sources.customers, NOW)
    _, margin, window_margin = dish_figures(sources, purchases, window_start_s(NOW, chosen))
    return TableInputs(sources, purchases, order_days(purchases), margin, window_margin, chosen, horizon_days)


def rows(inputs: TableInputs, columns: dict[str, pl.Series], *names: str) -> dict[str, tuple[object, ...]]:
    """Return the named columns of each customer."""
    values = zip(*(columns[name].to_list() for name in names), strict=True)
    return dict(zip(inputs.purchases.ids.to_list(), values, strict=True))
