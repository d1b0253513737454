"""What rows a file holds: text, workbooks and Parquet read so that a broken row costs itself only.

Text formats give every column as text; workbooks and Parquet keep their types. Each row has its number in the source:
the physical line for text (a CSV's first line is 1), the row of the sheet, the data row from 1 for Parquet.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.errors import BadFile, MissingFile
from engine.imports.shape.archive import file_bytes
from engine.imports.shape.delimited import read_delimited
from engine.imports.shape.ndjson import read_ndjson
from engine.imports.shape.parquet import read_parquet_file
from engine.imports.shape.source import ReadOptions, Source
from engine.imports.shape.workbook import read_workbook

Reader = Callable[[Path, ReadOptions], Source]
TEXT: dict[str, Reader] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".txt": read_delimited,
    ".ndjson": read_ndjson,
    ".jsonl": read_ndjson,
}
READERS: dict[str, Reader] = {
    **TEXT,
    **{f"{suffix}.gz": reader for suffix, reader in TEXT.items()},
    ".parquet": read_parquet_file,
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), read_workbook),
}


PACKED = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # how workbooks begin


def _by_content(path: Path, reader: Reader) -> Reader:
    """Return the reader that fits the content: some systems call text .xls, some people a workbook .csv.

    Raises BadFile for a web page called .xls.
    """
    if path.suffix.lower() not in {".csv", ".tsv", ".txt", ".xls"} or path.is_dir():
        return reader
    if path.is_file():
        with path.open("rb") as opened:
            head = opened.read(1000)
    else:
        head = file_bytes(path)[:1000]
    if head.startswith(PACKED):
        return read_workbook
    if path.suffix.lower() == ".xls" and head and b"\x00" not in head:
        if head.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<"):
            raise BadFile("is a web page called .xls; open it and save it as .xlsx", where=str(path))
        return read_delimited
    return reader


def read_source(path: Path, options: ReadOptions | None = None) -> Source:
    """Read a .csv, .tsv, .txt, .ndjson, .jsonl (each also .gz), .xlsx, .xls, .ods or .parquet file.

    Raises MissingFile, BadFile when its content does not match its suffix, BadColumns for a sheet that is not there.
    """
    name = path.name.lower()
    reader = next((reader for suffix, reader in READERS.items() if name.endswith(suffix)), None)
    if reader is None:
        raise BadFile(
            "unknown kind of file; use .csv, .tsv, .txt, .ndjson, .jsonl (also .gz), .xlsx, .xls, .ods, .parquet, or a "
            ".zip of them",
            where=str(path),
        )
    try:
        return _by_content(path, reader)(path, options or ReadOptions())
    except FileNotFoundError as error:
        raise MissingFile("no such file; check the path", where=str(path)) from error
    except IsADirectoryError as error:
        raise BadFile("is a folder; name the files in it", where=str(path)) from error
    except PermissionError as error:
        raise BadFile("may not be read; check its permissions", where=str(path)) from error
