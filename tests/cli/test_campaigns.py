"""`regulars campaigns` and `regulars worker` as people and scripts use them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

import cli.main
from engine.settings import Settings
from tests.campaigns.town import WINBACK, settle_town

ROOT = Path(__file__).parent.parent.parent
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command: the worker, which takes over signals and logs, as a process of its own, the rest in this one."""
    for name in [name for name in os.environ if name.startswith("REGULARS_")]:
        monkeypatch.delenv(name)

    def run(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        command = [*words, "--home", str(settings.home)]
        if words[0] == "worker":
            program = [sys.executable, "-c", "from cli.main import run; run()"]
            return subprocess.run(
                [*program, *command], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
            )
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["regulars", *command])
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                cli.main.run()
        shown = capsys.readouterr()
        return subprocess.CompletedProcess(command, int(ended.value.code or 0), shown.out, shown.err)

    return run


def json_of(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = orjson.loads(done.stdout)
    return found


def test_a_campaign_goes_from_definition_to_report(run: Run, settings: Settings, tmp_path: Path) -> None:
    settle_town(settings, 120, consents=(None, True, False))
    file = tmp_path / "winback.yaml"
    file.write_text(WINBACK, encoding="utf-8")
    assert json_of(run("campaigns", "validate", str(file), "--json"))["valid"] is True

    plan = json_of(run("campaigns", "plan", str(file), "--json"))
    assert plan["campaign"] == "winback"
    assert (plan["audience"], plan["eligible"], plan["excluded"]) == (120, 80, {"no_consent": 40})
    held = plan["held_out"]
    assert isinstance(held, dict)
    treated = plan["treated"]
    assert isinstance(treated, int)
    assert treated + held["global"] + held["campaign"] == 80
    assert (plan["cost_ceiling_cents"], plan["currency"]) == (treated * 500, "USD")
    messages = plan["messages"]
    assert isinstance(messages, list)
    assert len(messages) == 20

    launch = json_of(run("campaigns", "launch", "winback", "--plan", str(plan["plan_hash"]), "--json"))
    assert (launch["decisions"], launch["treated"], launch["messages"]) == (80, treated, treated)
    again = run("campaigns", "launch", str(file), "--json")
    assert (again.returncode, again.stdout) == (2, "")
    assert "launched already, as run 1" in again.stderr

    worker = json_of(run("worker", "--drain", "--json"))
    assert (worker["claimed"], worker["sent"], worker["failed"], worker["dropped"]) == (treated, treated, 0, 0)
    assert len(settings.recording_file.read_bytes().splitlines()) == treated

    status = json_of(run("campaigns", "status", str(file), "--json"))
    assert status["messages"] == {"sent": treated}
    report = json_of(run("campaigns", "report", "winback", "--json"))
    runs = report["runs"]
    assert isinstance(runs, list)
    assert runs[0]["treated"] == treated
    assert runs[0]["incremental_orders"]["enough"] is False
    listed = json_of(run("campaigns", "list", "--json"))
    assert listed["ready"] == ["dormant_winback", "high_value_thank_you"]


def test_people_get_tables_and_sentences(run: Run, settings: Settings) -> None:
    settle_town(settings, 60)
    for words in (
        ("campaigns", "validate", "dormant_winback"),
        ("campaigns", "plan", "high_value_thank_you"),
        ("campaigns", "launch", "high_value_thank_you"),
        ("campaigns", "status", "high_value_thank_you"),
        ("campaigns", "report", "high_value_thank_you"),
        ("campaigns", "pause", "high_value_thank_you"),
        ("campaigns", "resume", "high_value_thank_you"),
        ("campaigns", "list"),
        ("worker", "--once"),
    ):
        done = run(*words)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("campaigns", "validate", "nothing"), "error[not_found]: nothing: no such file"),
        (("campaigns", "validate", "gone.yaml"), "error[missing_file]: gone.yaml"),
        (
            ("campaigns", "plan", "dormant_winback", "--at", "soon"),
            "error[bad_request]: --at: 'soon' is neither a date",
        ),
        (("campaigns", "status", "nothing"), "error[not_found]: nothing: no campaign of that id was ever planned"),
        (("campaigns", "report", "nothing"), "error[not_found]: nothing"),
        (("campaigns", "launch", "dormant_winback"), "error[conflict]: campaign dormant_winback: it was never planned"),
        (("worker", "--once", "--drain"), "error[bad_input]: --once: give --once or --drain"),
        (("worker", "--lease", "0"), "error[bad_input]: --lease: expected seconds"),
        (("worker", "--slots", "0"), "error[bad_input]: --slots: expected 1"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(
    run: Run, settings: Settings, words: tuple[str, ...], message: str
) -> None:
    settle_town(settings, 5)
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


def test_a_home_without_data_says_what_to_import(run: Run) -> None:
    done = run("campaigns", "plan", "dormant_winback")
    assert done.returncode == 2
    assert "import" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_wrong_field_is_named_with_its_path(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(WINBACK.replace("orders:", "orderz:"), encoding="utf-8")
    done = run("campaigns", "validate", str(file))
    assert done.returncode == 2
    assert "segment.all[1].orderz: unknown field; did you mean 'orders'?" in done.stderr


def test_a_webhook_campaign_needs_its_url_before_launch(run: Run, settings: Settings, tmp_path: Path) -> None:
    settle_town(settings, 40)
    file = tmp_path / "hook.yaml"
    file.write_text(WINBACK.replace("channel: recording", "channel: webhook"), encoding="utf-8")
    assert run("campaigns", "plan", str(file)).returncode == 0
    done = run("campaigns", "launch", str(file))
    assert done.returncode == 2
    assert done.stderr.startswith("error[bad_input]: REGULARS_WEBHOOK_URL: is not set")
    env = {"REGULARS_WEBHOOK_URL": "https://example.com/hook", "REGULARS_WEBHOOK_SECRET": "s"}
    assert run("campaigns", "launch", str(file), env=env).returncode == 0


def test_square_brackets_in_a_message_are_shown_and_not_read_as_markup(
    run: Run, settings: Settings, tmp_path: Path
) -> None:
    settle_town(settings, 40)
    file = tmp_path / "sale.yaml"
    file.write_text(WINBACK.replace("{{ offer.amount }} off", "[SALE] [/x]") + 'name: "[b] x [/c]"\n', encoding="utf-8")
    shown = run("campaigns", "plan", str(file)).stdout
    assert "[SALE]" in shown
    assert "[b] x [/c]" in shown
    for words in (("launch", str(file)), ("status", str(file)), ("list",)):
        done = run("campaigns", *words)
        assert done.returncode == 0, done.stderr


def test_case_12_one_person_under_two_ids_is_written_to_once_and_a_refusal_holds_for_both(
    run: Run, settings: Settings, tmp_path: Path
) -> None:
    orders, people, file = tmp_path / "orders.csv", tmp_path / "people.csv", tmp_path / "hello.yaml"
    days = {"till-9": 3, "app-5": 2, "app-6": 5, "web-4": 4, "solo": 1}
    orders.write_text(
        "customer_id,ordered_at,item_id,order_amount\n"
        + "".join(f"{who},2026-10-0{day} 12:00:00,tea,20.00\n" for who, day in days.items()),
        encoding="utf-8",
    )
    people.write_text(
        "customer_id,name,email,phone,marketing_consent\n"
        "app-5,Mei,mei@example.com,+15555550111,no\ntill-9,Mei Y.,MEI@example.com,1 555 555 0111,\n"
        "app-6,Jo,jo@example.com,+15555550112,yes\nweb-4,Jo,,+1 (555) 555-0112,yes\nsolo,Al,al@example.com,,yes\n",
        encoding="utf-8",
    )
    file.write_text(
        "id: hello\nsegment: {orders: {at_least: 1}}\nholdout: 0\nchannel: recording\nmessage: {en: {body: Hello}}\n",
        encoding="utf-8",
    )
    json_of(run("import", "orders", str(orders), "--json"))
    json_of(run("import", "customers", str(people), "--json"))
    persons = json_of(run("customers", "duplicates", "--json"))["persons"]
    assert persons == [
        {"customer_ids": ["app-5", "till-9"], "shared": ["email", "phone"]},
        {"customer_ids": ["app-6", "web-4"], "shared": ["phone"]},
    ]
    table = run("customers", "duplicates")
    assert "app-6, web-4" in table.stdout
    assert "mei@" not in table.stdout.lower()
    plan = json_of(run("campaigns", "plan", str(file), "--json", env={"REGULARS_GLOBAL_HOLDOUT": "0"}))
    assert plan["excluded"] == {"no_consent": 2, "same_person": 1}
    messages = plan["messages"]
    assert isinstance(messages, list)
    assert {"app-6", "solo"} >= {each["customer_id"] for each in messages}
