"""Judging on a file of what came next."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from engine.errors import BadColumns, BadFile, MissingFile
from engine.history.opening import open_history
from engine.settings import Settings
from tests.baskets import learned_from, random_town, tables
from training.data.future import read_future
from training.evaluate_home import evaluate_home

TOLD = {"ann": [(0, ["soup"]), (1, ["rice"])], "7": [(0, ["tea"])]}


def future(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "next.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_all_rows_of_a_customer_are_one_order_where_no_instant_is_given(tmp_path: Path) -> None:
    data = learned_from(TOLD)
    targets = read_future(
        future(tmp_path, "customer_id,item_id\nann,soup\nann,tea\nann,soup\nbob,tea\n"), data, timezone="UTC"
    )
    assert [sorted(data.items[int(i)] for i in t.truth) for t in targets] == [["soup", "tea"], ["tea"]]
    assert len(targets[0].query.baskets) == 2
    assert targets[1].query.baskets == ()


def test_only_the_first_order_counts_and_brings_its_context(tmp_path: Path) -> None:
    data = learned_from(TOLD, zones={"ann": "north"}, vendors={"soup": "v1"})
    head = "customer_id,item_id,ordered_at,zone,vendor_id\n"
    rows = head + "ann,tea,2025-02-02,south,v9\nann,soup,2025-02-01 10:00,north,v1\n"
    (target,) = read_future(future(tmp_path, rows), data, timezone="Asia/Shanghai")
    assert [data.items[int(i)] for i in target.truth] == ["soup"]
    assert target.query.place.zone == 0
    assert target.query.place.vendor == 0
    assert target.query.now == 1738375200  # 10:00 in Shanghai is 02:00 UTC


def test_unknown_dishes_count_as_missed(tmp_path: Path) -> None:
    (target,) = read_future(future(tmp_path, "customer_id,item_id\nann,martian\n"), learned_from(TOLD), timezone="UTC")
    assert target.unseen == 1
    assert len(target.truth) == 0


def test_numeric_ids_read_like_imported_ones(tmp_path: Path) -> None:
    path = tmp_path / "next.parquet"
    pl.DataFrame({"customer_id": [7], "item_id": ["tea"]}).write_parquet(path)
    (target,) = read_future(path, learned_from(TOLD), timezone="UTC")
    assert len(target.query.baskets) == 1


def test_a_missing_file_a_missing_column_and_an_empty_cell_are_named(tmp_path: Path) -> None:
    data = learned_from(TOLD)
    with pytest.raises(MissingFile, match="check the path"):
        read_future(tmp_path / "nowhere.csv", data, timezone="UTC")
    with pytest.raises(BadColumns, match="'item_id' is missing; did you mean 'item'"):
        read_future(future(tmp_path, "customer_id,item\nann,soup\n"), data, timezone="UTC")
    with pytest.raises(BadFile, match=r"next\.csv:3"):
        read_future(future(tmp_path, "customer_id,item_id\nann,soup\n,soup\n"), data, timezone="UTC")


def test_the_json_form_has_what_scripts_rely_on(settings: Settings, tmp_path: Path) -> None:
    open_history(settings).append(*tables(random_town(80, 10, seed=4)))
    path = future(tmp_path, "customer_id,item_id\nc001,d01\nc002,d02\nstranger,d03\n")
    found = evaluate_home(settings, horizon_days=28, future=path, k=10, seed=0, report=lambda _: None)
    assert found["customers"] == 3
    assert found["new"] == 1
    assert found["served"] in found["models"]
    wanted = {"recall@10", "ndcg@10", "ndcg_full@10", "hit@10", "repeat_recall@10", "explore_recall@10"}
    assert all(wanted <= figures.keys() for figures in found["models"].values())


def test_a_vendor_page_ranks_only_that_vendors_dishes(settings: Settings, tmp_path: Path) -> None:
    town = random_town(60, 10, seed=4)
    vendors = {f"d{i:02d}": f"v{i % 2}" for i in range(10)}
    told = {c: [(day, dishes[:1]) for day, dishes in placed] for c, placed in town.items()}
    open_history(settings).append(*tables(told, vendors=vendors))
    rows = "customer_id,item_id,vendor_id\n" + "".join(f"stranger{i},d01,v1\n" for i in range(40))
    found = evaluate_home(settings, horizon_days=28, future=future(tmp_path, rows), k=5, seed=0, report=lambda _: None)
    assert found["models"]["popular"]["recall@5"] == 1.0  # five dishes at v1, five places


def test_a_file_without_an_order_is_named(settings: Settings, tmp_path: Path) -> None:
    open_history(settings).append(*tables(random_town(20, 15, seed=1)))
    with pytest.raises(BadFile, match=r"next\.csv: .*(no order|empty|no row)"):
        evaluate_home(
            settings,
            horizon_days=28,
            future=future(tmp_path, "customer_id,item_id\n"),
            k=5,
            seed=0,
            report=lambda _: None,
        )
