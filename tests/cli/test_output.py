"""Tables can be read, and their ids copied, on a narrow terminal."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from cli import output
from cli.output import print_table
from engine.settings import Settings

VERSION = "20261122T112503211560Z"


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that gives what was printed at 80 columns."""
    said = io.StringIO()
    monkeypatch.setattr(output, "out", Console(file=said, width=80, highlight=False))
    return said.getvalue


def test_an_id_that_another_command_takes_is_never_cut_or_broken(narrow: Callable[..., Any]) -> None:
    columns = ["version", "live", "created_at", "customers", "items", "ndcg@10"]
    row = [VERSION, True, "2026-11-22T11:25:03.211560+00:00", 1_234_567, 50_000, 0.467]
    print_table("Artifacts", columns, [row], whole=["version"])
    assert VERSION in narrow()
    assert "1,234,567" in narrow()
    assert "…" not in narrow()
    assert max(len(line) for line in narrow().splitlines()) <= 80


def test_what_is_too_long_is_folded_and_not_cut(narrow: Callable[..., Any]) -> None:
    print_table(
        "Dishes", ["dish", "name", "why"], [["d" * 60, "n" * 90, "You order this most Fridays"]], whole=["dish"]
    )
    assert "…" not in narrow()
    assert narrow().count("d") >= 60
    assert narrow().count("n") >= 90


def test_artifacts_shows_versions_as_activate_takes_them(
    narrow: Callable[..., Any], settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import numpy as np

    from cli.main import run
    from engine.artifact import write

    data = {"customers": 1_234_567, "items": 50_000}
    manifest = {"created_at": "2026-11-22T11:25:03.211560+00:00", "data": data, "evaluation": None}
    write(settings.artifacts_folder, VERSION, {"some": np.zeros(1)}, manifest)
    monkeypatch.setattr("sys.argv", ["regulars", "artifacts", "list", "--home", str(settings.home)])
    with pytest.raises(SystemExit):
        run()
    assert VERSION in narrow(), capsys.readouterr().err
