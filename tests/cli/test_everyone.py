"""`regulars recommend everyone`: one file with everybody's list."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.settings import Settings
from tests.api.conftest import served_home, trained_home  # noqa: F401 - fixtures


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function from arguments to (exit code, stdout, stderr)."""
    from cli.main import run

    def call(*arguments: int | Path | str) -> tuple[object, str, str]:
        monkeypatch.setattr("sys.argv", ["regulars", "recommend", "everyone", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            run()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return call


@pytest.mark.parametrize("model", ["served", "als"])
def test_it_writes_a_list_for_everybody_and_says_so(
    ask: Callable[..., Any], served_home: Settings, tmp_path: Path, model: str
) -> None:
    file = tmp_path / "lists.parquet"
    code, out, _ = ask("--out", file, "--top", 3, "--model", model, "--home", served_home.home, "--json")
    assert code == 0
    told = json.loads(out)
    found = pl.read_parquet(file)
    assert found.columns == ["customer_id", "rank", "item_id", "score"]
    assert told["customers"] == found["customer_id"].n_unique() == 60
    assert told["rows"] == found.height == 180
    assert (told["model"], told["top"], told["done_before"]) == (model, 3, 0)


def test_the_first_dish_is_the_one_the_service_would_show(
    ask: Callable[..., Any],
    served_home: Settings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from cli.main import run

    file = tmp_path / "lists.parquet"
    assert ask("--out", file, "--home", served_home.home)[0] == 0
    words = ["dishes", "c001", "--zone", "z1", "--limit", "5", "--json", "--home", str(served_home.home)]
    monkeypatch.setattr("sys.argv", ["regulars", "recommend", *words])
    with pytest.raises(SystemExit):
        run()
    shown = [item["item_id"] for item in json.loads(capsys.readouterr().out)["items"]]
    own = pl.read_parquet(file).filter(pl.col("customer_id") == "c001").sort("rank")
    assert own["item_id"].to_list()[:5] == shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "lists.csv"], "--out: 'lists.csv' does not end in .parquet"),
        (["--out", "nowhere/lists.parquet"], "nowhere: no such folder"),
        (["--out", "lists.parquet", "--top", "0"], "error[bad_usage]"),
        (["--out", "lists.parquet", "--model", "popular"], "error[bad_usage]"),
        (["--out", "lists.parquet", "--at", "someday"], "--at: 'someday' is neither a date"),
        (["--out", "lists.parquet", "--at", "1999-01-01"], "--at: lies before the first order we know"),
        (["--out", "lists.parquet", "--at", "2999-01-01"], "--at: lies more than a year ahead"),
        ([], "--out"),
    ],
)
def test_bad_input_is_one_line(
    ask: Callable[..., Any],
    served_home: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, told = ask(*arguments, "--home", served_home.home)
    assert code == 2
    assert out == ""
    assert said in told
    assert len(told.splitlines()) == 1
    assert not list(tmp_path.glob("*lists*"))


def test_an_empty_home_is_told_to_train_first(ask: Callable[..., Any], home: Path, tmp_path: Path) -> None:
    code, out, told = ask("--out", tmp_path / "lists.parquet", "--home", home)
    assert (code, out) == (2, "")
    assert "run `regulars train`" in told
    assert len(told.splitlines()) == 1
    assert not list(tmp_path.glob("*.parquet*"))
