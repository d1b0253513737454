"""`regulars customers` and `regulars market` as people and scripts call them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli.main import run
from engine.customers.columns import CUSTOMER_TABLE
from engine.database.session import connect, transaction
from engine.events.event import Event
from engine.events.inbox import store
from engine.history.opening import open_history
from engine.settings import Settings
from tests.engine.customers.histories import NOW, drawn_town, lines_of

Call = Callable[..., "Done"]


@dataclass(frozen=True)
class Done:
    """What a call left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        assert self.code == 0, self.stderr
        return json.loads(self.stdout)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("customers") / "home"
    settings = Settings.from_environment({}, home=home)
    placed = drawn_town(300, seed=8)
    open_history(settings).append(placed, lines_of(placed, [[f"d{i % 4}"] for i in range(placed.height)]))
    return home


@pytest.fixture
def regulars(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], town: Path) -> Call:
    """Return a function that runs the command's entry point in this process."""

    def call(*arguments: object, home: Path = town) -> Done:
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setenv("USER", "tester")
        monkeypatch.setattr(sys, "argv", ["regulars", *map(str, arguments), "--home", str(home)])
        with pytest.raises(SystemExit) as left:
            run()
        printed = capsys.readouterr()
        return Done(int(left.value.code or 0), printed.out, printed.err)

    return call


def test_lifetime_value_prints_the_stable_form(regulars: Call) -> None:
    found = regulars("customers", "lifetime-value", "--as-of", "2026-03-01", "--model", "bg_nbd", "--json").json
    assert set(found) == {"model", "parameters", "gamma_gamma", "log_likelihood", "customers"}
    assert found["model"] == "bg_nbd"
    assert set(found["parameters"]) == {"r", "alpha", "a", "b"}
    assert set(found["gamma_gamma"]) == {"p", "q", "v"}
    assert found["log_likelihood"] < 0
    assert found["customers"] == 300
    auto = regulars("customers", "lifetime-value", "--as-of", "2026-03-01", "--json").json
    assert set(auto["held_out_log_likelihood"]) == {"bg_nbd", "mbg_nbd"}
    assert auto["model"] == max(auto["held_out_log_likelihood"], key=auto["held_out_log_likelihood"].get)


def test_each_order_may_count(regulars: Call) -> None:
    day, each = (
        regulars("customers", "lifetime-value", "--count", count, "--model", "bg_nbd", "--json").json
        for count in ("day", "order")
    )
    assert day["parameters"] != each["parameters"]


def test_people_get_facts(regulars: Call) -> None:
    done = regulars("customers", "lifetime-value", "--as-of", "2026-03-01")
    assert done.code == 0, done.stderr
    assert "alpha" in done.stdout
    assert "held-out" in done.stdout


def test_the_table_is_written_and_nothing_in_the_home_changes(regulars: Call, town: Path, tmp_path: Path) -> None:
    before = sorted(path.name for path in town.rglob("*"))
    out = tmp_path / "new" / "customers.parquet"
    found = regulars("customers", "table", "--as-of", "2026-02-01", "--horizon-days", "28", "--out", out, "--json").json
    frame = pl.read_parquet(out)
    assert dict(frame.schema) == CUSTOMER_TABLE
    assert frame.height == found["customers"] == 300
    assert found["horizon_days"] == 28
    assert sorted(path.name for path in town.rglob("*")) == before


def test_build_then_show_tells_why(regulars: Call, tmp_path: Path) -> None:
    built = regulars("customers", "build", "--as-of", "2026-03-01T12:00:00Z", "--json").json
    assert built["as_of"] == "2026-03-01T12:00:00+00:00"
    assert built["horizon_days"] == 90
    shown = regulars("customers", "show", "c00003", "--json").json
    assert shown["figures"]["lifecycle"] in shown["why"]["lifecycle"]
    people = regulars("customers", "show", "c00003")
    assert "Why" in people.stdout
    assert "rfm_group" in people.stdout
    assert "Reliability" in regulars("customers", "build").stdout


def test_transitions_add_up_to_everybody(regulars: Call) -> None:
    for by in ("rfm_group", "lifecycle", "tier", "abcd"):
        words = ("customers", "transitions", "--from", "2025-12-01", "--to", "2026-03-01", "--by", by)
        found = regulars(*words, "--json").json
        assert sum(row["customers"] for row in found["transitions"]) == 300
    assert "across" in regulars(*words).stdout


def test_feedback_received_by_event_counts_in_a_build_of_the_same_day(regulars: Call, tmp_path: Path) -> None:
    settings = Settings.from_environment({}, home=tmp_path / "home")
    placed = drawn_town(60, seed=1)
    open_history(settings).append(placed, lines_of(placed, [["d"]] * placed.height))
    best = placed.group_by("customer_id").agg(pl.col("order_cents").sum()).sort("order_cents")["customer_id"][-1]
    now = datetime.now(UTC)
    items = [{"item_id": "d", "unit_price_cents": 900}]
    told = [
        Event("e1", "order", best, now - timedelta(hours=2), {"order_id": "new", "items": items, "vendor_id": "v9"}),
        Event("e2", "complaint", best, now - timedelta(hours=1), {"reason": "cold", "order_id": "new"}),
        Event("e3", "survey", best, now - timedelta(hours=1), {"kind": "nps", "score": 2, "item_id": "d"}),
    ]
    engine = connect(settings)
    with transaction(engine) as session:
        store(session, told, now)
    engine.dispose()
    built = regulars("customers", "build", "--json", home=settings.home).json
    assert built["feedback"] == 2
    assert built["orders"] == placed.height + 1
    shown = regulars("customers", "show", best, "--json", home=settings.home).json
    assert (shown["figures"]["complaints"], shown["figures"]["nps"]) == (1, 2)
    assert shown["figures"]["unhappy_valuable"] is True
    assert "complaint" in shown["why"]["unhappy_valuable"]
    content = regulars("market", "--json", home=settings.home).json["satisfaction"]
    assert {row["name"]: row["complaints"] for row in content if row["complaints"]} == {"v9": 1, "d": 1}
    assert {row["name"]: row["nps"] for row in content if row["nps"] is not None} == {"d": -100.0}
    assert "most complaints first" in regulars("market", home=settings.home).stdout
    out = tmp_path / "customers.parquet"
    regulars("customers", "table", "--out", out, home=settings.home)
    assert pl.read_parquet(out).filter(customer_id=best)["complaints"].to_list() == [1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["customers", "lifetime-value", "--as-of", "soon"], "--as-of: 'soon' is neither a date"),
        (["customers", "lifetime-value", "--as-of", "2019-01-01"], "at least 10 customers"),
        (["customers", "lifetime-value", "--model", "pareto"], "'pareto' is not one of"),
        (["customers", "table", "--as-of", "2019-01-01", "--out", "x.parquet"], "nobody is known as of 2019-01-01"),
        (["customers", "table", "--out", "/dev/null/x.parquet"], "cannot be written"),
        (["customers", "table"], "Missing"),
        (["customers", "table", "--horizon-days", "0", "--out", "x.parquet"], "--horizon-days: 0 is not between"),
        (["customers", "build", "--config", "none.yaml"], "error[missing_file]: none.yaml"),
        (["customers", "transitions", "--from", "2026-03-01", "--to", "2026-03-01"], "--to: must be later than --from"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(regulars: Call, words: list[str], told: str) -> None:
    done = regulars(*words)
    assert done.code == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_a_wrong_configuration_in_the_home_is_told_by_its_path(regulars: Call, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("cadence: {lapsed: 2}\n")
    done = regulars("customers", "build", "--config", path)
    assert done.code == 2
    assert "mine.yaml.cadence.lapsed: 2 must lie between" in done.stderr


def test_a_home_without_orders_and_a_table_not_built_are_told_apart(regulars: Call, tmp_path: Path) -> None:
    assert "there is no order yet" in regulars("customers", "build", home=tmp_path / "none").stderr
    assert "regulars customers build" in regulars("customers", "show", "x", home=tmp_path / "none").stderr


def test_the_calibration_sample_s_conventions_hold(regulars: Call, tmp_path: Path) -> None:
    """A date means its last instant: T is whole days to it, and orders on the date itself count."""
    settings = Settings.from_environment({}, home=tmp_path / "home")
    placed = drawn_town(60, seed=1)
    open_history(settings).append(placed, lines_of(placed, [["d"]] * placed.height))
    last = (NOW.at - timedelta(days=1)).date().isoformat()
    midnight = regulars("customers", "lifetime-value", "--as-of", last, "--json", home=settings.home).json
    second = regulars("customers", "lifetime-value", "--as-of", f"{last}T23:59:59.999999Z", "--json",
                      home=settings.home).json  # fmt: skip
    assert midnight["parameters"] == second["parameters"]
    assert midnight["customers"] == second["customers"]
