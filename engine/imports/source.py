"""What rows a file holds: CSV, NDJSON and Parquet read so that a broken row costs itself only.

Text formats give every column as text; Parquet keeps its types. Each row has its number in the source: the physical
line for text (a CSV's header is line 1), the data row from 1 for Parquet.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import orjson
import polars as pl

from engine.errors import BadColumns, BadFile, MissingFile

LINE = "_line"
BROKEN = {LINE: pl.Int64, "raw": pl.String, "code": pl.String}
SEPARATORS = (",", ";", "\t", "|")
LONGEST_RECORD = 1000  # physical lines one quoted record may span before its quote counts as a typing error
CHUNK = 100_000


@dataclass(frozen=True, slots=True)
class Source:
    """One file's rows (their columns and `_line`) and the broken ones (`_line`, raw text, reason code)."""

    path: Path
    rows: pl.DataFrame
    broken: pl.DataFrame

    @property
    def columns(self) -> list[str]:
        """The file's own column names."""
        return [name for name in self.rows.columns if name != LINE]

    @property
    def height(self) -> int:
        """How many rows were read, broken ones included."""
        return self.rows.height + self.broken.height


def read_source(path: Path, encoding: str = "utf-8") -> Source:
    """Read a .csv, .tsv, .ndjson, .jsonl (each also .gz) or .parquet file.

    Raises MissingFile, BadFile when its content does not match its suffix, BadColumns for a header with one name twice.
    """
    name = path.name.lower()
    reader = READERS.get(Path(name.removesuffix(".gz")).suffix)
    if reader is None or (reader is _read_parquet and name.endswith(".gz")):
        raise BadFile("unknown kind of file; use .csv, .tsv, .ndjson, .jsonl (also .gz) or .parquet", where=str(path))
    try:
        return reader(path, encoding)
    except FileNotFoundError as error:
        raise MissingFile("no such file; check the path", where=str(path)) from error
    except IsADirectoryError as error:
        raise BadFile("is a folder; name the files in it", where=str(path)) from error
    except PermissionError as error:
        raise BadFile("may not be read; check its permissions", where=str(path)) from error


def _read_parquet(path: Path, _encoding: str) -> Source:
    if path.is_dir():
        raise IsADirectoryError
    try:
        rows = pl.read_parquet(path, glob=False)
    except pl.exceptions.PolarsError as error:
        raise BadFile(f"is not Parquet ({str(error).splitlines()[0]})", where=str(path)) from error
    flat = [
        pl.col(name).cast(pl.List(pl.String)).list.join("|")
        if dtype == pl.List
        else pl.col(name).struct.json_encode()
        if dtype == pl.Struct
        else pl.col(name).cast(pl.String)
        if dtype in {pl.Categorical, pl.Enum}
        else pl.col(name)
        for name, dtype in rows.schema.items()
        if name != LINE
    ]
    return Source(path, rows.select(flat).with_columns(_numbered(rows.height)), pl.DataFrame(schema=BROKEN))


def _numbered(height: int) -> pl.Series:
    return pl.int_range(1, height + 1, dtype=pl.Int64, eager=True).alias(LINE)


def _lines(path: Path, encoding: str) -> pl.DataFrame:
    """Return `line` and its number, line ends and byte order mark taken off."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.name.lower().endswith(".gz") else path.read_bytes()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadFile("is not a whole gzip file", where=str(path)) from error
    try:
        text = data.decode(encoding)
    except UnicodeError as error:
        raise BadFile(
            f"is not {encoding} text (byte {getattr(error, 'start', 0)}); "
            "name its encoding in the map, for example `encoding: gb18030`",
            where=str(path),
        ) from error
    utf8 = encoding.lower().replace("_", "-") in {"utf-8", "utf8"}
    lines = pl.read_lines(data if utf8 else text.encode(), row_index_name=LINE, row_index_offset=1)
    return lines.select(pl.col("line").str.strip_suffix("\r").str.strip_prefix("\ufeff"), pl.col(LINE).cast(pl.Int64))


def _blank(lines: pl.DataFrame) -> pl.Series:
    return lines["line"].str.strip_chars() == ""


def _read_csv(path: Path, encoding: str) -> Source:
    lines = _lines(path, encoding)
    first = (~_blank(lines)).arg_max() if lines.height else None
    if first is None or _blank(lines)[first]:
        raise BadFile("is empty; the first line must name the columns", where=str(path))
    separator, header = _header(path, lines["line"][first])
    body = lines[first + 1 :]
    width = len(header)
    quoted = body["line"].str.contains('"', literal=True)
    regular = body["line"].str.count_matches(separator, literal=True) == width - 1
    if quoted.any():
        cell = rf'(?:"(?:[^"]|"")*"|[^"{re.escape(separator)}]*)'
        whole = rf"^{cell}(?:{re.escape(separator)}{cell}){{{width - 1}}}$"
        regular = (regular & ~quoted) | (quoted & body["line"].str.contains(whole))
    spans, records = _mend(body["line"], (quoted & ~regular).arg_true().to_list(), width, separator)
    taken = pl.Series(spans, dtype=pl.UInt32)
    untouched = (~_blank(body)).scatter(taken, values=False)  # a blank line counts only inside a quoted cell
    good = body.filter(regular & untouched)
    rows = _cells(good, header, separator)
    if records:
        numbers = body[LINE]
        mended = pl.DataFrame(
            [[*fields, numbers[at]] for at, fields in records],
            schema={**dict.fromkeys(header, pl.String), LINE: pl.Int64},
            orient="row",
        )
        rows = pl.concat([rows, mended]).sort(LINE)
    broken = body.filter(~regular & untouched).select(LINE, raw="line", code=pl.lit("malformed_row"))
    return Source(path, rows, broken)


def _header(path: Path, line: str) -> tuple[str, list[str]]:
    separator = "\t" if "\t" in line and path.name.lower().removesuffix(".gz").endswith(".tsv") else ","
    if separator not in line:
        separator = max(SEPARATORS, key=line.count)
    try:
        names = next(csv.reader([line], delimiter=separator, strict=True))
    except csv.Error as error:
        raise BadFile(f"the header is not CSV ({error})", where=f"{path}, line 1") from error
    header = [name.strip() or f"column_{i + 1}" for i, name in enumerate(names)]
    for name in header:
        if header.count(name) > 1 or name == LINE:
            raise BadColumns(f"the header may not name {name!r} {header.count(name)} times", where=str(path))
    return separator, header


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
            fields = _one_record(texts[start:stop], separator)
            if fields is not None:
                if len(fields) == width:
                    records.append((start, fields))
                    covered.extend(range(start, stop))
                    end = stop
                break
    return covered, records


def _one_record(texts: list[str], separator: str) -> list[str] | None:
    """Return the fields where the lines are exactly one record, [] where they never can be, None where it goes on."""
    if sum(text.count('"') for text in texts) % 2 and len(texts) > 1:
        return None
    try:
        read = list(csv.reader([f"{text}\n" for text in texts], delimiter=separator, strict=True))
    except csv.Error as error:
        return None if "unexpected end" in str(error) else []
    return read[0] if len(read) == 1 else []


def _read_ndjson(path: Path, encoding: str) -> Source:
    lines = _lines(path, encoding)
    lines = lines.filter(~_blank(lines))
    frames: list[pl.DataFrame] = []
    broken: list[tuple[int, str, str]] = []
    feed = lines.iter_rows()
    while chunk := list(islice(feed, CHUNK)):
        objects: list[dict[str, str | None]] = []
        for text, number in chunk:
            try:
                value = orjson.loads(text)
            except orjson.JSONDecodeError:
                value = None
            if isinstance(value, dict):
                objects.append({**{name: _json_text(cell) for name, cell in value.items()}, LINE: str(number)})
            else:
                broken.append((number, text, "malformed_row"))
        names = list(dict.fromkeys(name for row in objects for name in row))
        frames.append(pl.DataFrame(objects, schema=dict.fromkeys(names, pl.String)))
    rows = pl.concat(frames, how="diagonal") if frames else pl.DataFrame()
    if not rows.height and broken:
        raise BadFile(f"no line is a JSON object (first tried: line {broken[0][0]})", where=str(path))
    number = pl.col(LINE).cast(pl.Int64) if LINE in rows.columns else pl.lit(None, pl.Int64).alias(LINE)
    return Source(path, rows.with_columns(number), pl.DataFrame(broken, schema=BROKEN, orient="row"))


def _json_text(cell: object) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, list) and all(isinstance(entry, str | int | float) for entry in cell):
        return "|".join(str(entry) for entry in cell)
    return orjson.dumps(cell).decode()


READERS: dict[str, Callable[[Path, str], Source]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".ndjson": _read_ndjson,
    ".jsonl": _read_ndjson,
    ".parquet": _read_parquet,
}
