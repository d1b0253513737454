"""`regulars train` as people and scripts call it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.main import run
from engine.customers.store import customer_table_file, read_customer_table
from engine.database.session import connect, transaction
from engine.events.event import Event
from engine.events.inbox import store
from engine.history.opening import open_history
from engine.settings import Settings
from tests.baskets import random_town, tables
from training.judge.gate import Verdict


def test_training_renews_a_customer_table_that_lacks_what_was_told_or_a_column(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def train() -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", ["regulars", "train", "--json", "--home", str(settings.home)])
        with pytest.raises(SystemExit) as left:
            run()
        printed = capsys.readouterr()
        assert not left.value.code, printed.err
        return json.loads(printed.out)

    open_history(settings).append(*tables(random_town(120, 15, seed=1)))
    first, again = train(), train()
    assert first["customer_table"]["customers"] == 120
    assert again["unchanged"]
    assert again["customer_table"] is None
    who = read_customer_table(settings).table["customer_id"][0]
    engine = connect(settings)
    now = datetime.now(UTC)
    with transaction(engine) as session:
        store(session, [Event("e1", "complaint", who, now - timedelta(minutes=1), {"reason": "cold"})], now)
    engine.dispose()
    told = train()
    assert told["customer_table"]["as_of"][:10] >= (now - timedelta(days=1)).date().isoformat()
    assert read_customer_table(settings).table.filter(customer_id=who)["complaints"].to_list() == [1]
    assert train()["customer_table"] is None
    manifest = customer_table_file(settings).with_suffix(".json")
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 1}))
    older = train()
    assert older["unchanged"]
    assert older["customer_table"]["customers"] == 120


def test_a_refused_candidate_is_told_as_json_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("training.run.judge_candidate", lambda *_: Verdict(("ndcg@10 is 0.1 below live",), ("a note",)))
    open_history(settings).append(*tables(random_town(60, 12, seed=1)))
    monkeypatch.setattr(sys, "argv", ["regulars", "train", "--json", "--home", str(settings.home)])
    with pytest.raises(SystemExit) as left:
        run()
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert left.value.code == 1
    assert (told["published"], told["version"], told["unchanged"]) == (False, None, False)
    assert told["problems"] == ["ndcg@10 is 0.1 below live"]
    assert told["notes"] == ["a note"]
    assert told["evaluation"]["models"]
    (line,) = [each for each in printed.err.splitlines() if each.strip()]
    assert line.startswith("error[candidate_refused]: ndcg@10 is 0.1 below live")


@pytest.mark.parametrize("verb", ["train", "tune", "evaluate"])
def test_a_home_that_is_not_there_is_not_made(
    verb: str, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["regulars", verb, "--home", str(settings.home)])
    with pytest.raises(SystemExit) as left:
        run()
    assert left.value.code == 2
    assert "no such home; `regulars import` makes one" in capsys.readouterr().err
    assert not settings.home.exists()


@pytest.mark.parametrize(
    ("span", "says"), [("5000d", "not above 0 and up to 3650d"), ("0d", "up to 3650d"), ("soon", "such as 28d or 4w")]
)
def test_a_span_out_of_bounds_is_told_the_bound(
    span: str, says: str, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.home.mkdir()
    monkeypatch.setattr(sys, "argv", ["regulars", "train", "--horizon", span, "--home", str(settings.home)])
    with pytest.raises(SystemExit) as left:
        run()
    assert left.value.code == 2
    assert says in capsys.readouterr().err


def test_a_search_that_is_stopped_says_how_many_trials_are_kept(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from training.tune.search import Step

    def stopped(*_args: object, report: Callable[..., Any], **_more: object) -> None:
        report(Step(4, 0.2, 1.0, "models"))
        report(Step(2, 0.2, 2.0, "ranker"))
        raise KeyboardInterrupt

    monkeypatch.setattr("training.tune.search.tune", stopped)
    settings.home.mkdir()
    monkeypatch.setattr(sys, "argv", ["regulars", "tune", "--home", str(settings.home)])
    with pytest.raises(SystemExit) as left:
        run()
    assert left.value.code == 130
    assert "6 complete trials are kept" in capsys.readouterr().err
