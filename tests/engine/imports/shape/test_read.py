"""Files as the world writes them: marks, quotes, ragged rows, encodings, compression."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.errors import BadFile, MissingFile
from engine.imports.shape.read import read_source
from engine.imports.shape.source import LINE, ReadOptions


def write(folder: Path, data: bytes | str, name: str = "file.csv") -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_a_ragged_row_costs_itself_only_and_keeps_its_line(tmp_path: Path) -> None:
    source = read_source(write(tmp_path, "a,b,c\n1,2,3\n4,5\n\n6,7,8,9\n10,11,12\n"))
    assert source.rows.rows() == [("1", "2", "3", 2), ("10", "11", "12", 6)]
    assert source.broken[LINE].to_list() == [3, 5]
    assert source.broken["raw"].to_list() == ["4,5", "6,7,8,9"]
    assert source.height == 4


def test_marks_and_line_ends_of_other_systems_are_taken_off(tmp_path: Path) -> None:
    source = read_source(write(tmp_path, b"\xef\xbb\xbfa,b\r\n1,2\r\n"))
    assert source.columns == ["a", "b"]
    assert source.rows.rows() == [("1", "2", 2)]


def test_quotes_may_hold_separators_quotes_and_line_ends(tmp_path: Path) -> None:
    source = read_source(write(tmp_path, 'a,b\n"x, ""y""",1\n"two\nlines",2\n12" pizza,3\nlast,4\n'))
    assert source.rows.rows() == [('x, "y"', "1", 2), ("two\nlines", "2", 3), ('12" pizza', "3", 5), ("last", "4", 6)]
    assert source.broken.height == 0


def test_a_quote_that_never_closes_spoils_its_own_line_only(tmp_path: Path) -> None:
    source = read_source(write(tmp_path, 'a,b\n1,"open\n2,x\n"bad"q,3\n4,y\n'))
    assert [row[0] for row in source.rows.rows()] == ["2", "4"]
    assert source.broken[LINE].to_list() == [2, 4]


def test_other_encodings_are_named_and_then_read(tmp_path: Path) -> None:
    path = write(tmp_path, "菜,价\n麻婆豆腐,12\n".encode("gb18030"))
    with pytest.raises(BadFile, match="encoding: gb18030"):
        read_source(path)
    assert read_source(path, ReadOptions(encoding="gb18030")).rows.rows() == [("麻婆豆腐", "12", 2)]


@pytest.mark.parametrize("name", ["file.tsv", "file.tsv.gz"])
def test_tabs_and_gzip_are_read(tmp_path: Path, name: str) -> None:
    data = b"a\tb,c\n1\t2,3\n"
    source = read_source(write(tmp_path, gzip.compress(data) if name.endswith("gz") else data, name))
    assert source.rows.rows() == [("1", "2,3", 2)]


def test_ndjson_rows_may_differ_and_broken_ones_keep_their_line(tmp_path: Path) -> None:
    text = '{"a": 1, "b": ["x", "y"]}\n{"a": \n[1]\n{"c": true, "a": 2.5}\n'
    source = read_source(write(tmp_path, text, "file.ndjson"))
    assert source.rows.select("a", "b", "c", LINE).rows() == [("1", "x|y", None, 1), ("2.5", None, "true", 4)]
    assert source.broken[LINE].to_list() == [2, 3]


def test_parquet_rows_count_from_one(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1, 2], "tags": [["x", "y"], None]}).write_parquet(tmp_path / "file.parquet")
    assert read_source(tmp_path / "file.parquet").rows.rows() == [(1, "x|y", 1), (2, None, 2)]


@pytest.mark.parametrize(
    ("name", "data", "fault", "match"),
    [
        ("file.parquet", b"a,b\n", BadFile, "not Parquet"),
        ("file.csv.gz", b"a,b\n", BadFile, "gzip"),
        ("file.csv", b"", BadFile, "empty"),
        ("file.xlsx", b"PK", BadFile, "no workbook"),
        ("file.docx", b"PK", BadFile, "unknown kind"),
        ("file.csv", b'a,"b\n1,2\n', BadFile, "header"),
    ],
)
def test_what_cannot_be_read_at_all_is_told(
    tmp_path: Path, name: str, data: bytes, fault: type[Exception], match: str
) -> None:
    with pytest.raises(fault, match=match):
        read_source(write(tmp_path, data, name))


def test_absent_files_and_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="no such file"):
        read_source(tmp_path / "none.csv")
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(BadFile, match="is a folder"):
        read_source(tmp_path / "folder.parquet")


CELL = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="\u2028\u2029\x85"), max_size=6
)
MULTILINE = st.text(st.sampled_from('ab",;\n '), max_size=6)


@settings(max_examples=80, deadline=None)
@given(rows=st.lists(st.tuples(CELL | MULTILINE, CELL, CELL | MULTILINE), min_size=1, max_size=8), always=st.booleans())
def test_whatever_a_csv_writer_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], always: bool
) -> None:
    # With more semicolons than commas in a row, a file of few rows reads in two ways: nobody could say which is meant.
    assume(all("".join(row).count(sign) <= 2 for row in rows for sign in ";|\t"))
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL if always else csv.QUOTE_MINIMAL, lineterminator="\n")
    writer.writerow(["a", "b", "c"])
    writer.writerows(rows)
    source = read_source(write(tmp_path_factory.mktemp("csv"), buffer.getvalue()))
    read = [tuple(cell or "" for cell in row[:3]) for row in source.rows.rows()]
    assert read == rows
    assert source.broken.height == 0
