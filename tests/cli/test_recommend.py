"""`regulars recommend`: the service's answers without a service."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.database.session import connect, transaction
from engine.events.event import Event
from engine.events.inbox import store
from engine.settings import Settings
from tests.api.conftest import NOW, served_home, trained_home  # noqa: F401 - fixtures

COMMANDS = {
    "dishes": ["dishes", "c001"],
    "similar": ["similar", "d05"],
    "addons": ["addons", "c001", "--cart", "d05"],
    "again": ["again", "c001"],
    "vendors": ["vendors", "c001"],
    "for-segment": ["for-segment", "SEGMENT"],
}


@pytest.fixture
def ask(served_home: Settings, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Return a function from arguments to (exit code, stdout, stderr)."""
    import sys

    from cli.main import run

    def call(*arguments: str) -> tuple[object, str, str]:
        before = sys.argv
        sys.argv = ["regulars", "recommend", *arguments, "--home", str(served_home.home)]
        try:
            with pytest.raises(SystemExit) as ended:
                run()
        finally:
            sys.argv = before
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return call


@pytest.mark.parametrize("command", COMMANDS)
def test_every_list_can_be_asked_from_the_command_line(ask: Callable[..., Any], command: str, tmp_path: Path) -> None:
    (tmp_path / "everybody.yaml").write_text("orders: {at_least: 1}\n", encoding="utf-8")
    arguments = [str(tmp_path / "everybody.yaml") if each == "SEGMENT" else each for each in COMMANDS[command]]
    code, out, _ = ask(*arguments, "--limit", "2", "--json")
    assert code == 0
    answer = json.loads(out)
    assert {"request_id", "model_version", "items", "notes"} <= set(answer)
    assert len(answer["items"]) == 2
    code, out, _ = ask(*arguments, "--limit", "1")
    assert code == 0
    assert "why" in out


def test_half_a_point_is_refused(ask: Callable[..., Any]) -> None:
    code, _, told = ask("vendors", "c001", "--latitude", "31.2")
    assert code == 2
    assert "latitude and longitude belong together, and longitude is missing" in told


def test_it_answers_what_the_service_answers(ask: Callable[..., Any], served_home: Settings) -> None:
    from tests.api.conftest import opened

    ours = json.loads(ask("dishes", "c001", "--limit", "6", "--zone", "z1", "--json")[1])
    with opened(served_home) as app:
        theirs = app.dishes("c001", limit=6, context={"zone": "z1"})
    assert [item["item_id"] for item in ours["items"]] == [item["item_id"] for item in theirs["items"]]


def test_it_hears_what_the_inbox_holds(ask: Callable[..., Any], served_home: Settings) -> None:
    before = json.loads(ask("dishes", "stranger", "--limit", "12", "--json")[1])["items"]
    rare = before[-1]["item_id"]
    engine = connect(served_home)
    with transaction(engine) as session:
        store(session, [Event("e1", "order", "stranger", NOW, {"order_id": "1", "items": [{"item_id": rare}]})], NOW)
    engine.dispose()
    assert json.loads(ask("dishes", "stranger", "--limit", "1", "--json")[1])["items"][0]["item_id"] == rare


def test_what_she_was_shown_hides_nothing_she_did_as_in_the_service(
    ask: Callable[..., Any], served_home: Settings
) -> None:
    shown = {"item_id": "d01", "request_id": "r", "slot": 0}
    told = [Event("e0", "order", "stranger", NOW, {"order_id": "1", "items": [{"item_id": "d07"}]})]
    told += [Event(f"e{n}", "impression", "stranger", NOW, shown) for n in range(1, 260)]
    engine = connect(served_home)
    with transaction(engine) as session:
        store(session, told, NOW)
    engine.dispose()
    code, out, _ = ask("again", "stranger", "--json")
    assert code == 0
    assert [item["item_id"] for item in json.loads(out)["items"]] == ["d07"]


def test_people_are_told_what_a_dish_is_made_of_and_why_the_list_is_short(ask: Callable[..., Any]) -> None:
    code, out, told = ask("dishes", "c001", "--limit", "20", "--zone", "z0", "--explain")
    assert code == 0
    assert "made of" in out
    assert "out_of_zone 4" in told
    assert "Short because: Other vendors do not deliver to that zone (out_of_zone)" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["similar", "d055"], "error[not_found]: item_id: no dish 'd055'; did you mean 'd05'?"),
        (["dishes", "--allergen", "penuts"], "did you mean 'peanuts'"),
        (["dishes", "--limit", "101"], "error[bad_usage]"),
        (["dishes", "--at", "yesterday"], "--at: 'yesterday' is neither a date"),
        (["dishes", "--at", "1999-01-01"], "lies before the first order we know"),
        (["dishes", "--language", "french"], "--language"),
        (["for-segment", "dormnt"], "did you mean 'dormant'"),
        (["addons", "c001"], "--cart"),
    ],
)
def test_bad_input_is_one_line(ask: Callable[..., Any], arguments: list[str], said: str) -> None:
    code, out, told = ask(*arguments)
    assert code == 2
    assert out == ""
    assert said in told
    assert len(told.splitlines()) == 1


def test_before_the_first_training_it_says_what_to_do(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    from cli.main import run

    monkeypatch.setattr(sys, "argv", ["regulars", "recommend", "dishes", "c001", "--home", str(home)])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 2
    assert "run `regulars train`" in capsys.readouterr().err
