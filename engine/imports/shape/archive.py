"""Files inside .zip archives: named `archive.zip/file.csv`, unpacked in memory and never beyond a bound."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from engine.errors import BadFile, MissingFile

MOST_UNPACKED = 4 << 30  # bytes of one file or of all files of an archive
USUAL_UNPACKED = 64 << 20  # bytes below which it does not matter how well a file was packed
MOST_RATIO = 200  # unpacked bytes for each packed one; tables reach 50
READABLE = (
    ".csv", ".tsv", ".txt", ".ndjson", ".jsonl", ".csv.gz", ".tsv.gz", ".txt.gz", ".ndjson.gz", ".jsonl.gz", ".parquet",
    ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods",
)  # fmt: skip


def most_unpacked(packed: int) -> int:
    """Return how many bytes a table of `packed` bytes may unpack to."""
    return min(MOST_UNPACKED, max(USUAL_UNPACKED, packed * MOST_RATIO))


def too_large(packed: int, unpacked: int, path: Path) -> None:
    """Raise BadFile for what unpacks to more than a table does."""
    if unpacked > most_unpacked(packed):
        raise BadFile(
            f"unpacks to {unpacked >> 20:,} MB or more from {packed >> 10:,} KB, more than a table would; "
            "unpack it yourself and give the files",
            where=str(path),
        )


def with_archives_opened(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Return the paths with each .zip replaced by the files in it, and a sentence for each file in it left out.

    Raises MissingFile, and BadFile for an archive that is broken, encrypted, too large, or without a readable file.
    """
    found: list[Path] = []
    notes: list[str] = []
    for path in paths:
        if path.suffix.lower() != ".zip":
            found.append(path)
            continue
        if not path.is_file():
            raise MissingFile("no such file; check the path", where=str(path))
        members = _members(path)
        tables = [name for name in members if name.lower().endswith(READABLE)]
        others = [name for name in members if name not in tables]
        if not tables:
            raise BadFile(f"holds no file that can be read ({', '.join(others[:3]) or 'it is empty'})", where=str(path))
        if others:
            notes.append(f"{path.name}: left out {', '.join(others[:5])}{', ...' if len(others) > 5 else ''}")
        found += [path / name for name in tables]
    return found, notes


def file_bytes(path: Path) -> bytes:
    """Return the bytes of a file, which may lie in an archive.

    Raises FileNotFoundError, IsADirectoryError, PermissionError, and BadFile for a broken archive.
    """
    archive = next((parent for parent in path.parents if parent.suffix.lower() == ".zip" and parent.is_file()), None)
    if archive is None:
        return path.read_bytes()
    name = path.relative_to(archive).as_posix()
    try:
        with zipfile.ZipFile(archive) as opened:
            return opened.read({PurePosixPath(each).as_posix(): each for each in opened.namelist()}[name])
    except KeyError as error:
        raise MissingFile("no such file in the archive", where=str(path)) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadFile(f"cannot be unpacked ({error})", where=str(path)) from error


def check_packed(data: bytes, path: Path) -> None:
    """Raise BadFile when a workbook, which is an archive as well, would unpack to too much."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            too_large(len(data), sum(info.file_size for info in opened.infolist()), path)
    except zipfile.BadZipFile:
        return  # older formats are no archives; the reader says what is wrong with the others


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as opened:
            files = [info for info in opened.infolist() if not info.is_dir() and not _is_litter(info.filename)]
    except zipfile.BadZipFile as error:
        raise BadFile("is not a whole .zip archive", where=str(path)) from error
    if any(info.flag_bits & 1 for info in files):
        raise BadFile("is encrypted; unpack it with its password and give the files", where=str(path))
    too_large(path.stat().st_size, sum(info.file_size for info in files), path)
    return [info.filename for info in files]


def _is_litter(name: str) -> bool:
    """Say whether a member is none of the files somebody packed: what systems add, or a path out of the archive."""
    parts = PurePosixPath(name).parts
    return name.startswith("/") or ".." in parts or parts[0] == "__MACOSX" or parts[-1].startswith(".")
