"""`regulars segments` as people and scripts use it, on the simulated city."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

import cli.main
from tests.engine.segments.city import ENV, city_home

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    shutil.copytree(city_home(), home)
    for name in [name for name in os.environ if name.startswith("REGULARS_")]:
        monkeypatch.delenv(name)
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["regulars", *words, "--home", str(home)])
            with pytest.raises(SystemExit) as ended:
                cli.main.run()
        shown = capsys.readouterr()
        return subprocess.CompletedProcess(words, int(ended.value.code or 0), shown.out, shown.err)

    return run


def json_of(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return orjson.loads(done.stdout)


def test_a_segment_goes_from_file_to_saved_name_to_campaign(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "quiet.yaml"
    file.write_text("all:\n  - segment: one_timers\n  - zone: {known: true}\n", encoding="utf-8")
    assert json_of(run("segments", "validate", str(file), "--json"))["clauses"] == 6
    counted = json_of(run("segments", "count", str(file), "--json"))["customers"]
    assert json_of(run("segments", "save", "quiet", str(file), "--json")) == {
        "segment": "quiet",
        "version": 1,
        "new": True,
    }
    assert json_of(run("segments", "count", "quiet", "--json"))["customers"] == counted > 0
    campaign = tmp_path / "hello.yaml"
    campaign.write_text(
        "id: hello\nsegment: quiet\nmessage: {en: Hello}\nchannel: recording\nconsent: not_refused\n", encoding="utf-8"
    )
    at = "2026-02-28T15:59:59.999999+00:00"
    plan = json_of(run("campaigns", "plan", str(campaign), "--at", at, "--json"))
    assert plan["audience"] == counted
    # What was planned is what launches, whatever is saved under the name since.
    file.write_text("orders: {at_least: 1000}\n", encoding="utf-8")
    assert json_of(run("segments", "save", "quiet", str(file), "--json"))["version"] == 2
    launched = json_of(run("campaigns", "launch", "hello", "--json"))
    assert launched["decisions"] == plan["eligible"] > 0
    shown = run("segments", "show", "quiet").stdout
    assert "at_least: 1000" in shown
    assert "# version 1" in shown


def test_a_campaign_may_name_a_ready_segment_and_plans_it_exactly(run: Run, tmp_path: Path) -> None:
    campaign = tmp_path / "vip.yaml"
    campaign.write_text("id: vip\nsegment: platinum\nmessage: {en: Hello}\nchannel: recording\n", encoding="utf-8")
    at = "2026-02-28T15:59:59.999999+00:00"
    plan = json_of(run("campaigns", "plan", str(campaign), "--at", at, "--json"))
    assert plan["audience"] == json_of(run("segments", "count", "platinum", "--json"))["customers"]
    assert json_of(run("campaigns", "launch", str(campaign), "--json"))["decisions"] == plan["eligible"]


def test_a_preview_tells_reach_and_shows_some(run: Run) -> None:
    found = json_of(run("segments", "preview", "unreachable_by_push", "--sample", "5", "--json"))
    assert found["reach"]["push"] == {"address": 0, "not_refused": 0, "agreed": 0}
    sms = found["reach"]["sms"]
    assert 0 < sms["agreed"] < sms["not_refused"] <= sms["address"] <= found["customers"]
    assert len(found["sample"]) == 5
    assert "Reach" in run("segments", "preview", "new").stdout


def test_explain_gives_every_clause_its_value(run: Run) -> None:
    member = json_of(run("segments", "preview", "lunch_only", "--sample", "1", "--json"))["sample"][0]["customer_id"]
    found = json_of(run("segments", "explain", "lunch_only", member, "--json"))
    assert found["matched"] is True
    lunches, others = found["explained"]["inner"][0]["inner"]
    assert (lunches["value"] >= 3, others["value"]) == (True, 0)
    assert "it is 0" in " ".join(run("segments", "explain", "lunch_only", member).stdout.split())
    refused = run("segments", "explain", "new", "nobody")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "error[not_found]" in refused.stderr


def test_diff_counts_who_came_and_who_left(run: Run) -> None:
    found = json_of(run("segments", "diff", "new", "--since", "2026-02-10", "--json"))
    assert found["after"] == found["before"] + len(found["came"]) - len(found["left"])
    assert found["came"]
    assert found["left"]
    assert json_of(run("segments", "count", "new", "--as-of", "2026-02-10", "--json"))["customers"] == found["before"]


def test_the_list_and_the_schema_are_for_machines_too(run: Run) -> None:
    names = {each["segment"] for each in json_of(run("segments", "list", "--json"))}
    assert {"new", "prospects", "unhappy_valuable"} <= names
    assert json_of(run("segments", "schema"))["title"] == "Segment"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("count", "platinm"), "did you mean 'platinum'?"),
        (("count", "lovers_of_cuisine"), "needs its parameter 'cuisine'"),
        (("count", "new", "--with", "cuisine"), "--with: 'cuisine' is not NAME=VALUE"),
        (("count", "missing.yaml"), "missing.yaml: there is no such file"),
        (("count", "new", "--as-of", "soon"), "--as-of: 'soon' is neither a date"),
        (("diff", "new", "--since", "2027-01-01"), "--since: must be before the later one"),
        (("show", "ghosts"), "no ready or saved segment 'ghosts'"),
    ],
)
def test_bad_input_is_one_line(run: Run, words: tuple[str, ...], message: str) -> None:
    refused = run("segments", *words)
    assert refused.returncode == 2
    assert message in refused.stderr
    assert refused.stderr.count("\n") == 1
