"""`regulars import` as people and scripts call it: figures on stdout, one line and exit code 2 for bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from cli.main import run
from engine.database.audit import AuditRow
from engine.database.session import connect, transaction
from engine.settings import Settings

Call = Callable[..., "Done"]
GOOD = "customer_id,ordered_at,order_amount\nanna,2024-05-01,5\n"


@dataclass(frozen=True)
class Done:
    """What a call left behind."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def regulars(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path) -> Callable[..., Done]:
    """Return a function that runs the command's entry point in this process."""

    def call(*arguments: str | Path, **env: str) -> Done:
        for name, value in {"COLUMNS": "200", "USER": "tester", **env}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["regulars", "import", *map(str, arguments), "--home", str(home)])
        with pytest.raises(SystemExit) as left:
            run()
        printed = capsys.readouterr()
        return Done(int(left.value.code or 0), printed.out, printed.err)

    return call


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_json_goes_to_stdout_alone_and_the_import_is_audited(regulars: Call, home: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "orders.csv", GOOD + ",2024-05-01,1\n")
    mapping = write(tmp_path, "map.yaml", "columns: {zone: area}\n")
    done = regulars("orders", path, "--map", mapping, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert [summary[name] for name in ("read", "accepted", "quarantined", "duplicates")] == [2, 1, 1, 0]
    assert summary["reasons"] == {"missing_customer_id": 1}
    assert Path(summary["quarantine_files"][0]).exists()
    assert "warning: no file has the column 'area'" in done.stderr
    database = connect(Settings.from_environment({}, home=home))
    with transaction(database) as session:
        (row,) = session.scalars(select(AuditRow)).all()
    database.dispose()
    assert (row.actor, row.action, row.target) == ("cli:tester", "import", "orders")
    assert json.loads(row.detail)["accepted"] == 1


def test_people_get_a_table(regulars: Call, tmp_path: Path) -> None:
    done = regulars("orders", write(tmp_path, "orders.csv", GOOD))
    assert done.returncode == 0, done.stderr
    assert "Imported orders" in done.stdout
    assert "quarantined" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "files", "told"),
    [
        (["orders", "none.csv"], {}, "error[missing_file]: none.csv"),
        (["orders", "."], {}, "error[bad_file]"),
        (["orders", "a.csv"], {"a.csv": "id,when\n1,2\n"}, "column 'customer_id' is missing"),
        (["orders", "a.csv"], {"a.csv": "customer_id,ordered_at,item_id,quantity\na,2024-05-01,b,0\n"},
         "non_positive_quantity"),
        (["orders", "a.csv"], {"a.csv": b"customer_id,ordered_at\n\xff\xfe,1\n"}, "encoding: gb18030"),
        (["orders", "a.csv"], {"a.csv": ""}, "is empty"),
        (["orders", "a.ndjson"], {"a.ndjson": "{broken\n"}, "no line is a JSON object"),
        (["orders", "a.parquet"], {"a.parquet": "PAR1?"}, "is not Parquet"),
        (["orders", "a.csv", "--map", "m.yaml"], {"a.csv": GOOD, "m.yaml": "columns: [\n"}, "is not YAML"),
        (["orders", "a.csv", "--map", "m.yaml"], {"a.csv": GOOD, "m.yaml": "columns: {custmer_id: a}"},
         "did you mean 'customer_id'"),
        (["orders", "a.csv", "--map", "none.yaml"], {"a.csv": GOOD}, "error[missing_file]: none.yaml"),
        (["dishes", "a.csv"], {"a.csv": GOOD}, "No such command 'dishes'"),
        (["orders"], {}, "Missing"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_code_2(
    regulars: Call, tmp_path: Path, arguments: list[str], files: dict[str, str | bytes], told: str
) -> None:
    for name, content in files.items():
        write(tmp_path, name, content)
    placed = [str(tmp_path / a) if "." in a and (tmp_path / a).exists() and a != "." else a for a in arguments]
    done = regulars(*placed)
    assert done.returncode == 2
    assert done.stdout == ""
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_map_is_guessed_written_and_read_again(regulars: Call, home: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "export.csv", "Sales\nOrder ID;Customer;Date;Item;Qty\n1;anna;2024-05-01;soup;2\n")
    target = tmp_path / "map.yaml"
    done = regulars("guess", path, "--write", target)
    assert done.returncode == 0, done.stderr
    assert "customer_id: Customer" in done.stdout
    assert "# unsure: the times have no offset" in done.stdout
    assert "line 3: order_id 1, customer_id anna" in done.stdout
    assert not (home / "history").exists()
    assert regulars("orders", path, "--map", target).returncode == 0
    again = regulars("guess", path, "--write", target)
    assert (again.returncode, again.stdout) == (2, "")
    assert "error[conflict]" in again.stderr
    told = json.loads(regulars("guess", path, "--kind", "orders", "--json").stdout)
    assert told["map"] == target.read_text(encoding="utf-8")
    assert told["document"]["columns"]["item_id"] == "Item"
    assert told["preview"][0]["quantity"] == 2


def test_a_ready_map_goes_by_its_name(regulars: Call, tmp_path: Path) -> None:
    done = regulars("orders", write(tmp_path, "a.csv", GOOD), "--map", "shoppify")
    assert done.returncode == 2
    assert "did you mean 'shopify'" in done.stderr


def test_a_wrong_map_is_one_line_with_what_to_write(regulars: Call, home: Path, tmp_path: Path) -> None:
    rows = "".join(f"a{n},soonish,5\n" for n in range(2000))
    done = regulars("orders", write(tmp_path, "orders.csv", "customer_id,ordered_at,order_amount\n" + rows))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.strip().splitlines()) == 1
    assert "column 'ordered_at' (our ordered_at) holds 'soonish'" in done.stderr
    assert not (home / "history").exists()


def test_an_unreachable_database_is_one_line_before_anything_is_imported(
    regulars: Call, home: Path, tmp_path: Path
) -> None:
    url = "postgresql://nobody:x@127.0.0.1:1/none"
    done = regulars("orders", write(tmp_path, "orders.csv", GOOD), REGULARS_DATABASE_URL=url)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "does not answer" in done.stderr
    assert not (home / "history").exists()


def test_the_installed_command_fails_without_a_traceback(home: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "orders.csv", "customer_id,ordered_at\n,\n")
    program = "from cli.main import run; run()"
    done = subprocess.run(
        [sys.executable, "-c", program, "import", "orders", str(path), "--home", str(home)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).resolve().parent.parent.parent,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error[bad_file]: ")
    assert "missing_customer_id" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert len(list((home / "quarantine").iterdir())) == 1
