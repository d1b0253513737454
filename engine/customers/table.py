"""The customer table: one row per customer known at a moment, every column of `engine.customers.columns`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from engine.customers.behaviour.cadence import DEFAULT_CADENCE, fit_population_cadence
from engine.customers.behaviour.purchases import order_days, read_purchases
from engine.customers.behaviour.satisfaction import feedback_as_of
from engine.customers.columns import CUSTOMER_TABLE, TableColumn, declare_columns
from engine.customers.compute.forecasts import forecast_figures
from engine.customers.compute.groups import cluster_figures, lookalike_figures
from engine.customers.compute.inputs import (
    Columns,
    FigureGroup,
    GroupResult,
    TableInputs,
    TableSources,
    window_start_s,
)
from engine.customers.compute.opinions import opinion_figures
from engine.customers.compute.orders import dish_figures, dish_margins, habit_figures, order_figures
from engine.customers.compute.value import cadence_figures, value_figures
from engine.customers.config import CustomerConfig
from engine.customers.moment import Moment
from engine.customers.value import rfm

ReportStage = Callable[[str], None]

# Computed in this order; a group sees the columns of all groups before it.
FIGURE_GROUPS: list[FigureGroup] = [
    FigureGroup("dishes", habit_figures),
    FigureGroup("value and cadence", order_figures),
    FigureGroup("value and cadence", value_figures),
    FigureGroup("value and cadence", cadence_figures),
    FigureGroup("forecasts", forecast_figures),
    FigureGroup("satisfaction and groups", opinion_figures),
    FigureGroup("satisfaction and groups", cluster_figures),
    FigureGroup("satisfaction and groups", lookalike_figures),
]


@dataclass(frozen=True, slots=True)
class CustomerTable:
    """The table (schema CUSTOMER_TABLE, sorted by customer_id) and its facts: data window, models, quality."""

    table: pl.DataFrame
    facts: dict[str, Any]


def register_figure(column: TableColumn, compute: Callable[[TableInputs, Columns], pl.Series]) -> FigureGroup:
    """Add a column to the customer table, and with it a field to segments, computed after all others.

    `compute` gets what is known of customers and every column before; it returns one value per customer, null unknown.
    Raises ValueError for a name declared before.
    """
    declare_columns(column)
    group = FigureGroup("further figures", lambda inputs, columns: GroupResult({column.name: compute(inputs, columns)}))
    FIGURE_GROUPS.append(group)
    return group


def customer_table(
    sources: TableSources,
    moment: Moment,
    *,
    horizon_days: int,
    config: CustomerConfig,
    report: ReportStage = lambda _: None,
    seed: int = 0,
) -> CustomerTable:
    """Build every column as of `moment`; forecasts look `horizon_days` ahead. Equal data and seed give equal tables."""
    report("customers: orders")
    purchases = read_purchases(sources.orders, sources.customers, moment)
    days = order_days(purchases)
    stage = "dishes"
    report(f"customers: {stage}")
    columns, margin, window_margin = dish_figures(sources, purchases, window_start_s(moment, config))
    inputs = TableInputs(sources, purchases, days, margin, window_margin, config, horizon_days, seed)
    facts: dict[str, Any] = {}
    notes: list[str] = []
    for group in FIGURE_GROUPS:
        if group.stage != stage:
            stage = group.stage
            report(f"customers: {stage}")
        result = group.compute(inputs, columns)
        columns |= result.columns
        facts |= result.facts
        notes += result.notes
    table = pl.DataFrame({name: columns[name] for name in CUSTOMER_TABLE})
    table = table.select(pl.col(name).cast(dtype) for name, dtype in CUSTOMER_TABLE.items())
    return CustomerTable(table, _manifest(inputs, table, facts, notes))


def customer_groups(sources: TableSources, moment: Moment, config: CustomerConfig) -> pl.DataFrame:
    """Return customer_id, rfm_group, tier, abcd and lifecycle alone as of `moment`, without any forecast."""
    purchases = read_purchases(sources.orders, sources.customers, moment)
    margins = dish_margins(sources, purchases, window_start_s(moment, config))
    inputs = TableInputs(sources, purchases, order_days(purchases), *margins, config, horizon_days=0)
    columns = {"customer_id": purchases.ids}
    for compute in (value_figures, cadence_figures):
        columns |= compute(inputs, columns).columns
    return pl.DataFrame({name: columns[name] for name in ("customer_id", "rfm_group", "tier", "abcd", "lifecycle")})


def _manifest(
    inputs: TableInputs, table: pl.DataFrame, found: Mapping[str, Any], notes: Sequence[str]
) -> dict[str, Any]:
    """Return what is reported of the table: its moment, data window, models chosen and how good they were."""
    purchases = inputs.purchases
    window = purchases.orders.select(pl.col("at").min().alias("first"), pl.col("at").max().alias("last")).row(0)
    population = fit_population_cadence(inputs.days)
    notes = list(notes)
    if purchases.unclear:
        notes.append(f"{purchases.unclear} orders are in another currency than {purchases.currency}; amounts left out")
    if population is DEFAULT_CADENCE:
        notes.append("fewer than 20 gaps between orders are known; cadence assumes about a month")
    manifest = {
        "as_of": inputs.moment.at.isoformat(),
        "timezone": inputs.moment.zone,
        "horizon_days": inputs.horizon_days,
        "currency": purchases.currency,
        "customers": inputs.n,
        "ordered": int((np.diff(inputs.days.start) > 0).sum()),
        "orders": purchases.orders.height,
        "first_order_at": window[0].isoformat() if window[0] else None,
        "last_order_at": window[1].isoformat() if window[1] else None,
        "lifetime_value": found["lifetime_value"],
        "return_model": found["return_model"],
        "cadence": asdict(population) | {"typical_gap_days": float(np.exp(population.mean))},
        "natural_groups": found["natural_groups"],
        "notes": notes,
        "cut_points": _rfm_cut_points(table),
        "feedback": feedback_as_of(inputs.sources.feedback, inputs.moment).height,
    }
    return manifest | dict(found)


def _rfm_cut_points(table: pl.DataFrame) -> dict[str, list[float]]:
    """Return the four quintile ends of recency, frequency and monetary that r, f and m were scored by."""
    there = table.filter(pl.col("frequency") > 0)
    return {
        name: rfm.quintile_cut_points(sign * there[name].cast(pl.Float64).to_numpy()).tolist()
        for name, sign in (("recency_days", -1), ("frequency", 1), ("monetary", 1))
    }
