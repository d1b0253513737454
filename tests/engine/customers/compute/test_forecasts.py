"""Forecasts of everyone who ordered, and nulls with a reason where there is too little to fit."""

from __future__ import annotations

from engine.customers.compute.forecasts import forecast_figures
from tests.engine.customers.compute.given import inputs_of
from tests.engine.customers.histories import customers, drawn_town, order, orders, sources


def test_too_little_history_gives_nulls_and_a_note() -> None:
    inputs = inputs_of(sources(orders(order("a", 3))))
    result = forecast_figures(inputs, {})
    assert {name: column.to_list() for name, column in result.columns.items()} == {
        name: [None] for name in result.columns
    }
    assert result.facts == {"lifetime_value": None, "return_model": None}
    assert "at least 10 customers" in result.notes[0]


def test_everyone_who_ordered_has_a_forecast_and_no_prospect_has_one() -> None:
    inputs = inputs_of(sources(drawn_town(300, seed=2), known=customers({"customer_id": "p"})), horizon_days=60)
    result = forecast_figures(inputs, {})
    prospect = inputs.purchases.ids.to_list().index("p")
    for name, column in result.columns.items():
        assert column.null_count() == 1, name
        assert column[prospect] is None, name
    assert result.columns["p_no_order"].is_between(0, 1).sum() == inputs.n - 1
    assert result.facts["lifetime_value"]["model"] in {"bg_nbd", "mbg_nbd"}
    quality = result.facts["return_model"]
    assert quality is None or quality["horizon_days"] == 60
