"""The whole table: every column, every kind of odd customer, the same twice, and right against plain readings."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.customers.columns import (
    ABCD,
    CUSTOMER_TABLE,
    DAYPART_NAMES,
    LIFECYCLES,
    PRICE_BANDS,
    RFM_GROUPS,
    TABLE_COLUMNS,
    TIERS,
)  # fmt: skip
from engine.customers.config import CustomerConfig, LifetimeValue, Rfm
from engine.customers.figures import customer_figures
from engine.customers.moment import Moment
from engine.customers.table import CustomerTable, customer_groups, customer_table
from tests.engine.customers.histories import NOW, customers, drawn_town, items, lines_of, moment, order, orders, sources

Town = tuple[CustomerTable, pl.DataFrame, pl.DataFrame]


def build(
    placed: pl.DataFrame,
    known: pl.DataFrame | None = None,
    *,
    at: Moment = NOW,
    horizon: int = 30,
    config: CustomerConfig | None = None,
    **more: pl.DataFrame | None,
) -> CustomerTable:
    data = sources(placed, known=known, **more)
    return customer_table(data, at, horizon_days=horizon, config=config or CustomerConfig())


def row_of(built: CustomerTable, who: str) -> dict[str, Any]:
    row: dict[str, Any]
    (row,) = built.table.filter(pl.col("customer_id") == who).iter_rows(named=True)
    return row


@pytest.fixture(scope="module")
def town() -> Town:
    placed = drawn_town(1500, seed=3)
    rng = np.random.default_rng(0)
    lines = lines_of(placed, [[f"d{int(i)}"] for i in rng.integers(0, 12, placed.height)])
    menu = items(*({"item_id": f"d{i}", "cuisine": f"k{i % 3}", "category": "main", "margin_cents": 100 + 20 * i}
                   for i in range(12)))  # fmt: skip
    known = customers(
        *({"customer_id": f"p{i}", "zone": f"z{i % 5}", "registered_at": NOW.at - timedelta(days=i)} for i in range(40))
    )
    return build(placed, known, lines=lines, menu=menu, horizon=60), placed, known


def test_every_column_is_there_with_its_dtype_unit_and_source(town: Town) -> None:
    built, _, _ = town
    assert dict(built.table.schema) == CUSTOMER_TABLE
    assert all(column.unit and column.source and column.about.endswith(".") for column in TABLE_COLUMNS)
    assert built.table["customer_id"].is_sorted()
    assert built.table["customer_id"].is_unique().all()


def test_words_are_among_those_documented_and_shares_between_zero_and_one(town: Town) -> None:
    frame = town[0].table
    for name, words in (("rfm_group", RFM_GROUPS), ("tier", TIERS), ("abcd", ABCD), ("lifecycle", LIFECYCLES),
                        ("favourite_daypart", DAYPART_NAMES), ("price_band", PRICE_BANDS)):  # fmt: skip
        assert set(frame[name].drop_nulls()) <= set(words)
    for column in TABLE_COLUMNS:
        if column.unit.startswith(("share 0-1", "probability", "0-1")):
            values = frame[column.name].drop_nulls()
            assert values.is_between(0, 1).all(), column.name
        if column.dtype in {pl.Float64, pl.Float32}:
            assert frame[column.name].drop_nulls().is_finite().all(), column.name


def test_figures_equal_those_that_campaigns_use(town: Town) -> None:
    built, placed, known = town
    figures = customer_figures(placed.lazy(), known, as_of=NOW.at)
    assert figures["customer_id"].equals(built.table["customer_id"])
    for name in figures.columns:
        ours, theirs = built.table[name], figures[name]
        if ours.dtype == pl.Float64:
            np.testing.assert_allclose(ours.to_numpy(), theirs.to_numpy(), rtol=1e-9, err_msg=name)
        else:
            assert ours.equals(theirs, null_equal=True), name


def test_forecasts_are_for_the_horizon_asked_and_longer_ones_expect_more(town: Town) -> None:
    frame = town[0].table.filter(pl.col("orders") > 0)
    between = frame.filter(pl.col("expected_orders").is_between("expected_orders_30d", "expected_orders_90d"))
    assert between.height == frame.height
    product = (frame["expected_orders"] * frame["expected_order_value"]).to_numpy()
    assert np.abs(frame["expected_revenue"].to_numpy() - product).max() < 1e-6
    assert (frame["next_order_at"] >= NOW.at).all()
    assert town[0].facts["return_model"]["horizon_days"] == 60
    assert frame.select(pl.corr("p_no_order", "expected_orders")).item() < -0.5


def test_prospects_have_no_figures_but_a_rank(town: Town) -> None:
    frame = town[0].table.filter(pl.col("orders") == 0)
    assert frame.height == 40
    assert set(frame["lifecycle"]) == {"prospect"}
    for name in ("r", "tier", "abcd", "expected_orders", "p_no_order", "next_order_at", "top_items", "natural_group"):
        assert frame[name].null_count() == 40, name
    assert sorted(frame["prospect_rank"]) == list(range(1, 41))


def test_equal_data_give_an_equal_table(town: Town) -> None:
    built, placed, known = town
    again = build(placed.sample(fraction=1.0, shuffle=True, seed=1), known, horizon=60)
    for name in ("customer_id", "expected_orders", "p_no_order", "r", "lifecycle", "slowing_at"):
        assert again.table[name].equals(built.table[name], null_equal=True), name


def test_a_table_of_then_is_the_same_whatever_happened_since(town: Town) -> None:
    _, placed, known = town
    then = moment("2026-01-01")
    past = placed.filter(pl.col("ordered_at") <= then.at)
    assert build(placed, known, at=then).table.equals(build(past, known, at=then).table, null_equal=True)


def test_the_facts_name_the_window_the_models_and_their_calibration(town: Town) -> None:
    facts = town[0].facts
    assert facts["as_of"] == NOW.at.isoformat()
    assert facts["lifetime_value"]["model"] in {"bg_nbd", "mbg_nbd"}
    assert facts["lifetime_value"]["calibration"]["mae"] < facts["lifetime_value"]["calibration"]["mae_same_rate"]
    assert facts["return_model"]["tested_from"] == str(date(2026, 3, 1) - timedelta(days=60))
    assert facts["natural_groups"]["groups"]
    assert facts["notes"] == []


def test_a_customer_with_one_order_gets_the_population_s_cadence_and_value(town: Town) -> None:
    frame = town[0].table.filter(pl.col("order_days") == 1)
    assert frame.height > 50
    assert frame["own_gap_days"].null_count() == frame.height
    assert frame["cadence_days"].n_unique() == 1
    assert frame["expected_order_value"].n_unique() == 1


def test_one_customer_with_one_order_alone_is_a_table_with_reasons_for_what_is_missing() -> None:
    built = build(orders(order("a", 3)))
    row = row_of(built, "a")
    assert (row["frequency"], row["monetary"], row["recency_days"], row["lifecycle"]) == (1, 10.0, 3, "new")
    assert (row["tier"], row["abcd"]) == ("platinum", "A")
    assert row["expected_orders"] is None
    assert any("at least 10 customers" in note for note in built.facts["notes"])


def test_many_customers_without_any_order_are_prospects_quickly_ranked() -> None:
    rows: list[dict[str, object]] = [{"customer_id": f"p{i:05d}"} for i in range(20_000)]
    known = customers(*rows)
    built = build(orders(), known)
    assert built.table["lifecycle"].unique().to_list() == ["prospect"]
    assert built.table["prospect_rank"].to_list() == list(range(1, 20_001))


def test_nobody_known_is_an_empty_table() -> None:
    assert build(orders()).table.height == 0


def test_orders_in_the_future_change_nothing() -> None:
    now = [order("a", 3), order("b", 5), order("b", 2)]
    later = [order("a", -3), order("c", -10)]
    assert build(orders(*now, *later)).table.equals(build(orders(*now)).table, null_equal=True)


def test_zero_and_negative_amounts_neither_break_nor_count_as_value() -> None:
    built = build(
        orders(order("a", 5, order_cents=0), order("b", 5, order_cents=-500), order("b", 4, order_cents=2000))
    )
    free, corrected = row_of(built, "a"), row_of(built, "b")
    assert (free["frequency"], free["monetary"], free["tier"], free["abcd"]) == (1, 0.0, "lead", "C")
    assert (corrected["frequency"], corrected["monetary"], corrected["revenue_cents"]) == (1, 15.0, 1500)


def test_a_customer_twice_among_customers_counts_once_and_the_last_row_wins() -> None:
    known = customers({"customer_id": "a", "language": "en"}, {"customer_id": "a", "language": "zh"})
    built = build(orders(order("a", 1)), known)
    assert built.table.height == 1
    assert row_of(built, "a")["language"] == "zh"


def test_missing_time_zones_mean_the_company_s() -> None:
    at = datetime(2026, 2, 28, 20, 30, tzinfo=UTC)
    placed = orders(order("a", 0, ordered_at=at))
    known = customers({"customer_id": "a", "timezone": None})
    utc = row_of(build(placed, known), "a")
    india = row_of(build(placed, known, at=moment("2026-03-01", "Asia/Kolkata")), "a")
    assert (utc["best_hour"], utc["favourite_weekday"], utc["recency_days"]) == (20, 6, 1)
    assert (india["best_hour"], india["favourite_weekday"], india["recency_days"]) == (2, 7, 0)


def test_what_the_yaml_says_is_done() -> None:
    placed = orders(*(order(f"c{i}", day) for i in range(12) for day in (i, 50 + i, 50.2 + i)))
    short = build(placed, config=CustomerConfig(rfm=Rfm(window_days=10)))
    assert row_of(short, "c11")["abcd"] == "D"
    assert row_of(short, "c9")["frequency"] == 1
    assert row_of(build(placed), "c9")["frequency"] == 3
    counted = {
        count: build(placed, config=CustomerConfig(lifetime_value=LifetimeValue(model="bg_nbd", count=count)))
        for count in ("day", "order")
    }
    fitted = [each.facts["lifetime_value"]["log_likelihood"] for each in counted.values()]
    assert fitted[0] != fitted[1]


def test_groups_alone_are_those_of_the_whole_table(town: Town) -> None:
    built, placed, known = town
    rng = np.random.default_rng(0)
    lines = lines_of(placed, [[f"d{int(i)}"] for i in rng.integers(0, 12, placed.height)])
    menu = items(*({"item_id": f"d{i}", "margin_cents": 100 + 20 * i} for i in range(12)))
    alone = customer_groups(sources(placed, lines, known, menu), NOW, CustomerConfig())
    whole = built.table.select(alone.columns)
    assert alone.equals(whole, null_equal=True)
