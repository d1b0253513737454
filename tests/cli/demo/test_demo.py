"""`regulars demo` and `regulars city`: the whole path on a simulated city, judged by its own figures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli.demo import home as demo_home
from engine.errors import Conflict
from engine.history.parquet import ParquetHistory
from engine.history.tables import read_table
from engine.ids import IdMap
from engine.models.registry import impersonal_models
from engine.recommend.catalog.catalog import build_catalog
from engine.settings import Settings

RUN = [sys.executable, "-c", "from cli.main import run; run()"]
CUSTOMERS = 400


def regulars(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [*RUN, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False, env=env or clean())


def clean(**more: str) -> dict[str, str]:
    """Return an environment that could lead a careless demo to other people's servers."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REGULARS_")}
    elsewhere = {
        "REGULARS_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "REGULARS_REDIS_URL": "redis://127.0.0.1:1/0",
    }
    return {**kept, **elsewhere, **more}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "home"


@pytest.fixture(scope="module")
def summary(folder: Path) -> dict[str, Any]:
    """One demo, run once for all tests that only read what it said and left."""
    done = regulars("demo", "--once", "--json", "--customers", str(CUSTOMERS), "--home", str(folder))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    steps = [line for line in done.stderr.splitlines() if line.startswith("▸")]
    assert len(steps) == 7
    assert done.stderr.count("✓") == 7
    return found


def alive(address: str) -> bool:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(f"{address}/health/live", timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def test_every_row_of_the_city_is_imported(summary: dict[str, Any], folder: Path) -> None:
    rows, imported = summary["city"]["rows"], summary["import"]
    assert imported["orders"]["read"] == rows["orders"] + rows["lines"]
    for counts in imported.values():
        assert counts["accepted"] == counts["read"] > 0
    assert ParquetHistory(folder / "history").counts()[0] >= rows["orders"]


def test_the_models_are_judged_and_published(summary: dict[str, Any], folder: Path) -> None:
    trained = summary["train"]
    assert trained["published"] is True
    assert trained["version"] == summary["serve"]["model_version"]
    figures = trained["evaluation"]["models"]
    assert {"popular", "repeat", "als", "item_knn", "blend"} <= figures.keys()
    assert figures["blend"]["ndcg@10"] > figures["popular"]["ndcg@10"]


def test_three_customers_get_dishes_with_reasons(summary: dict[str, Any]) -> None:
    loyal, regular, stranger = summary["recommend"]
    assert [each["part"] for each in summary["recommend"]] == ["loyal", "regular", "stranger"]
    assert all(len(each["dishes"]) == 5 and each["coupons"] for each in summary["recommend"])
    # Which of them is true, and whether it comes first, depends on the hour and weekday the demo runs at.
    habits = {"ordered_before", "most_weekdays", "mostly_weekday", "usual_daypart", "ordered_once", "due_now"}
    for each in (loyal, regular):
        assert habits & {dish["reason"]["code"] for dish in each["dishes"]}
    assert all(any("一" <= letter <= "鿿" for letter in dish["reason"]["text"]) for dish in regular["dishes"])
    assert stranger["notes"] == ["unknown_customer"]
    assert {dish["source"] for dish in stranger["dishes"]} <= set(impersonal_models())


def test_every_recommended_dish_can_be_delivered_there_and_then(summary: dict[str, Any], folder: Path) -> None:
    settings = Settings.from_environment({}, home=folder)
    items = read_table(settings, "items")
    ids = IdMap.of(items["item_id"].to_list())
    catalog = build_catalog(ids, items, read_table(settings, "vendors"), timezone="UTC")
    for each in summary["recommend"]:
        orderable = catalog.orderable(each["zone"], datetime.fromisoformat(each["at"]))
        assert 0 < orderable.sum() < len(orderable)  # the filter has something to do
        assert all(orderable[ids.row(dish["item_id"])] for dish in each["dishes"])


def test_one_order_changes_the_very_next_answer(summary: dict[str, Any]) -> None:
    event = summary["event"]
    assert event["accepted"] == 1
    assert event["rank_after"] < event["rank_before"]
    assert event["new"] > 0
    assert "unknown_customer" not in event["notes_after"]


def test_the_figures_of_the_win_back_add_up(summary: dict[str, Any]) -> None:
    found = summary["win_back"]
    held = sum(found["held_out"].values())
    assert found["audience"] == found["eligible"] + sum(found["excluded"].values())
    assert found["treated"] + held == found["eligible"] == found["decided"]
    assert found["treated"] == found["messages"] == found["coupons"] == found["sent"] == found["recorded"]
    assert held > 0
    assert found["treated"] > 20
    assert found["worker"]["waiting"] == 0


def test_nobody_held_out_or_refusing_is_written_to(summary: dict[str, Any], folder: Path) -> None:
    import sqlite3

    lines = (folder / "outbox" / "recording.ndjson").read_text(encoding="utf-8").splitlines()
    sent = [json.loads(line)["customer_id"] for line in lines]
    assert len(sent) == len(set(sent)) == summary["win_back"]["sent"]
    with sqlite3.connect(folder / "regulars.db") as database:
        arms = dict(database.execute("SELECT customer_id, arm FROM decisions"))
    database.close()
    assert {arms[customer] for customer in sent} == {"treated"}
    assert set(arms) - set(sent) == {customer for customer, arm in arms.items() if arm != "treated"}
    customers = read_table(Settings.from_environment({}, home=folder), "customers")
    refusing = set(customers.filter(~pl.col("marketing_consent"))["customer_id"])
    assert refusing
    assert not refusing & set(sent)


def test_two_messages_are_shown_and_the_coupon_is_in_the_app(summary: dict[str, Any]) -> None:
    english, chinese = summary["win_back"]["examples"]
    assert english["language"] == "en"
    assert english["title"].startswith("We miss you")
    assert chinese["language"] == "zh"
    assert "想你了" in chinese["title"]
    assert english["coupon_code"] in english["body"]
    in_app = summary["win_back"]["coupon_in_app"]
    assert [coupon["code"] for coupon in in_app["held"]] == [english["coupon_code"]]


def test_once_leaves_no_server_behind_and_no_key_in_the_summary(summary: dict[str, Any]) -> None:
    assert not alive(summary["serve"]["address"])
    assert "rg_" not in json.dumps(summary)


def test_a_second_run_shows_it_all_and_ctrl_c_stops_it(summary: dict[str, Any], folder: Path) -> None:
    del summary  # it only has to have run before
    command = [*RUN, "demo", "--customers", str(CUSTOMERS), "--home", str(folder), "--seed", "3"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean(), start_new_session=True
    )
    try:
        shown = "".join(_until("Ctrl-C", process))
        address = next(word for word in shown.split() if word.startswith("http")).removesuffix("/docs")
        assert alive(address)
        refused = regulars("demo", "--once", "--home", str(folder))
        assert refused.returncode == 2
        assert "another demo runs in this folder" in refused.stderr
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert process.returncode == 0
    assert "is built anew" in errors
    assert "Traceback" not in errors
    assert not alive(address)
    _wait_until_gone(process.pid)
    assert max(len(line) for line in shown.splitlines()) <= 100
    for part in ("The city", "Model quality", "blend, served", "never seen before", "Dormant win-back", "password"):
        assert part in shown


def _until(words: str, process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        yield line
        if words in line:
            return
    raise AssertionError(f"it ended before it said {words!r}: {process.stderr.read() if process.stderr else ''}")


def _wait_until_gone(group: int) -> None:
    """Fail if any process of the demo's own session is left."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("a process of the demo outlived it")


def test_a_folder_with_other_data_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / "manifest.json").write_text("{}")
    done = regulars("demo", "--once", "--home", str(tmp_path))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "holds data that is not the demo's" in done.stderr
    assert (tmp_path / "history" / "manifest.json").read_text() == "{}"


def test_a_step_that_fails_is_named_and_the_demo_ends(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        home = str(tmp_path / "home")
        done = regulars("demo", "--once", "--json", "--customers", "200", "--home", home, "--port", port)
    assert done.returncode == 1
    assert done.stdout == ""
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error[unavailable]: the demo stopped at serve:")
    assert "is taken" in last


def test_the_usual_home_is_kept_apart(tmp_path: Path) -> None:
    assert demo_home.home_of(None, {"REGULARS_HOME": str(tmp_path)}) == tmp_path / "demo"
    assert demo_home.home_of(None, {}) == Path("regulars-home/demo")
    assert demo_home.home_of(tmp_path, {"REGULARS_HOME": "/elsewhere"}) == tmp_path


def test_only_what_the_demo_made_is_removed(tmp_path: Path) -> None:
    with demo_home.claimed(tmp_path) as before:
        assert before is None
        (tmp_path / "history").mkdir()
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(Conflict, match="another demo"), demo_home.claimed(tmp_path):
            pass
    with demo_home.claimed(tmp_path) as before:
        assert before is not None
        assert not (tmp_path / "history").exists()
        assert (tmp_path / "notes.txt").read_text() == "mine"


def test_the_server_sees_nothing_of_the_callers_settings(tmp_path: Path) -> None:
    seen = demo_home.child_environment(clean(REGULARS_SECRET_KEY="x"), tmp_path)
    assert {name for name in seen if name.startswith("REGULARS_")} == {
        "REGULARS_HOME",
        "REGULARS_CURRENCY",
        "REGULARS_TIMEZONE",
        "REGULARS_LOG_LEVEL",
    }


def test_city_writes_files_and_says_how_to_import_them(tmp_path: Path) -> None:
    out = tmp_path / "city"
    arguments = ["city", "--customers", "50", "--out", str(out), "--until", "2026-03-01T00:00:00Z"]
    done = regulars(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["rows"]["customers"] == 50
    assert {path.name for path in out.glob("*.parquet")} == {
        "customers.parquet", "items.parquet", "lines.parquet", "offers.parquet", "orders.parquet", "vendors.parquet",
    }  # fmt: skip
    assert pl.read_parquet(out / "truth" / "customers.parquet").height == 50
    again = regulars(*arguments)
    assert again.returncode == 2
    assert "not an empty folder" in again.stderr
    bad = regulars("city", "--out", str(tmp_path / "other"), "--until", "soon")
    assert bad.returncode == 2
    assert "'soon' is no instant" in bad.stderr
    assert bad.stderr.count("\n") == 1
