"""The shipped maps on the real files they were written for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from engine.history.opening import open_history
from engine.imports.intake import ImportSummary, import_files
from engine.imports.mapping import read_map
from engine.settings import Settings

MAPS = Path(__file__).resolve().parents[3] / "docs" / "guides" / "import"
NOW = datetime(2025, 6, 1, tzinfo=UTC)
Find = Callable[..., Path]


def load(settings: Settings, name: str, *files: Path) -> ImportSummary:
    mapping = read_map(MAPS / f"{name}.yaml", "orders")
    summary = import_files(settings, "orders", files, mapping, now=NOW)
    before = open_history(settings).fingerprint()
    assert summary.read == summary.accepted + summary.quarantined + summary.duplicates
    again = import_files(settings, "orders", files, mapping, now=NOW)
    assert (again.accepted, again.duplicates) == (0, summary.accepted + summary.duplicates)
    assert open_history(settings).fingerprint() == before
    return summary


def test_ncr_food_orders(settings: Settings, shared_data: Find) -> None:
    files = [shared_data("ncr_food_orders", f"{name}.parquet") for name in ("orders", "order_items")]
    summary = load(settings, "ncr_food_orders", *files)
    assert (summary.orders, summary.lines, summary.customers) == (17_769, 31_924, 10_200)
    assert (summary.read, summary.quarantined, summary.warnings) == (49_693, 0, ())
    history = open_history(settings)
    orders = history.orders().collect()
    assert (orders["status"] == "delivered").sum() == 17_609
    source = pl.read_parquet(files[0])
    assert orders["order_cents"].sum() == round(source["total"].sum() * 100)
    assert orders["discount_cents"].sum() == round(source["discount_total"].sum() * 100)
    # 00:13 of 1 September in Delhi is 18:43 of the day before in UTC.
    assert history.window() == (datetime(2024, 8, 31, 18, 43, tzinfo=UTC), datetime(2025, 1, 3, 18, 24, tzinfo=UTC))


def test_akeed_with_its_locations(settings: Settings, shared_data: Find) -> None:
    summary = load(settings, "akeed", *(shared_data("akeed", f"{name}.parquet") for name in ("orders", "locations")))
    assert (summary.orders, summary.lines, summary.quarantined) == (112_128, 112_128, 0)
    assert summary.lookups == {"locations.parquet": 55_034}
    orders = open_history(settings).orders().collect()
    # 5 locations have no position and 113 orders one outside the Earth.
    assert orders["latitude"].null_count() == 118
    assert orders["currency"].unique().to_list() == ["OMR"]


def test_akeed_without_locations_and_with_positions_of_its_own(
    settings: Settings, shared_data: Find, tmp_path: Path
) -> None:
    summary = load(settings, "akeed", shared_data("akeed", "orders.parquet"))
    assert (summary.orders, len(summary.warnings)) == (112_128, 2)
    path = tmp_path / "orders.parquet"
    orders = pl.read_parquet(shared_data("akeed", "orders.parquet"))
    orders.with_columns(latitude=pl.lit(1.5), longitude=pl.lit(2.5)).write_parquet(path)
    own = import_files(settings, "orders", [path], read_map(MAPS / "akeed.yaml", "orders"), now=NOW)
    assert (own.updated, own.warnings) == (112_128, ())
    assert open_history(settings).orders().collect()["latitude"].unique().to_list() == [1.5]


def test_tafeng(settings: Settings, shared_data: Find) -> None:
    summary = load(settings, "tafeng", shared_data("tafeng", "history.parquet"))
    assert (summary.orders, summary.lines, summary.customers) == (77_369, 480_611, 13_858)
    orders = open_history(settings).orders().collect()
    days = (orders["ordered_at"] - datetime(2000, 1, 3, tzinfo=UTC)).dt.total_days()
    assert (days == orders["basket_no"]).all()


def test_online_retail(settings: Settings, shared_data: Find) -> None:
    path = shared_data("online_retail", "lines.parquet")
    summary = load(settings, "online_retail", path)
    assert summary.read == 541_909
    assert summary.reasons == {"missing_customer_id": 135_080}
    source = pl.read_parquet(path).filter(pl.col("customer_id").is_not_null())
    assert summary.customers == source["customer_id"].n_unique()
    cents = open_history(settings).orders().collect()["order_cents"].sum()
    # Each line is rounded to pence once; prices of a tenth of a penny are the only difference.
    assert cents / 100 == pytest.approx((source["quantity"] * source["unit_price"]).sum(), abs=1)
    (path_of_refused,) = summary.quarantine_files
    assert pl.scan_ndjson(path_of_refused).select(pl.len()).collect().item() == summary.quarantined


def test_complete_journey(settings: Settings, shared_data: Find) -> None:
    path = shared_data("complete_journey", "transactions_sample.parquet")
    summary = load(settings, "complete_journey", path)
    assert (summary.read, summary.reasons) == (75_000, {"non_positive_quantity": 416})
    source = pl.read_parquet(path).filter(pl.col("quantity") > 0)
    orders = open_history(settings).orders().collect()
    assert orders.height == source["basket_id"].n_unique()
    assert orders["discount_cents"].sum() == round(source["coupon_disc"].sum() * 100)
    # What the household paid: the shop's receipts less the coupons, never below zero.
    paid = source.group_by("basket_id").agg((pl.col("sales_value") - pl.col("coupon_disc")).sum().clip(0))
    assert orders["order_cents"].sum() == round(paid["sales_value"].sum() * 100)
