"""`regulars experiments` simulates what intervals promise and reads any trial, in JSON or as a table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cli.main

FIELDS = {"false_positive_any_look", "false_positive_last", "coverage_all_looks", "width_ratio"}


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli.main.app, ["experiments", *words])
    return done.exit_code, done.stdout


def test_aa_gives_shares_and_the_same_again() -> None:
    words = (
        "aa",
        "--customers",
        "300",
        "--holdout",
        ".2",
        "--rate",
        ".05",
        "--campaigns",
        "20",
        "--seed",
        "3",
        "--json",
    )
    code, text = run(*words)
    found = json.loads(text)
    assert code == 0
    assert found.keys() >= FIELDS
    assert found["coverage_all_looks"] == pytest.approx(1 - found["false_positive_any_look"])
    assert run(*words)[1] == text


def test_analyse_reads_a_csv(tmp_path: Path) -> None:
    rows = [
        "arm,orders",
        *(f"{'control' if n % 4 == 0 else 'treated'},{n % 3 if n % 4 else n // 4 % 2}" for n in range(400)),
    ]
    file = tmp_path / "trial.csv"
    file.write_text("\n".join(rows), encoding="utf-8")
    code, text = run("analyse", str(file), "--arm", "arm", "--outcome", "orders", "--holdout", ".25", "--json")
    found = json.loads(text)
    assert code == 0
    assert found.keys() >= {"estimate", "low", "high", "looks", "variance_kept", "sample_ratio", "enough"}
    assert found["low"] < found["estimate"] < found["high"]
    assert "estimate" in run("analyse", str(file), "--arm", "arm", "--outcome", "orders")[1]


def test_a_missing_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["regulars", "experiments", "analyse", str(tmp_path / "no.csv"), "--arm", "a", "--outcome", "b"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit, match="2"):
        cli.main.run()
    assert capsys.readouterr().err.startswith("error[missing_file]: ")
