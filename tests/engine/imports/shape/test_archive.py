"""Archives: the files in them are files of the call, and what unpacks without end is refused."""

from __future__ import annotations

import gzip
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.errors import BadFile, MissingFile
from engine.imports.intake import import_files
from engine.imports.mapping import parse_map
from engine.imports.shape.archive import with_archives_opened
from engine.imports.shape.read import read_source
from engine.settings import Settings
from tests.engine.imports.shape.workbooks import write_workbook

NOW = datetime(2026, 4, 1, tzinfo=UTC)
ORDERS = "order_id,customer_id,ordered_at\n1,anna,2026-03-01\n2,ben,2026-03-02\n"
LINES = "order_id,item_id,unit_price\n1,soup,4.50\n2,rice,5\n3,tea,1\n"


def pack(path: Path, **members: str | bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_DOT_", "."), content)
    return path


def test_the_files_of_an_archive_are_files_of_the_call(settings: Settings, tmp_path: Path) -> None:
    path = pack(
        tmp_path / "march.zip",
        export__orders_DOT_csv=ORDERS,
        export__lines_DOT_csv_DOT_gz=gzip.compress(LINES.encode()),
        readme_DOT_pdf=b"x",
    )
    summary = import_files(settings, "orders", [path], None, now=NOW)
    assert [(part.file, part.accepted, part.quarantined) for part in summary.files] == [
        ("orders.csv", 2, 0),
        ("lines.csv.gz", 2, 1),
    ]
    assert any("left out readme.pdf" in warning for warning in summary.warnings)
    assert len(list(settings.quarantine_folder.iterdir())) == 1


def test_a_look_up_table_may_lie_in_an_archive_and_so_may_a_sheet(settings: Settings, tmp_path: Path) -> None:
    sheet = write_workbook(tmp_path / "o.xlsx", {"S": [["customer_id", "ordered_at"], ["anna", "2026-03-01"]]})
    path = pack(tmp_path / "a.zip", places_DOT_csv="customer_id,zone\nanna,north\n", o_DOT_xlsx=sheet.read_bytes())
    mapping = parse_map({"joins": [{"file": "places*", "on": "customer_id"}]}, "orders", where="map")
    summary = import_files(settings, "orders", [path], mapping, now=NOW)
    assert (summary.accepted, summary.lookups) == (1, {"places.csv": 1})


def test_what_systems_add_and_paths_out_of_the_archive_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("./a.csv", "__MACOSX/._a.csv", ".DS_Store", "../evil.csv", "/etc/evil.csv", "folder/"):
            archive.writestr(name, ORDERS)
    paths, notes = with_archives_opened([path])
    assert ([file.name for file in paths], notes) == (["a.csv"], [])
    assert read_source(paths[0]).height == 2
    with pytest.raises(MissingFile, match="no such file in the archive"):
        read_source(path / "b.csv")


def test_an_archive_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(BadFile, match=r"no whole \.zip|not a whole \.zip"):
        with_archives_opened([tmp_path / "broken.zip"])
    with pytest.raises(BadFile, match="no file that can be read"):
        with_archives_opened([pack(tmp_path / "other.zip", a_DOT_pdf=b"x")])
    with pytest.raises(BadFile, match="it is empty"):
        with_archives_opened([pack(tmp_path / "none.zip")])


def test_an_absent_archive_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="no such file"):
        with_archives_opened([tmp_path / "none.zip"])


def test_an_encrypted_archive_is_told(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", a_DOT_csv=ORDERS)
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag of the file's own header, and of its entry in the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(data))
    with pytest.raises(BadFile, match="is encrypted"):
        with_archives_opened([path])


def test_what_unpacks_without_end_is_refused_before_it_fills_memory(tmp_path: Path) -> None:
    bomb = pack(tmp_path / "bomb.zip", a_DOT_csv=bytes(80 << 20))
    with pytest.raises(BadFile, match="unpacks to 80 MB"):
        with_archives_opened([bomb])
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(bytes(80 << 20)))
    with pytest.raises(BadFile, match="unpacks to 64 MB or more"):
        read_source(tmp_path / "bomb.csv.gz")
