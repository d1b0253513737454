"""Columns of expected orders and revenue, and of the chance of no order."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import polars as pl

from engine.customers.behaviour.cadence import fit_population_cadence
from engine.customers.behaviour.purchases import order_days
from engine.customers.compute.inputs import Columns, GroupResult, TableInputs, spread
from engine.customers.forecast.churn import ChurnQuality, churn_features, fit_churn_model
from engine.customers.forecast.lifetime_value import fit_lifetime_model, forecast_lifetime, recency_frequency_at
from engine.customers.moment import EPOCH
from engine.errors import NoHistory

STANDARD_HORIZONS = (30, 90, 365)


def forecast_figures(inputs: TableInputs, _: Columns) -> GroupResult:
    """Return forecasts of everyone who ordered; nulls, and a note with the reason, where no model can be fitted."""
    purchases, days, config, n = inputs.purchases, inputs.days, inputs.config, inputs.n
    today, horizon = inputs.moment.day, inputs.horizon_days
    names = [("", horizon), *((f"_{each}d", each) for each in STANDARD_HORIZONS)]
    counted = days if config.lifetime_value.count == "day" else order_days(purchases, count="order")
    try:
        lifetime = fit_lifetime_model(counted, today, config.lifetime_value)
    except NoHistory as error:
        empty = pl.Series([None] * n, dtype=pl.Float64)
        columns = {f"expected_{what}{end}": empty for what in ("orders", "revenue") for end, _ in names}
        columns |= {"expected_order_value": empty, "p_no_order": empty}
        return GroupResult(columns, {"lifetime_value": None, "return_model": None}, (error.message,))
    now = recency_frequency_at(counted, today)
    ahead = forecast_lifetime(lifetime, now, sorted({each for _, each in names}))
    columns = {f"expected_orders{end}": spread(ahead.orders[each], now.customer, n) for end, each in names}
    columns |= {f"expected_revenue{end}": spread(ahead.revenue[each], now.customer, n) for end, each in names}
    columns["expected_order_value"] = spread(ahead.order_value, now.customer, n)
    model = fit_churn_model(days, today, horizon, config, lifetime.bg_nbd.model)
    known = churn_features(days, today, horizon, lifetime.bg_nbd, fit_population_cadence(days))
    columns["p_no_order"] = spread(model.p_no_order(known), known.recency.customer, n)
    facts = {"lifetime_value": lifetime.as_json(), "return_model": _quality_facts(model.quality)}
    return GroupResult(columns, facts, tuple(note for note in (lifetime.note, model.note) if note))


def _quality_facts(quality: ChurnQuality | None) -> dict[str, Any] | None:
    if quality is None:
        return None
    return asdict(quality) | {"tested_from": str(EPOCH + timedelta(days=quality.cut_day))}
