"""What was read of a file: its rows, those that could not be read, and what stood around its table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

LINE = "_line"
BROKEN = {LINE: pl.Int64, "raw": pl.String, "code": pl.String}
# Why a row has no cells; the reasons of rows that have are in `engine.imports.fields`.
UNDECODABLE = "undecodable"
MALFORMED = "malformed_row"
UNREAD_REASONS = {
    UNDECODABLE: "the row holds bytes that are not of the file's encoding; mend them, or name it in the map",
}


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a map says of the shape of its files; None is found out from the file.

    `separator` is one character, `header_row` the physical line (or row of the sheet, from 1) that names the columns.
    """

    encoding: str | None = None
    separator: str | None = None
    header_row: int | None = None
    sheet: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """One file's rows (their columns and `_line`) and the broken ones (`_line`, raw text, reason code).

    `above` and `below` count the lines around the table, which are neither header nor rows. `doubled` has every name
    that the header gives to several columns, with the names they got. `notes` are sentences for who imports it.
    `separator` and `header_line` are None where the format has none.
    """

    path: Path
    rows: pl.DataFrame
    broken: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=BROKEN))
    above: int = 0
    below: int = 0
    doubled: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    separator: str | None = None
    header_line: int | None = None
    encoding: str | None = None
    sheet: str | None = None

    @property
    def columns(self) -> list[str]:
        """The file's own column names."""
        return [name for name in self.rows.columns if name != LINE]

    @property
    def height(self) -> int:
        """How many rows were read, broken ones included."""
        return self.rows.height + self.broken.height


def around_table(above: list[str], below: list[str], header_line: int) -> tuple[str, ...]:
    """Return the sentence that says which lines around a table were left out; nothing where there are none."""
    parts = []
    if above:
        parts.append(f"{_counted(above)} above the header in line {header_line}")
    if below:
        parts.append(f"{_counted(below)} below the table")
    return (f"left out {' and '.join(parts)}",) if parts else ()


def _counted(lines: list[str]) -> str:
    shown = ", ".join(repr(" ".join(line.split())[:40]) for line in lines[:3])
    more = ", ..." if len(lines) > 3 else ""
    return f"{len(lines)} line{'s' if len(lines) > 1 else ''} ({shown}{more})"
