"""Text with separators (CSV and its relatives), read so that a broken row costs itself only."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import polars as pl

from engine.errors import BadFile
from engine.imports.shape.layout import (
    LONGEST_RECORD,
    SAMPLE,
    TAIL,
    Record,
    count_below,
    find_header,
    find_separator,
    one_record,
    records_of,
)
from engine.imports.shape.lines import MARK, read_text
from engine.imports.shape.names import header_names
from engine.imports.shape.source import BROKEN, LINE, MALFORMED, UNDECODABLE, ReadOptions, Source, around_table

SAYS_SEPARATOR = re.compile(r'^"?sep=([ -~\t])"?\s*$', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Table:
    """Where a table lies: its header (positions in the lines), the end of its rows, and what is around it."""

    separator: str
    header: Record
    end: int
    above: list[str]
    below: list[str]


def read_delimited(path: Path, options: ReadOptions) -> Source:
    """Read separated text; the separator and the lines around the table are found where `options` do not say them."""
    text = read_text(path, options.encoding)
    lines = text.frame
    if not lines.height or blank_lines(lines).all():
        raise BadFile("is empty; the first line must name the columns", where=str(path))
    table = _table(path, lines["line"], options)
    header_line = table.header.first + 1
    if any(MARK in cell for cell in table.header.cells):
        raise BadFile(f"the header in line {header_line} is not {text.encoding} text; {text.hint}", where=str(path))
    header, doubled, notes = header_names(table.header.cells)
    rows, broken = _rows(lines[table.header.after : table.end], header, table.separator)
    if text.undecodable:
        rows, broken, bad = _without_undecodable(rows, broken, lines[: table.end])
        if bad:
            notes += (f"refused {bad} row(s) with bytes that are no {text.encoding} text; {text.hint}",)
    rows = _without_marks(rows)
    unnamed = [name for name, cell in zip(header, table.header.cells, strict=True) if not cell.strip()]
    empty = [name for name in unnamed if (rows[name].fill_null("") == "").all()]
    return Source(
        path,
        rows.drop(empty),
        broken,
        above=len(table.above),
        below=len(table.below),
        doubled=doubled,
        notes=around_table(table.above, table.below, header_line) + notes,
        separator=table.separator,
        header_line=header_line,
        encoding=text.encoding,
    )


FEWEST_MARKED = 4


def _without_marks(rows: pl.DataFrame) -> pl.DataFrame:
    """Take off the ` that WeChat Pay writes before every cell, so that spreadsheets do not round its numbers."""
    first = rows.head(1).drop(LINE).row(0) if rows.height else ()
    filled = [cell for cell in first if cell]
    marked = [name for name, cell in zip(rows.columns, first, strict=False) if cell is not None and cell[:1] == "`"]
    # Every cell of a wide row, or it is a sign of the text itself.
    if len(marked) < FEWEST_MARKED or len(marked) < len(filled):
        return rows
    return rows.with_columns(pl.col(marked).str.strip_prefix("`"))


def blank_lines(lines: pl.DataFrame) -> pl.Series:
    """True where a line holds nothing."""
    return lines["line"].str.strip_chars() == ""


def _table(path: Path, lines: pl.Series, options: ReadOptions) -> _Table:
    start = 0
    separator = options.separator
    if said := SAYS_SEPARATOR.match(lines[0]):
        start, separator = 1, separator or said.group(1)
    if options.header_row is not None:
        if not 0 < options.header_row <= len(lines) or not lines[options.header_row - 1].strip():
            raise BadFile(f"has no header in line {options.header_row}; see `header_row` in the map", where=str(path))
        start = options.header_row - 1
    sample = lines[start : start + SAMPLE].to_list()
    separator = separator or find_separator(sample)
    records = records_of(sample, separator)
    if not records:
        raise BadFile(f"has nothing below line {start}; a header must name the columns", where=str(path))
    found = records[0 if options.header_row is not None else find_header(records)[0]]
    if found.after - found.first == 1 and one_record([sample[found.first]], separator) is None:
        raise BadFile("the header is not CSV (a quote never closes)", where=f"{path}, line {start + found.first + 1}")
    header = Record(start + found.first, start + found.after, found.cells)
    last = lines[max(header.after, len(lines) - TAIL) :].to_list()
    # An odd quote opens or closes a cell that spans lines: what is above it is no line of its own.
    odd = max((at for at, line in enumerate(last, 1) if line.count('"') % 2), default=0)
    tail = [_cells_of(line, separator) for line in last[odd:]]
    end = len(lines) - count_below(tail, len(header.cells))
    around = lines[int(SAYS_SEPARATOR.match(lines[0]) is not None) : header.first].to_list()
    return _Table(
        separator,
        header,
        end,
        [line for line in around if _says_something(line, separator)],
        [line for line in lines[end:].to_list() if _says_something(line, separator)],
    )


def _says_something(line: str, separator: str) -> bool:
    return bool(line.replace(separator, "").strip())


def _cells_of(line: str, separator: str) -> Sequence[str]:
    return (one_record([line], separator) or line.split(separator)) if line.strip() else []


def _rows(body: pl.DataFrame, header: list[str], separator: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows that could be split into the header's columns, and the lines that could not."""
    width, sign = len(header), re.escape(separator)
    count = body["line"].str.count_matches(separator, literal=True)
    quoted = body["line"].str.contains('"', literal=True)
    regular = count == width - 1
    if ((count >= width) & ~quoted).any():
        # Cells without content behind the last column are no cells.
        short = body["line"].str.extract(rf"^((?:[^{sign}]*{sign}){{{width - 1}}}[^{sign}]*)(?:{sign}\s*)+$")
        over = (count >= width) & ~quoted & short.is_not_null()
        body = body.with_columns(line=short.zip_with(over, body["line"]))
        regular |= over
    if quoted.any():
        cell = rf'(?:"(?:[^"]|"")*"|[^"{sign}]*)'
        whole = rf"^{cell}(?:{sign}{cell}){{{width - 1}}}$"
        regular = (regular & ~quoted) | (quoted & body["line"].str.contains(whole))
    spans, records = _mend(body["line"], (quoted & ~regular).arg_true().to_list(), width, separator)
    taken = pl.Series(spans, dtype=pl.UInt32)
    untouched = (~blank_lines(body)).scatter(taken, values=False)  # a blank line counts only inside a quoted cell
    rows = _cells(body.filter(regular & untouched), header, separator)
    if records:
        numbers = body[LINE]
        mended = pl.DataFrame(
            [[*fields, numbers[at]] for at, fields in records],
            schema={**dict.fromkeys(header, pl.String), LINE: pl.Int64},
            orient="row",
        )
        rows = pl.concat([rows, mended]).sort(LINE)
    broken = body.filter(~regular & untouched).select(LINE, raw="line", code=pl.lit(MALFORMED))
    return rows, broken


def _without_undecodable(
    rows: pl.DataFrame, broken: pl.DataFrame, lines: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Move the rows that hold a mark to the broken ones, their bytes shown as \\xff; say how many they are."""
    wrong = rows.select(pl.any_horizontal(pl.exclude(LINE).str.contains(MARK, literal=True))).to_series()
    wrong = wrong.fill_null(value=False)
    starts = sorted([*rows[LINE].to_list(), *broken[LINE].to_list(), lines.height + 1])
    ends = dict(pairwise(starts))
    # A record may span lines: its text goes on to where the next one starts.
    raw = [
        (at, "\n".join(lines["line"][at - 1 : ends[at] - 1].to_list()).rstrip("\n"), UNDECODABLE)
        for at in rows.filter(wrong)[LINE].to_list()
    ]
    marked = broken["raw"].str.contains(MARK, literal=True)
    broken = pl.concat(
        [
            broken.with_columns(code=pl.when(marked).then(pl.lit(UNDECODABLE)).otherwise("code")),
            pl.DataFrame(raw, schema=BROKEN, orient="row"),
        ]
    ).with_columns(pl.col("raw").str.replace_all(MARK, r"\x", literal=True))
    return rows.filter(~wrong), broken.sort(LINE), len(raw) + int(marked.sum())


def _cells(lines: pl.DataFrame, header: list[str], separator: str) -> pl.DataFrame:
    """Split well-formed lines into text columns."""
    if not lines["line"].str.contains('"', literal=True).any():
        split = lines["line"].str.split_exact(separator, len(header) - 1).struct.unnest()
        split.columns = header
        return split.with_columns(lines[LINE])
    text = lines["line"].str.join("\n")[0]
    split = pl.read_csv(
        text.encode(),
        has_header=False,
        new_columns=header,
        separator=separator,
        infer_schema=False,
        raise_if_empty=False,
    )
    if split.height != lines.height:
        fields = csv.reader(lines["line"], delimiter=separator, strict=True)
        split = pl.DataFrame(list(fields), schema=dict.fromkeys(header, pl.String), orient="row")
    return split.with_columns(lines[LINE])


def _mend(
    lines: pl.Series, difficult: list[int], width: int, separator: str
) -> tuple[list[int], list[tuple[int, list[str]]]]:
    """Read the records whose quotes are unusual or hold line ends; return the positions they cover, and their fields.

    A quote that never closes spoils its own line only.
    """
    covered: list[int] = []
    records: list[tuple[int, list[str]]] = []
    texts = lines.to_list() if difficult else []
    end = 0
    for start in difficult:
        if start < end:
            continue
        for stop in range(start + 1, min(start + LONGEST_RECORD, len(texts)) + 1):
            if stop > start + 1 and '"' not in texts[stop - 1]:
                continue
            fields = one_record(texts[start:stop], separator)
            if fields is not None:
                if len(fields) == width:
                    records.append((start, fields))
                    covered.extend(range(start, stop))
                    end = stop
                break
    return covered, records
