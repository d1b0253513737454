"""Quarantine: one file for each input, personal cells sealed, kept for a while, and never a wrong map's whole file."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from engine.errors import BadFile
from engine.files.encryption import seal_of
from engine.history.opening import open_history
from engine.imports.intake import import_files
from engine.imports.mapping import ImportKind, parse_map
from engine.imports.quarantine import KEPT_FOR
from engine.settings import Settings

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
HEAD = "order_id,customer_id,ordered_at,item_id,unit_price,status\n"
MANY = 3000


def write(folder: Path, text: str | bytes, name: str = "orders.csv") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def line_count(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def load(settings: Settings, path: Path, document: object = None, kind: ImportKind = "orders") -> None:
    import_files(settings, kind, [path], parse_map(document, kind, where="map"), now=NOW)


def rows(at: str = "2026-03-01 12:30", price: str = "4.50", status: str = "delivered", who: str = "c") -> str:
    return HEAD + "".join(f"{n},{who and who + str(n)},{at},soup,{price},{status}\n" for n in range(MANY))


@pytest.mark.parametrize(
    ("text", "document", "told"),
    [
        (rows(at="first of March"), None, ["unreadable_instant", "'ordered_at'", "'first of March'", "instant_format"]),
        (rows(at="03/04/2026"), None, ["ambiguous_date", "'ordered_at'", "'03/04/2026'", "date_order: day"]),
        (rows(price="45.000"), None, ["ambiguous_number", "'unit_price'", "'45.000'", "decimal"]),
        (rows(price="4;50"), None, ["unreadable_number", "'unit_price'", "'4;50'", "decimal"]),
        (rows(status="done"), None, ["unknown_status", "'status'", "'done'", "`values`"]),
        (rows(who=""), None, ["missing_customer_id", "'customer_id'", "''", "`columns`"]),
        (rows(), {"columns": {"order_amount": "item_id"}}, ["unreadable_number", "'item_id' (our order_amount)"]),
        (rows(), {"constants": {"currency": "x"}}, ["bad_currency", "currency"]),
        (rows().replace("soup", "so,up"), None, ["malformed_row", "`separator`"]),
        (rows(at="1969-01-01"), None, ["'ordered_at'", "'1969-01-01'"]),
    ],
)  # fmt: skip
def test_when_the_first_thousand_rows_fail_alike_the_import_stops_with_what_to_write(
    settings: Settings, tmp_path: Path, text: str, document: object, told: list[str]
) -> None:
    with pytest.raises(BadFile, match="nothing was imported") as caught:
        load(settings, write(tmp_path, text), document)
    assert [word for word in told if word not in str(caught.value)] == []
    assert "\n" not in str(caught.value)
    (path,) = settings.quarantine_folder.iterdir()
    assert line_count(path) == 1000
    assert str(path) in str(caught.value)


def test_ten_sound_rows_among_a_thousand_do_not_make_a_wrong_map_right(settings: Settings, tmp_path: Path) -> None:
    lines = rows(status="done").splitlines(keepends=True)
    for at in range(100, 1100, 100):
        lines[at] = lines[at].replace("done", "delivered")
    with pytest.raises(BadFile, match="990 of the first 1,000 rows fail alike"):
        load(settings, write(tmp_path, "".join(lines)))
    assert open_history(settings).counts() == (0, 0)


def test_a_file_that_fails_in_part_or_late_is_imported_and_accounted_for(settings: Settings, tmp_path: Path) -> None:
    lines = rows(status="done").splitlines(keepends=True)
    lines[1:] = [line.replace("done", "delivered") if n % 10 == 0 else line for n, line in enumerate(lines[1:])]
    summary = import_files(settings, "orders", [write(tmp_path, "".join(lines))], None, now=NOW)
    assert (summary.accepted, summary.quarantined) == (MANY // 10, MANY - MANY // 10)
    assert line_count(Path(summary.quarantine_files[0])) == summary.quarantined


def test_a_table_whose_first_rows_fail_alike_stops_too(settings: Settings, tmp_path: Path) -> None:
    text = "item_id,name,price\n" + "".join(f"{n},soup,four\n" for n in range(MANY))
    with pytest.raises(BadFile, match=r"column 'price' \(our price\) holds 'four'"):
        load(settings, write(tmp_path, text, "items.csv"), kind="items")
    text = "customer_id,name\n" + ",Ann\n" * MANY
    with pytest.raises(BadFile, match="column 'customer_id'"):
        load(settings, write(tmp_path, text, "people.csv"), kind="customers")
    assert "Ann" not in "".join(path.read_text() for path in settings.quarantine_folder.iterdir())


def test_rows_refused_for_what_history_says_keep_the_first_thousand_when_none_is_used(
    settings: Settings, tmp_path: Path
) -> None:
    load(settings, write(tmp_path, rows()))
    with pytest.raises(BadFile, match=f"none of {MANY} rows"):
        load(settings, write(tmp_path, rows(who="d")))
    (path,) = settings.quarantine_folder.iterdir()
    assert line_count(path) == 1000


def test_every_input_has_a_file_of_its_own_whatever_they_are_called(settings: Settings, tmp_path: Path) -> None:
    text = HEAD + "1,anna,2026-03-01,soup,4,\n2,,2026-03-01,soup,4,\n"
    paths = [write(tmp_path / folder, text) for folder in ("a", "b", "c")]
    for _ in range(2):
        summary = import_files(settings, "orders", paths, None, now=NOW)
        assert len(set(summary.quarantine_files)) == 3
    assert len(list(settings.quarantine_folder.iterdir())) == 6


def test_old_files_are_removed_by_the_next_import(settings: Settings, tmp_path: Path) -> None:
    bad = write(tmp_path, HEAD + "1,anna,2026-03-01,soup,4,\n2,,2026-03-01,soup,4,\n")
    (old,) = import_files(settings, "orders", [bad], None, now=NOW).quarantine_files
    (young,) = import_files(settings, "orders", [bad], None, now=NOW).quarantine_files
    note = settings.quarantine_folder / "note.txt"
    note.write_text("not ours")
    for path, age in (
        (old, KEPT_FOR + timedelta(hours=1)),
        (young, KEPT_FOR - timedelta(hours=1)),
        (note, 9 * KEPT_FOR),
    ):
        os.utime(path, (0, (NOW - age).timestamp()))
    import_files(settings, "orders", [write(tmp_path, HEAD + "3,ben,2026-03-01,soup,4,\n", "ok.csv")], None, now=NOW)
    assert sorted(settings.quarantine_folder.iterdir()) == sorted([Path(young), note])


def test_an_old_file_that_is_imported_again_is_read_first(settings: Settings, tmp_path: Path) -> None:
    bad = write(tmp_path, HEAD + "1,anna,2026-03-01,soup,4,\n2,,2026-03-01,soup,4,\n")
    (old,) = import_files(settings, "orders", [bad], None, now=NOW).quarantine_files
    mended = pl.read_ndjson(old).with_columns(customer_id=pl.lit("ben"))
    mended.write_ndjson(old)
    os.utime(old, (0, (NOW - 2 * KEPT_FOR).timestamp()))
    assert import_files(settings, "orders", [Path(old)], None, now=NOW).accepted == 1


PERSONAL = (
    "id,who,when,dish,Phone,Billing Name,Notes\n"
    "1,anna,2026-03-01,soup,+15555550101,Ann Lee,ring twice\n"
    "2,ben,soon,rice,+15555550102,Bob Roe,leave at door\n"
    "3,carl,2026-03-01,soup,+15555550103,Carl\n"
    "4,dora,2026-03-01,so\xffup,+15555550104,Dora,x\n"
)
SECRETS = ("5555", "Ann", "Bob", "Carl", "Dora", "ring", "door")
COLUMNS = {"order_id": "id", "customer_id": "who", "ordered_at": "when", "item_id": "dish"}


def test_what_orders_hold_besides_the_mapped_columns_is_sealed(settings: Settings, tmp_path: Path) -> None:
    path = write(tmp_path, PERSONAL.encode("latin-1"))
    summary = import_files(settings, "orders", [path], parse_map({"columns": COLUMNS}, "orders", where="map"), now=NOW)
    assert summary.reasons == {"unreadable_instant": 1, "malformed_row": 1, "undecodable": 1}
    (quarantine,) = summary.quarantine_files
    text = Path(quarantine).read_text()
    assert not any(word in text for word in SECRETS)
    listed = [json.loads(line) for line in text.splitlines()]
    assert [row["_line"] for row in listed] == [3, 4, 5]
    assert (listed[0]["who"], listed[0]["when"]) == ("ben", "soon")
    seal = seal_of(settings)
    assert seal.unseal(listed[0]["Phone"]) == "+15555550102"
    assert seal.unseal(listed[1]["_raw"]) == "3,carl,2026-03-01,soup,+15555550103,Carl"
    assert "\\xff" in seal.unseal(listed[2]["_raw"])
    assert listed[2]["_reason"].startswith("undecodable: ")


def test_a_mended_row_whose_sealed_column_a_better_map_names_is_opened(settings: Settings, tmp_path: Path) -> None:
    path = write(
        tmp_path, "id,when,dish,Phone,who\n1,2026-03-01,soup,+15555550101,anna\n2,2026-03-01,soup,+15555550102,\n"
    )
    summary = import_files(settings, "orders", [path], parse_map({"columns": COLUMNS}, "orders", where="map"), now=NOW)
    (quarantine,) = summary.quarantine_files
    better = parse_map({"columns": {**COLUMNS, "customer_id": "Phone"}}, "orders", where="map")
    import_files(settings, "orders", [Path(quarantine)], better, now=NOW)
    orders = open_history(settings).orders().collect().sort("order_id")
    assert orders["customer_id"].to_list() == ["anna", "+15555550102"]


def test_dishes_and_offers_stay_readable(settings: Settings, tmp_path: Path) -> None:
    text = "item_id,price,chef\nsoup,4,Ann\nrice,four,Bob\n"
    summary = import_files(settings, "items", [write(tmp_path, text, "items.csv")], None, now=NOW)
    assert pl.read_ndjson(summary.quarantine_files[0])["chef"].to_list() == ["Bob"]
