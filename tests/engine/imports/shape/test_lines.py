"""Bytes as text: one bad byte costs its row, a wrong encoding is named with the likely one."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from engine.errors import BadFile
from engine.imports.shape.read import read_source
from engine.imports.shape.source import LINE, ReadOptions, Source

HEAD = "id,name,price\n"


def read(folder: Path, data: bytes, encoding: str | None = None, name: str = "file.csv") -> Source:
    path = folder / name
    path.write_bytes(data)
    return read_source(path, ReadOptions(encoding=encoding))


@pytest.mark.parametrize("name", ["file.csv", "file.csv.gz"])
def test_one_byte_of_no_encoding_refuses_its_row_alone(tmp_path: Path, name: str) -> None:
    data = HEAD.encode() + b"1,soup,2\n2,so\xffup,3\n3,rice,4\n"
    source = read(tmp_path, gzip.compress(data) if name.endswith("gz") else data, name=name)
    assert source.rows["id"].to_list() == ["1", "3"]
    assert source.broken.rows() == [(3, r"2,so\xffup,3", "undecodable")]
    assert any("refused 1 row" in note for note in source.notes)


def test_a_row_over_lines_and_a_row_that_is_broken_anyway_are_refused_with_their_first_line(tmp_path: Path) -> None:
    data = HEAD.encode() + b'1,"two\nli\xffnes",2\n2,\xff\n3,soup,1\n4,rice,1\nTotal,,3\n'
    source = read(tmp_path, data)
    assert source.rows["id"].to_list() == ["3", "4"]
    assert source.broken.rows() == [(2, '1,"two\nli\\xffnes",2', "undecodable"), (4, r"2,\xff", "undecodable")]


def test_a_byte_in_a_line_of_json_refuses_that_line(tmp_path: Path) -> None:
    source = read(tmp_path, b'{"id": "1"}\n{"id": "\xff"}\n{"id": "3"}\n', name="file.ndjson")
    assert source.rows["id"].to_list() == ["1", "3"]
    assert source.broken[LINE].to_list() == [2]


@pytest.mark.parametrize(
    ("encoding", "dish"),
    [("gb18030", "麻婆豆腐"), ("gb18030", "宫保鸡丁,大份"), ("cp1252", "crème brûlée"), ("cp1252", "Käsespätzle")],
)
@pytest.mark.parametrize("others", [0, 200])
def test_a_file_in_another_encoding_is_refused_with_the_likely_one(
    tmp_path: Path, encoding: str, dish: str, others: int
) -> None:
    rows = "".join(f'{n},"{dish}",3\n' for n in range(5)) + "".join(f"{n},soup,3\n" for n in range(others))
    data = (HEAD + rows).encode(encoding)
    with pytest.raises(BadFile, match=f"encoding: {encoding}"):
        read(tmp_path, data)
    assert read(tmp_path, data, encoding).rows["name"][0] == dish


def test_a_header_in_another_encoding_is_refused_with_the_likely_one(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="encoding: gb18030"):
        read(tmp_path, "订单号,菜品,价格\n".encode("gb18030") + b"1,soup,2\n" * 50)


def test_a_byte_outside_of_every_encoding_asks_for_it(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="name its encoding in the map"):
        read(tmp_path, HEAD.encode() + b"\xff\x81,soup,2\n\xff\x81,soup,2\n")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize("said", [None, "utf-8"])
def test_sixteen_bit_text_and_byte_order_marks_are_read(tmp_path: Path, encoding: str, said: str | None) -> None:
    if said and encoding in {"utf-16-le", "utf-16-be"}:
        pytest.skip("without a mark the map's word holds")
    source = read(tmp_path, (HEAD + "1,汤,2\n").encode(encoding), said)
    assert source.columns == ["id", "name", "price"]
    assert source.rows.rows() == [("1", "汤", "2", 2)]


def test_lines_of_old_systems_end_where_they_end(tmp_path: Path) -> None:
    assert read(tmp_path, b"a,b\r1,2\r3,4\r").rows.rows() == [("1", "2", 2), ("3", "4", 3)]
    assert read(tmp_path, b"a,b\r\n1,2\r\n\x1a").rows.rows() == [("1", "2", 2)]
