"""Sheets: numbers are numbers, instants are instants, ids stay text, and the table is found among titles."""

from __future__ import annotations

import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from engine.errors import BadColumns, BadFile
from engine.history.opening import open_history
from engine.imports.intake import import_files
from engine.imports.mapping import parse_map
from engine.imports.shape.read import read_source
from engine.imports.shape.source import LINE, ReadOptions
from engine.settings import Settings
from tests.engine.imports.shape.workbooks import Cell, write_workbook

NOW = datetime(2026, 4, 1, tzinfo=UTC)
HEAD: list[Cell] = ["Order", "Customer", "When", "Dish", "Price", "Count"]
ROWS: list[list[Cell]] = [
    ["0012", 7, datetime(2026, 3, 1, 12, 30), "soup", 4.5, 1],  # noqa: DTZ001 (a sheet knows no zone)
    ["0013", "c-8", datetime(2026, 3, 2, 18, 5), "rice", 5, 2],  # noqa: DTZ001
]


def test_cells_keep_their_types_and_rows_their_number(tmp_path: Path) -> None:
    source = read_source(write_workbook(tmp_path / "a.xlsx", {"Sheet1": [HEAD, *ROWS]}))
    assert source.rows["Order"].to_list() == ["0012", "0013"]
    assert source.rows["Customer"].to_list() == ["7", "c-8"]
    assert source.rows.schema["When"] == pl.Datetime("us")
    assert source.rows["When"].to_list() == [row[2] for row in ROWS]
    assert source.rows["Price"].to_list() == [4.5, 5.0]
    assert source.rows[LINE].to_list() == [2, 3]
    assert source.notes == ()


def test_titles_and_totals_of_a_sheet_are_no_rows(tmp_path: Path) -> None:
    titles: list[list[Cell]] = [["Sales report"], ["Store:", "Main Street"], ["From", date(2026, 3, 1)], []]
    totals: list[list[Cell]] = [[], ["Total", None, None, None, 9.5, 3], ["Exported at 2026-04-01"]]
    source = read_source(write_workbook(tmp_path / "a.xlsx", {"Sheet1": [*titles, HEAD, *ROWS, *totals]}))
    assert source.columns == HEAD
    assert source.rows[LINE].to_list() == [6, 7]
    assert (source.above, source.below, source.height) == (3, 2, 2)
    assert source.rows.schema["Price"] == pl.Float64


def test_the_first_sheet_with_a_table_is_read_unless_the_map_names_one(tmp_path: Path) -> None:
    sheets: dict[str, list[list[Cell]]] = {
        "Notes": [["read me"], ["twice"]],
        "March": [HEAD, *ROWS],
        "April": [HEAD, ROWS[1]],
    }
    path = write_workbook(tmp_path / "a.xlsx", sheets)
    source = read_source(path)
    assert (source.sheet, source.height) == ("March", 2)
    assert any("'March'" in note and "April" in note for note in source.notes)
    assert read_source(path, ReadOptions(sheet="April")).height == 1
    with pytest.raises(BadColumns, match="did you mean 'March'"):
        read_source(path, ReadOptions(sheet="Marsh"))


def test_a_header_row_of_the_map_counts_the_sheets_rows(tmp_path: Path) -> None:
    rows: list[list[Cell]] = [["a", "b", "c", "d", "e", "f"], [], HEAD, *ROWS]
    path = write_workbook(tmp_path / "a.xlsx", {"S": rows})
    assert read_source(path, ReadOptions(header_row=3)).columns == HEAD
    with pytest.raises(BadFile, match="no header in row 2"):
        read_source(path, ReadOptions(header_row=2))


def test_mixed_columns_are_text_and_empty_cells_are_nothing(tmp_path: Path) -> None:
    rows: list[list[Cell]] = [
        ["id", "code", "day", "yes", ""],
        ["a", 12, date(2026, 3, 1), True],
        ["b", "x", None, None],
    ]
    source = read_source(write_workbook(tmp_path / "a.xlsx", {"S": rows}))
    assert source.rows["code"].to_list() == ["12", "x"]
    assert source.rows["day"].to_list() == [datetime(2026, 3, 1), None]  # noqa: DTZ001
    assert source.rows["yes"].to_list() == [True, None]
    assert source.columns == ["id", "code", "day", "yes"]


def test_orders_of_a_sheet_are_imported(settings: Settings, tmp_path: Path) -> None:
    names = {
        "order_id": "Order",
        "customer_id": "Customer",
        "ordered_at": "When",
        "item_id": "Dish",
        "unit_price": "Price",
    }
    document = {"columns": {**names, "quantity": "Count"}, "timezone": "Asia/Shanghai"}
    path = write_workbook(tmp_path / "a.xlsx", {"S": [["Orders"], HEAD, *ROWS, [None, None, "soon", "tea", 1, 1]]})
    summary = import_files(settings, "orders", [path], parse_map(document, "orders", where="map"), now=NOW)
    assert (summary.accepted, summary.quarantined) == (2, 1)
    orders = open_history(settings).orders().collect().sort("order_id")
    assert orders["ordered_at"].to_list() == [
        datetime(2026, 3, 1, 4, 30, tzinfo=UTC),
        datetime(2026, 3, 2, 10, 5, tzinfo=UTC),
    ]
    assert orders["order_cents"].to_list() == [450, 1000]
    assert pl.read_ndjson(summary.quarantine_files[0])["_line"].to_list() == [5]


def test_the_content_counts_where_the_suffix_is_wrong(tmp_path: Path) -> None:
    write_workbook(tmp_path / "a.csv", {"S": [HEAD, *ROWS]})
    assert read_source(tmp_path / "a.csv").rows["Price"].to_list() == [4.5, 5.0]
    (tmp_path / "a.xls").write_bytes("订单号\t金额\n1\t4.50\n".encode("gb18030"))
    assert read_source(tmp_path / "a.xls", ReadOptions(encoding="gb18030")).rows.rows() == [("1", "4.50", 2)]
    (tmp_path / "b.xls").write_text("<html><table><tr><td>1</td></tr></table></html>")
    with pytest.raises(BadFile, match="web page"):
        read_source(tmp_path / "b.xls")


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"PK\x03\x04 not a workbook", "no workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "password"),
        (b"a,b\n1,2\n", "no workbook"),
    ],
)
def test_what_is_no_workbook_is_told(tmp_path: Path, data: bytes, match: str) -> None:
    (tmp_path / "a.xlsx").write_bytes(data)
    with pytest.raises(BadFile, match=match):
        read_source(tmp_path / "a.xlsx")


def test_a_workbook_that_unpacks_without_end_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="is empty"):
        read_source(write_workbook(tmp_path / "none.xlsx", {"S": []}))
    path = write_workbook(tmp_path / "bomb.xlsx", {"S": [HEAD]})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/media/x", bytes(70 << 20))
    with pytest.raises(BadFile, match="unpacks to"):
        read_source(path)
