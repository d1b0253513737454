"""Which of a file's columns are which of ours: look-ups joined, names mapped, words translated, constants filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from fnmatch import fnmatch
from pathlib import Path

import polars as pl

from engine.errors import BadColumns
from engine.imports.fields import identifier, text
from engine.imports.filled import with_order_cells
from engine.imports.instants import DateOrder
from engine.imports.mapping import ImportKind, ImportMap, Join, names_of, plain_name
from engine.imports.numbers import ToldMarks
from engine.imports.shape.names import plain_header
from engine.imports.shape.source import LINE, Source

# What programs and people write where there is nothing, in lower case.
NOTHING = ("null", "\\n", "nan", "none", "nil", "-", "--", "#n/a", "n/a", "(null)", "<null>", "#null!", "无", "空")
SAYS_NONE = frozenset({"allergens", "diets"})


@dataclass(frozen=True, slots=True)
class MappedFile:
    """One file seen through the map: our plain names to their cells.

    `own` are the names the file itself fills (not constants), `minor` those in minor units whatever the map says,
    `brought` those a look-up table filled, `taken` their columns by our name. `left_out` rows the map's `where` did not
    choose. Of a piece, `told_marks` and `told_order` are what the whole columns tell of figures and dates.
    """

    source: Source
    cells: Mapping[str, pl.Series]
    own: frozenset[str]
    minor: frozenset[str]
    brought: frozenset[str]
    taken: Mapping[str, str]
    ignored: tuple[str, ...]
    left_out: int = 0
    told_marks: Mapping[str, ToldMarks] = field(default_factory=dict)
    told_order: DateOrder | None = None

    @property
    def height(self) -> int:
        """How many rows could be split into cells."""
        return self.source.rows.height

    def need(self, *names: str, mapping: ImportMap) -> None:
        """Raise BadColumns when the file and the map's constants fill none of `names`."""
        if any(name in self.cells for name in names):
            return
        theirs = {plain: their for ours, their in mapping.columns.items() for plain in [ours.removesuffix("_cents")]}
        wanted = " or ".join(
            f"{theirs[name]!r} (our {name})" if theirs.get(name, name) != name else repr(name) for name in names
        )
        near = get_close_matches(theirs.get(names[0], names[0]), self.source.columns, n=3, cutoff=0.3)
        found = f"nearest are {', '.join(near)}" if near else f"it has {', '.join(self.source.columns) or 'none'}"
        raise BadColumns(
            f"column {wanted} is missing; {found}; name it under `columns` in a map", where=str(self.source.path)
        )


def split_lookups(paths: Sequence[Path], mapping: ImportMap) -> tuple[list[Path], list[tuple[Join, Path]]]:
    """Return the files of rows, and the look-up tables with the join that names them."""
    rows: list[Path] = []
    lookups: list[tuple[Join, Path]] = []
    for path in paths:
        join = next((join for join in mapping.joins if fnmatch(path.name, join.file)), None)
        if join is None:
            rows.append(path)
        else:
            lookups.append((join, path))
    return rows, lookups


def apply_map(
    source: Source, kind: ImportKind, mapping: ImportMap, lookups: Sequence[tuple[Join, Source]], warnings: list[str]
) -> MappedFile:
    """Join the look-ups to a file's rows and name its columns; without a map the file's own names are ours."""
    rows, left_out = _chosen(source, mapping)
    brought: set[str] = set()
    for join, lookup in lookups:
        if all(name in rows.columns for name in join.on):
            before = set(rows.columns)
            rows = _joined(rows, join, lookup, warnings)
            brought |= set(rows.columns) - before
    available = [name for name in rows.columns if name != LINE]
    taken: dict[str, str] = {}
    minor: set[str] = set()
    # The map's own columns first; a name it does not mention may still be the file's own.
    implicit = {name: name for name in names_of(kind) if name not in set(mapping.columns.values())}
    mentioned = {plain_name(kind, ours)[0] for ours in mapping.columns}
    for ours, named in [*mapping.columns.items(), *implicit.items()]:
        plain, is_minor = plain_name(kind, ours)
        their = _column_named(named, available, source)
        if their in available and plain not in taken and (ours in mapping.columns or plain not in mentioned):
            taken[plain] = their
            if is_minor:
                minor.add(plain)
    words = {plain_name(kind, ours)[0]: pairs for ours, pairs in mapping.values.items()}
    constants = {plain_name(kind, ours): value for ours, value in mapping.constants.items()}
    minor |= {plain for (plain, is_minor) in constants if is_minor and plain not in taken}
    cells = {plain: _without_nothing(plain, rows[their], mapping.empty) for plain, their in taken.items()}
    if kind == "orders":
        cells = with_order_cells(cells, {plain for plain, _ in constants})
    for plain, pairs in words.items():
        if plain in cells:
            cells[plain] = identifier(cells[plain]).replace(dict(pairs))
    for (plain, _), value in constants.items():
        constant = pl.Series([value], dtype=pl.String).new_from_index(0, rows.height)
        cells[plain] = text(cells[plain]).fill_null(value) if plain in cells else constant
    for ours in mapping.fold_case:
        plain = plain_name(kind, ours)[0]
        if plain in cells:
            cells[plain] = text(cells[plain]).str.to_lowercase()
    used = set(taken.values()) | set(mapping.where) | {name for join, _ in lookups for name in join.on}
    return MappedFile(
        source=source if rows.height == source.rows.height else replace(source, rows=rows.select(source.rows.columns)),
        cells=cells,
        own=frozenset(taken),
        minor=frozenset(minor),
        brought=frozenset(plain for plain, their in taken.items() if their in brought),
        taken=taken,
        left_out=left_out,
        ignored=tuple(name for name in source.columns if name not in used),
    )


def _chosen(source: Source, mapping: ImportMap) -> tuple[pl.DataFrame, int]:
    """Return the rows the map's `where` chooses, and how many it does not.

    Raises BadColumns for a column the file does not have.
    """
    rows = source.rows
    for column, choice in mapping.where.items():
        if column not in source.columns:
            raise BadColumns(
                f"column {column!r} of the map's `where` is missing; it has {', '.join(source.columns)}",
                where=str(source.path),
            )
        one_of = text(rows[column].cast(pl.String)).is_in(list(choice.values)).fill_null(value=False)
        rows = rows.filter(~one_of if choice.inverted else one_of)
    return rows, source.rows.height - rows.height


def _without_nothing(name: str, cells: pl.Series, empty: tuple[str, ...] | None) -> pl.Series:
    """Return text cells with words for nothing made null; `none` in a list of allergens or diets says something."""
    if cells.dtype != pl.String:
        return cells
    words = NOTHING if empty is None else empty
    if empty is None and name in SAYS_NONE:
        words = tuple(word for word in words if word != "none")
    bare = cells.str.strip_chars()
    nothing = bare.str.to_lowercase().is_in(list(words)) if empty is None else bare.is_in(list(words))
    return cells.set(nothing.fill_null(value=False), None) if nothing.any() else cells


def _column_named(named: str, available: Sequence[str], source: Source) -> str:
    """Return the file's column that `named` means: as it stands, or with its padding taken off.

    Raises BadColumns where the header has the name several times with different cells: a guess would read wrong money.
    """
    their = named if named in available else plain_header(named)
    first, number = their.removesuffix(" (1)"), their.endswith(" (1)")
    if number and their not in available and first in source.doubled:
        return first
    every = source.doubled.get(their, ())
    filled = [text(source.rows[name]) for name in every]
    if any((other != filled[0]).any() for other in filled[1:]):
        choices = " or ".join(repr(name) for name in (f"{their} (1)", *every[1:]))
        raise BadColumns(
            f"the header names {their!r} {len(every)} times, with different cells; write {choices} under `columns` in "
            "the map",
            where=str(source.path),
        )
    return their


def unmatched(files: Sequence[MappedFile], mapping: ImportMap, kind: ImportKind) -> list[str]:
    """Return a warning for each mapped column that no file has."""
    return [
        f"no file has the column {their!r} (our {ours}); it stays unknown"
        for ours, their in mapping.columns.items()
        if not any(plain_name(kind, ours)[0] in file.own for file in files)
    ]


def _joined(rows: pl.DataFrame, join: Join, lookup: Source, warnings: list[str]) -> pl.DataFrame:
    for name in [*join.on, *(join.bring or ())]:
        if name not in lookup.columns:
            raise BadColumns(
                f"column {name!r} is missing, the map's join needs it; it has {', '.join(lookup.columns)}",
                where=str(lookup.path),
            )
    # The rows' own values win over the look-up table.
    bring = [name for name in join.bring or lookup.columns if name not in rows.columns and name not in join.on]
    keys = [f"\x00{name}" for name in join.on]
    table = lookup.rows.select(
        *(identifier(lookup.rows[name]).alias(key) for name, key in zip(join.on, keys, strict=True)), *bring
    )
    unique = table.unique(subset=keys, keep="first", maintain_order=True)
    if unique.height < table.height:
        warnings.append(
            f"{lookup.path.name} has {table.height - unique.height} rows with a repeated key; first ones used"
        )
    keyed = rows.with_columns(identifier(rows[name]).alias(key) for name, key in zip(join.on, keys, strict=True))
    return keyed.join(unique, on=keys, how="left", maintain_order="left").drop(keys)
