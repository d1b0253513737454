"""Files of one call, opened: what their columns are at once, their rows when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from engine.imports.mapped import MappedFile, apply_map
from engine.imports.mapping import ImportKind, ImportMap, Join
from engine.imports.shape.read import read_source
from engine.imports.shape.source import Source

# Rows of all files together that are held while others are looked at; later files are read anew when they are needed.
KEPT = 2_000_000


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """One file of rows: `head` has its columns and its broken rows, `height` is the number of the others."""

    head: MappedFile
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
) -> list[OpenedFile]:
    """Look at every file once, and keep the rows of those that are small together.

    Raises what `read_source` and `apply_map` raise.
    """
    opened: list[OpenedFile] = []
    kept = 0
    for i, path in enumerate(paths):
        progress(f"Opening {path.name}", i, len(paths))
        source = read_source(path, mapping.read_options)
        warnings += [f"{path.name}: {note}" for note in source.notes]
        mapped = apply_map(source, kind, mapping, lookups, warnings)
        kept += mapped.height
        opened.append(_opened(mapped, kind, mapping, lookups, keep=kept <= KEPT))
    return opened


def _opened(
    mapped: MappedFile, kind: ImportKind, mapping: ImportMap, lookups: Sequence[tuple[Join, Source]], *, keep: bool
) -> OpenedFile:
    source, height = mapped.source, mapped.height
    head = replace(
        mapped,
        source=replace(source, rows=source.rows.clear()),
        cells={name: cells.clear() for name, cells in mapped.cells.items()},
    )
    if keep:
        return OpenedFile(head, height, lambda: mapped)
    path = source.path

    def again() -> MappedFile:
        # Warnings were collected when the file was opened.
        return apply_map(read_source(path, mapping.read_options), kind, mapping, lookups, [])

    return OpenedFile(head, height, again)
