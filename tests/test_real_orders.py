"""The main job on the orders of 10,200 real customers: import, train, evaluate, recommend, plan a win-back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.settings import Settings
from tests.api.conftest import real_server

ROOT = Path(__file__).parent.parent
MAP = ROOT / "docs" / "guides" / "import" / "ncr_food_orders.yaml"


def regulars(*words: object) -> dict[str, Any]:
    """Run the command as a user would and return its JSON."""
    command = [sys.executable, "-c", "from cli.main import run; run()", *map(str, words), "--json"]
    env = {**os.environ, "REGULARS_CURRENCY": "INR", "REGULARS_TIMEZONE": "Asia/Kolkata"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def hold_back_last_orders(orders: pl.DataFrame, lines: pl.DataFrame, folder: Path) -> list[Path]:
    """Write the published protocol: the last delivered order of each customer with two is the target."""
    delivered = orders.filter(pl.col("status") == "Delivered").sort("customer_id", "placed_at", "order_id")
    last = delivered.group_by("customer_id", maintain_order=True).agg(pl.last("order_id"), pl.len().alias("n"))
    last = last.filter(pl.col("n") >= 2).select("order_id", "customer_id")
    history = folder / "orders.parquet", folder / "order_items.parquet"
    orders.join(last, on="order_id", how="anti").write_parquet(history[0])
    lines.join(last, on="order_id", how="anti").write_parquet(history[1])
    future = lines.join(last, on="order_id").select("customer_id", item_id="item_name").unique()
    future.write_parquet(folder / "future.parquet")
    return [*history, folder / "future.parquet"]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ncr")


def test_last_orders_are_hit_by_five_dishes_at_least_seventy_times_in_a_hundred(
    shared_data: Callable[..., Any], work: Path, show_figure: Callable[..., Any]
) -> None:
    orders = pl.read_parquet(shared_data("ncr_food_orders", "orders.parquet"))
    lines = pl.read_parquet(shared_data("ncr_food_orders", "order_items.parquet"))
    *history, future = hold_back_last_orders(orders, lines, work)
    home = ["--home", work / "last"]
    regulars("import", "orders", *history, "--map", MAP, *home)
    found = regulars("evaluate", "--future", future, "--k", 5, *home)
    assert found["customers"] == found["returning"] == 3186
    for name, figures in found["models"].items():
        show_figure(
            f"ncr last order   {name:10s} hit@5 {figures['hit@5']:.3f}  recall@5 {figures['recall@5']:.3f}  "
            f"ndcg@5 {figures['ndcg@5']:.3f}"
        )
    low, high = found["intervals"][found["served"]]["hit@5"]
    show_figure(f"ncr last order   served {found['served']}: hit@5 95 % interval {low:.3f} to {high:.3f}; needed .70")
    assert found["models"][found["served"]]["hit@5"] >= 0.70


def test_the_main_job_end_to_end_on_real_orders(
    shared_data: Callable[..., Any], work: Path, show_figure: Callable[..., Any]
) -> None:
    files = [shared_data("ncr_food_orders", name) for name in ("orders.parquet", "order_items.parquet")]
    home = ["--home", work / "whole"]
    told = regulars("import", "orders", *files, "--map", MAP, *home)
    assert (told["orders"], told["lines"], told["customers"]) == (17_769, 31_924, 10_200)
    assert regulars("import", "orders", *files, "--map", MAP, *home)["accepted"] == 0
    trained = regulars("train", *home)
    assert trained["published"]
    blend = trained["evaluation"]["models"]["blend"]
    show_figure(f"ncr newest 28 d  served blend  hit@10 {blend['hit@10']:.3f}  ndcg@10 {blend['ndcg@10']:.3f}")
    judged = regulars("evaluate", "--horizon", "28d", "--k", 5, *home)
    assert judged["models"]["blend"]["hit@5"] > judged["models"]["popular"]["hit@5"]

    loyal = (
        pl.read_parquet(files[0])
        .filter(pl.col("status") == "Delivered")
        .group_by("customer_id")
        .len()
        .sort("len", "customer_id", descending=[True, False])["customer_id"][0]
    )
    settings = Settings.from_environment({}, home=work / "whole")
    with real_server(settings) as client:
        answer = client.post("/v1/recommend/dishes", json={"customer_id": loyal, "limit": 3}).json()
        habits = {"ordered_before", "usual_daypart", "most_weekdays", "mostly_weekday"}
        assert answer["items"][0]["reason"]["code"] in habits
        assert client.get(f"/v1/customers/{loyal}").json()["figures"]["orders"] >= 50
        for item in answer["items"]:
            show_figure(f"ncr recommends   {item['name']}: {item['reason']['text']}")

    plan = regulars("campaigns", "plan", "dormant_winback", "--at", "2025-01-04T00:00:00Z", *home)
    assert plan["eligible"] == plan["treated"] + sum(plan["held_out"].values())
    assert plan["treated"] > 100
    assert 0 < len(plan["messages"]) <= 20
    show_figure(
        f"ncr win-back     audience {plan['audience']:,}, treated {plan['treated']:,}, held out {plan['held_out']}, "
        f"cost at most {plan['cost_ceiling_cents'] / 100:,.0f} {plan['currency']}"
    )
