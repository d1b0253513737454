"""`regulars market` as people and scripts call it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from cli.main import run
from engine.history.opening import open_history
from engine.settings import Settings
from tests.engine.customers.histories import drawn_town, lines_of


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("market") / "home"
    settings = Settings.from_environment({}, home=home)
    placed = drawn_town(300, seed=8)
    open_history(settings).append(placed, lines_of(placed, [[f"d{i % 4}"] for i in range(placed.height)]))
    return home


def printed(town: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "argv", ["regulars", "market", *arguments, "--home", str(town)])
    with pytest.raises(SystemExit) as left:
        run()
    assert not left.value.code
    return capsys.readouterr().out


def test_the_json_holds_trends_drops_and_ratings(
    town: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(printed(town, monkeypatch, capsys, "--as-of", "2026-03-01", "--json"))
    assert found["weeks"] == 12
    assert {rated["kind"] for rated in found["satisfaction"]} == {"vendor", "dish"}
    assert {trend["kind"] for trend in found["trends"]} >= {"dish", "vendor", "zone"}


def test_people_see_tables_with_the_lowest_rated_first(
    town: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = printed(town, monkeypatch, capsys)
    assert "Trends of the newest 12 weeks" in shown
    assert "Rated lowest, of 5 ratings or more" in shown
