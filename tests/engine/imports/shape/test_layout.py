"""Where a table lies in its file: titles above, totals below, the sign between cells."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadFile
from engine.imports.shape.read import read_source
from engine.imports.shape.source import LINE, ReadOptions, Source

HEAD = "order_id,customer_id,ordered_at,item_id,unit_price\n"
ROWS = "1,anna,2026-03-01 12:30,soup,4.50\n2,ben,2026-03-01 12:31,rice,5\n"
NAMES = HEAD.strip().split(",")


def read(folder: Path, text: str, name: str = "file.csv", **options: object) -> Source:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_source(path, ReadOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("above", "lines"),
    [
        ("", 0),
        ("\n\n", 0),
        ("Sales report\n", 1),
        ("Sales report\nStore: Main Street\n\nExported at 2026-03-01 12:00\n", 3),
        ("Report, March 2026, Boston, MA\n", 1),
        ("Sales report,,,,\nStore:,Main Street,,,\n,,,,\n", 2),
        ('"Sales report\nof March",,,,\n', 2),
        ("微信支付账单明细,,,,\n起始时间:[2026-03-01 00:00:00] 终止时间:[2026-03-31 23:59:59],,,,\n----,,,,\n", 3),
        ("From,2026-03-01\nTo,2026-03-31\nStore,Main\nCity,Boston\nBy,Ann\n", 5),
    ],
)
def test_lines_above_the_table_are_no_header_and_counted(tmp_path: Path, above: str, lines: int) -> None:
    source = read(tmp_path, above + HEAD + ROWS)
    assert source.columns == NAMES
    assert source.rows["customer_id"].to_list() == ["anna", "ben"]
    assert source.rows[LINE].to_list() == [above.count("\n") + 2, above.count("\n") + 3]
    assert (source.above, source.below, source.height) == (lines, 0, 2)
    assert len(source.notes) == (1 if lines else 0)


@pytest.mark.parametrize(
    ("below", "lines"),
    [
        ("\n\n", 0),
        ("Total,,,,9.50\n", 1),
        ("\nTotal,,,,9.50\nRows: 2\n", 2),
        (",,,,\nGrand total:,,,,9.50\n,,,,\nExported at 2026-03-02 08:00,,,,\n", 2),
        ("合计,,,,9.50\n共2条记录\n", 2),
        ("Summe;;;;9,50\nAnzahl: 2\n".replace(";", ","), 2),
        ("----------\n共2笔记录\n已收入:0笔,0.00元\n", 3),
        ("(2 rows)\n", 1),
        ("\nPrices include VAT\n", 1),
        ("Total\n", 1),
    ],
)
def test_lines_below_the_table_are_no_rows_and_counted(tmp_path: Path, below: str, lines: int) -> None:
    source = read(tmp_path, HEAD + ROWS + below)
    assert source.rows["customer_id"].to_list() == ["anna", "ben"]
    assert (source.above, source.below, source.height) == (0, lines, 2)


@pytest.mark.parametrize(
    ("cut", "width"),
    [("3,carl\n", 2), ("x\n", 1), ("3,carl,2026-03-01 12:32\n", 3), ("2026-03-01 12:32\n", 1), ("1,2,3,4,5,6,7\n", 7)],
)
def test_a_row_cut_short_is_refused_and_never_taken_for_a_total(tmp_path: Path, cut: str, width: int) -> None:
    source = read(tmp_path, HEAD + ROWS + cut)
    assert (source.below, source.broken[LINE].to_list(), source.broken["raw"].to_list()) == (0, [4], [cut.strip()])
    assert len(cut.split(",")) == width


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["file.csv", "file.tsv", "file.txt"])
def test_the_separator_is_found_with_quotes_respected(tmp_path: Path, separator: str, name: str) -> None:
    head = f'id{separator}"Sum, gross; net|all\ttogether"{separator}note\n'
    rows = f'1{separator}"4,50"{separator}"a{separator}b, c; ""d"""\n2{separator}5.25{separator}e\n'
    source = read(tmp_path, head + rows, name)
    assert source.separator == separator
    assert source.columns == ["id", "Sum, gross; net|all together", "note"]
    assert source.rows.rows() == [("1", "4,50", f'a{separator}b, c; "d"', 2), ("2", "5.25", "e", 3)]


def test_numbers_with_commas_do_not_make_a_file_one_of_commas(tmp_path: Path) -> None:
    assert read(tmp_path, "a;b\n1,50;2,50\n3,50;4,50\n").rows.rows() == [("1,50", "2,50", 2), ("3,50", "4,50", 3)]
    assert read(tmp_path, "Name;Price, EUR\nx;1,50\ny;2,50\n").columns == ["Name", "Price, EUR"]


@pytest.mark.parametrize(
    ("said", "sign"), [("sep=;", ";"), ("sep=,", ","), ("SEP=|", "|"), ('"sep=;"', ";"), ("sep=\t", "\t")]
)
def test_a_first_line_may_say_the_separator(tmp_path: Path, said: str, sign: str) -> None:
    source = read(tmp_path, f"{said}\n" + HEAD.replace(",", sign) + ROWS.replace(",", sign))
    assert (source.separator, source.columns, source.above) == (sign, NAMES, 0)
    assert source.rows[LINE].to_list() == [3, 4]


def test_the_map_says_separator_and_header_where_a_file_misleads(tmp_path: Path) -> None:
    text = "a,b,c\nd,e,f\nid:name\n1:Lee, Ann\n2:Roe, Bob\n"
    source = read(tmp_path, text, separator=":", header_row=3)
    assert source.rows.rows() == [("1", "Lee, Ann", 4), ("2", "Roe, Bob", 5)]
    assert source.above == 2
    with pytest.raises(BadFile, match="no header in line 9"):
        read(tmp_path, text, header_row=9)


def test_cells_without_content_behind_the_last_column_are_none(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\n1,2,\n3,4,,\n5,6\n").rows.rows() == [("1", "2", 2), ("3", "4", 3), ("5", "6", 4)]
    assert read(tmp_path, "a,b,,\n1,2,,\n").columns == ["a", "b"]


def test_a_column_of_one_name_is_a_table_too(tmp_path: Path) -> None:
    assert read(tmp_path, 'customer_id\nanna\n"Lee, Ann"\n').rows["customer_id"].to_list() == ["anna", "Lee, Ann"]


def test_rows_with_separators_nobody_quoted_do_not_become_the_header(tmp_path: Path) -> None:
    source = read(tmp_path, "id,name\n" + "".join(f"{n},soup, hot, spicy, with egg, rice\n" for n in range(5)))
    assert (source.columns, source.above) == (["id", "name"], 0)
    assert source.broken[LINE].to_list() == [2, 3, 4, 5, 6]


def test_a_file_of_titles_alone_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="nothing below"):
        read(tmp_path, "sep=;\n\n\n")


WORD = st.text("abcdefgh", min_size=1, max_size=6)
CELL = st.one_of(WORD, st.integers(0, 9999).map(str), st.just("x, y"), st.just('say "hi"'))


@settings(max_examples=60, deadline=None)
@given(
    separator=st.sampled_from([",", ";", "\t", "|"]),
    rows=st.lists(st.lists(CELL, min_size=5, max_size=5), min_size=1, max_size=20),
    titles=st.lists(st.sampled_from(["Sales report", "Store: Main Street", "", "Exported at 2026-03-01"]), max_size=5),
    totals=st.lists(st.sampled_from(["Rows: 20", "Total: 9", "", "Exported by Ann"]), max_size=3),
)
def test_whatever_stands_around_a_table_its_rows_are_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    separator: str,
    rows: list[list[str]],
    titles: list[str],
    totals: list[str],
) -> None:
    """A figure in each row (the last cell) is what a real table has, and what tells it from its header."""
    head = ["id", "who", "when", "what", "price"]
    table = [[*row[:4], str(n)] for n, row in enumerate(rows)]
    text = pl.DataFrame(table, schema=head, orient="row").write_csv(separator=separator)
    path = tmp_path_factory.mktemp("layout") / "file.csv"
    path.write_text("\n".join([*titles, text.rstrip("\n"), *totals]) + "\n", encoding="utf-8")
    source = read_source(path)
    assert source.columns == head
    assert [list(row[:-1]) for row in source.rows.rows()] == table
    assert (source.above, source.below) == (sum(map(bool, titles)), sum(map(bool, totals)))
