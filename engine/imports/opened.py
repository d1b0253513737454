"""Files of one call, opened: what their columns are at once, their rows when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import polars as pl

from engine.files.encryption import Seal
from engine.imports.mapped import MappedFile, apply_map
from engine.imports.mapping import ImportKind, ImportMap, Join
from engine.imports.shape.read import read_source
from engine.imports.shape.source import Source

# Rows of all files together that are held while others are looked at; later files are read anew when they are needed.
KEPT = 2_000_000
FIRST = 1000


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """One file of rows: `head` has its columns and its broken rows, `height` is the number of the others.

    `first` has the first FIRST of its rows.
    """

    head: MappedFile
    first: MappedFile
    height: int
    load: Callable[[], MappedFile]

    @property
    def name(self) -> str:
        """The file's name."""
        return self.head.source.path.name

    @property
    def broken(self) -> pl.DataFrame:
        """The rows that could not be split into cells."""
        return self.head.source.broken


def open_files(
    paths: Sequence[Path],
    kind: ImportKind,
    mapping: ImportMap,
    lookups: Sequence[tuple[Join, Source]],
    warnings: list[str],
    progress: Callable[[str, int, int], None],
    seal: Seal | None = None,
) -> list[OpenedFile]:
    """Look at every file once, and keep the rows of those that are small together.

    Cells sealed under `seal` (rows mended in quarantine) are opened. Raises what `read_source` and `apply_map` raise.
    """

    def read(path: Path, told: list[str]) -> MappedFile:
        source = read_source(path, mapping.read_options)
        told += [f"{path.name}: {note}" for note in source.notes]
        if seal is not None:
            source = replace(source, rows=source.rows.with_columns(seal.opened_where_own(c) for c in source.rows))
        return apply_map(source, kind, mapping, lookups, told)

    opened: list[OpenedFile] = []
    kept = 0
    for i, path in enumerate(paths):
        progress(f"Opening {path.name}", i, len(paths))
        mapped = read(path, warnings)
        kept += mapped.height
        # Files read again are not warned of again.
        load = partial(_same, mapped) if kept <= KEPT else partial(read, path, [])
        opened.append(OpenedFile(_first(mapped, 0), _first(mapped, FIRST), mapped.height, load))
    return opened


def _same(mapped: MappedFile) -> MappedFile:
    return mapped


def _first(file: MappedFile, most: int) -> MappedFile:
    # A copy, so that the whole file may be freed.
    source = replace(file.source, rows=file.source.rows.head(most).clone())
    return replace(file, source=source, cells={name: cells.head(most) for name, cells in file.cells.items()})
