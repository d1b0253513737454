"""Sheets of workbooks: the table of one sheet, with numbers as numbers, instants as instants and text as text."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

import polars as pl
from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

from engine.errors import BadColumns, BadFile, did_you_mean
from engine.imports.shape.archive import check_packed, file_bytes
from engine.imports.shape.layout import SAMPLE, TAIL, Record, count_below, find_header, is_figure
from engine.imports.shape.names import header_names
from engine.imports.shape.source import LINE, ReadOptions, Source, around_table

Cell = int | float | str | bool | time | date | datetime | timedelta
Row = list[Cell]
ENCRYPTED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # a .xlsx with a password is packed like the formats before it


def read_workbook(path: Path, options: ReadOptions) -> Source:
    """Read one sheet of a workbook: the one `options` name, or the first that holds a table."""
    data = file_bytes(path)
    check_packed(data, path)
    if data.startswith(ENCRYPTED) and path.suffix.lower() in {".xlsx", ".xlsm", ".xlsb"}:
        raise BadFile("has a password; save it without one", where=str(path))
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        name, rows = _sheet(path, book, options.sheet)
    except CalamineError as error:
        raise BadFile(f"is no workbook that can be read ({str(error).splitlines()[0]})", where=str(path)) from error
    if options.header_row is not None:
        if not 0 < options.header_row <= len(rows) or not any(map(_text, rows[options.header_row - 1])):
            raise BadFile(f"has no header in row {options.header_row}; see `header_row` in the map", where=str(path))
        header = _record(options.header_row - 1, rows[options.header_row - 1])
    else:
        records = [_record(at, row) for at, row in enumerate(rows[:SAMPLE]) if any(map(_text, row))]
        header = records[find_header(records)[0]]
    names, doubled, notes = header_names(_without_end(header.cells))
    last = rows[max(header.after, len(rows) - TAIL) :]
    end = len(rows) - count_below([_without_end([_text(cell) for cell in row]) for row in last], len(names))
    body = [(at, row) for at, row in enumerate(rows[header.after : end], header.after + 1) if any(map(_text, row))]
    around = [[" ".join(filter(None, map(_text, row))) for row in part] for part in (rows[: header.first], rows[end:])]
    above, below = ([line for line in part if line] for part in around)
    columns = [
        column
        for at, name_of_column in enumerate(names)
        if (column := _column(name_of_column, [row[at] for _, row in body])).null_count() < len(body)
        or header.cells[at].strip()
    ]
    others = [each for each in book.sheet_names if each != name]
    if others and options.sheet is None:
        notes += (f"read the sheet {name!r}; for another write `sheet:` in the map ({', '.join(others[:5])})",)
    return Source(
        path,
        pl.DataFrame([*columns, pl.Series(LINE, [at for at, _ in body], dtype=pl.Int64)]),
        above=len(above),
        below=len(below),
        doubled=doubled,
        notes=around_table(above, below, header.first + 1) + notes,
        header_line=header.first + 1,
        sheet=name,
    )


def _sheet(path: Path, book: CalamineWorkbook, wanted: str | None) -> tuple[str, list[Row]]:
    """Return the name and the rows of the sheet that is read; rows and columns count from the sheet's first."""
    names = book.sheet_names
    if wanted is not None and wanted not in names:
        raise BadColumns(f"there is no sheet {wanted!r}{did_you_mean(wanted, names)}", where=str(path))
    shown = [each.name for each in book.sheets_metadata if each.visible == SheetVisibleEnum.Visible]
    tables: list[tuple[str, list[Row]]] = []
    for name in [wanted] if wanted is not None else [*shown, *(each for each in names if each not in shown)]:
        rows: list[Row] = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
        filled = [sum(map(bool, map(_text, row))) for row in rows[:SAMPLE]]
        # A table has a header and a row below it; a sheet of notes has one column.
        if sum(1 for n in filled if n > 1) > 1:
            return name, rows
        if any(filled):
            tables.append((name, rows))
    if not tables:
        raise BadFile("is empty; a row must name the columns", where=str(path))
    return tables[0]


def _record(at: int, row: Row) -> Record:
    # A cell that is a number or an instant is one whatever it looks like as text.
    return Record(at, at + 1, [_text(cell) if isinstance(cell, str) or is_figure(_text(cell)) else "0" for cell in row])


def _without_end(cells: Sequence[str]) -> Sequence[str]:
    """Leave out the empty cells behind the last one that is not; a sheet's rows are all as long as the longest."""
    return cells[: max((at for at, cell in enumerate(cells, 1) if cell), default=0)]


def _text(cell: Cell) -> str:
    return cell.strip() if isinstance(cell, str) else str(cell)


def _column(name: str, cells: list[Cell]) -> pl.Series:
    """Return a column in the type that all its cells share; mixed ones are text, whole numbers without a fraction."""
    kinds = {type(cell) for cell in cells if cell != ""}
    given: list[Cell | None] = [None if cell == "" else cell for cell in cells]
    if kinds <= {str}:
        return pl.Series(name, given, dtype=pl.String)
    if kinds <= {int, float}:
        return pl.Series(name, given, dtype=pl.Float64, strict=False)
    if kinds <= {bool}:
        return pl.Series(name, given, dtype=pl.Boolean)
    if kinds <= {date, datetime}:
        at = [datetime(cell.year, cell.month, cell.day) if type(cell) is date else cell for cell in given]  # noqa: DTZ001 (local)
        return pl.Series(name, at, dtype=pl.Datetime("us"))
    return pl.Series(name, [None if cell is None else _plain(cell) for cell in given], dtype=pl.String)


def _plain(cell: Cell) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return cell if isinstance(cell, str) else str(cell)
