"""Files into the home: name their columns, keep what is sound, quarantine the rest, and account for each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

import polars as pl

from engine.errors import BadFile
from engine.files.encryption import Seal, seal_of
from engine.imports import fields
from engine.imports.alike import shared_fault
from engine.imports.home import home_lesson
from engine.imports.mapped import split_lookups, unmatched
from engine.imports.mapping import ImportKind, ImportMap
from engine.imports.opened import FIRST, OpenedFile, open_files
from engine.imports.orders import Outcome, Progress, import_orders
from engine.imports.quarantine import PERSONAL_KINDS, SENTENCES, remove_expired, write_quarantine
from engine.imports.shape.archive import with_archives_opened
from engine.imports.shape.read import read_source
from engine.imports.shape.source import ReadOptions
from engine.imports.table_rows import import_table
from engine.settings import Settings


@dataclass(frozen=True, slots=True)
class FileSummary:
    """What became of one file's rows: read = accepted + quarantined + duplicates; updated is part of accepted.

    `left_out` counts rows that the map's `where` did not choose; they are not read.
    `lines_above` and `lines_below` stand around the table (titles, totals) and are no rows.
    """

    file: str
    read: int
    accepted: int
    quarantined: int
    duplicates: int
    updated: int
    left_out: int
    quarantine_file: str | None
    ignored_columns: tuple[str, ...]
    lines_above: int = 0
    lines_below: int = 0


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did: read = accepted + quarantined + duplicates over all files; updated is part of accepted.

    `orders`, `lines`, `customers` and the instants are of the sound rows, duplicates included. `lookups` are files that
    only lent columns: their rows are not counted as read. `home` is what the home learned of its currency and zone.
    `reasons` counts quarantined rows by stable code; `unreadable_cells` counts, by column and code, cells that could
    not be read in customers kept without them.
    """

    kind: str
    read: int
    accepted: int
    quarantined: int
    duplicates: int
    updated: int
    left_out: int
    orders: int
    lines: int
    customers: int
    first_ordered_at: datetime | None
    last_ordered_at: datetime | None
    files: tuple[FileSummary, ...]
    lookups: dict[str, int]
    reasons: dict[str, int]
    unreadable_cells: dict[str, dict[str, int]]
    quarantine_files: tuple[str, ...]
    ignored_columns: tuple[str, ...]
    home: dict[str, str]
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Return the summary as JSON-ready names and values; instants are ISO 8601."""
        instants = {
            name: None if at is None else at.isoformat()
            for name, at in (("first_ordered_at", self.first_ordered_at), ("last_ordered_at", self.last_ordered_at))
        }
        return {**asdict(self), **instants}


def _quiet(_stage: str, _done: int, _total: int) -> None:
    """Show no progress."""


def import_files(
    settings: Settings,
    kind: ImportKind,
    files: Sequence[Path],
    mapping: ImportMap | None,
    *,
    now: datetime,
    progress: Progress = _quiet,
) -> ImportSummary:
    """Import `files` of one kind into the home; orders and their lines may come in separate files of one call.

    Every row is accepted, a duplicate, or written to a quarantine file with its reason; the same files again change
    nothing. Raises MissingFile, BadFile (no row of any file could be used, included), BadColumns, Conflict.
    """
    mapping = mapping or ImportMap()
    warnings: list[str] = []
    remove_expired(settings, now, files)
    paths, notes = with_archives_opened(files)
    warnings += notes
    row_paths, lookup_paths = split_lookups(paths, mapping)
    lookups = [(join, read_source(path, ReadOptions(mapping.encoding))) for join, path in lookup_paths]
    if not row_paths:
        raise BadFile("every file given is a look-up table of the map; name a file of rows too", where=str(files[0]))
    seal = seal_of(settings) if kind in PERSONAL_KINDS else None
    opened = open_files(row_paths, kind, mapping, lookups, warnings, progress, seal)
    if not any(file.height + file.broken.height for file in opened):
        raise BadFile("has no rows", where=", ".join(str(path) for path in row_paths))
    lesson = home_lesson(settings, kind, mapping, opened)
    settings = lesson.settings(settings)
    warnings.extend(lesson.warnings)
    for file in opened:
        _stop_where_all_fail(file, kind, mapping, settings, now, seal)
    if kind == "orders":
        outcome = import_orders(opened, mapping, settings, now, progress, warnings)
    else:
        outcome = import_table(kind, [file.load() for file in opened], mapping, settings, now, progress)
    warnings.extend(unmatched([file.head for file in opened], mapping, kind))
    left_out = outcome.rows.filter(pl.col("_code").is_not_null())
    left_out = left_out.select("_file", "_row", "_code", "_about", _column=pl.lit(None))
    cells = outcome.cells.with_columns(_about="_column").select(left_out.columns)
    listed = pl.concat([left_out, cells], how="vertical_relaxed")
    refused = listed.sort("_file", "_row", "_column")
    if (outcome.rows["outcome"] == "refused").all():
        # Whoever mends the map imports the file itself again; the first rows show why.
        refused = refused.group_by("_file", maintain_order=True).head(FIRST)
    quarantines = [
        write_quarantine(file, refused.filter(pl.col("_file") == i), kind, settings, now, seal)
        for i, file in enumerate(opened)
    ]
    summary = _summary(kind, opened, outcome, quarantines, warnings, {s.path.name: s.rows.height for _, s in lookups})
    if not summary.accepted + summary.duplicates:
        worst = max(summary.reasons, key=lambda code: summary.reasons[code])
        raise BadFile(
            f"none of {summary.read} rows could be used, mostly because {SENTENCES[worst]} ({worst}); "
            f"see {summary.quarantine_files[0]}",
            where=", ".join(str(path) for path in row_paths),
        )
    lesson.keep(settings)
    return replace(summary, home=dict(lesson.learned))


def _stop_where_all_fail(
    file: OpenedFile, kind: ImportKind, mapping: ImportMap, settings: Settings, now: datetime, seal: Seal | None
) -> None:
    """Raise BadFile with what to write in the map when the first rows of a file fail alike; only they are kept."""
    fault = shared_fault(file, kind, mapping, settings, now)
    if fault is None:
        return
    source = replace(file.head.source, broken=fault.broken)
    shown = replace(file, head=replace(file.head, source=source), load=lambda: file.first)
    rows = fault.refused.with_columns(_column=pl.lit(None, pl.String), _about=pl.lit(None, pl.String))
    path = write_quarantine(shown, rows, kind, settings, now, seal)
    raise BadFile(
        f"stopped, nothing was imported: {fault.n} of the first {FIRST:,} rows fail alike, {SENTENCES[fault.code]} "
        f"({fault.code}): {fault.advice}; they are in {path}",
        where=file.name,
    )


def _summary(
    kind: ImportKind,
    files: Sequence[OpenedFile],
    outcome: Outcome,
    quarantines: Sequence[Path | None],
    warnings: Sequence[str],
    lookups: dict[str, int],
) -> ImportSummary:
    counts = outcome.rows.group_by("_file", pl.col("outcome").cast(pl.String)).len()
    by_file = {(number, word): n for number, word, n in counts.iter_rows()}
    reasons = {
        fields.CODES[code]: n
        for code, n in outcome.rows.filter(pl.col("_code").is_not_null())
        .group_by("_code")
        .len()
        .sort("_code")
        .iter_rows()
    }
    for file in files:
        for code, n in file.broken["code"].value_counts(sort=True).iter_rows():
            reasons[code] = reasons.get(code, 0) + n
    parts = []
    for i, file in enumerate(files):
        updated = by_file.get((i, "updated"), 0)
        parts.append(
            FileSummary(
                file=file.name,
                read=file.height + file.broken.height,
                accepted=by_file.get((i, "accepted"), 0) + updated,
                quarantined=by_file.get((i, "refused"), 0) + file.broken.height,
                duplicates=by_file.get((i, "duplicate"), 0),
                updated=updated,
                left_out=file.head.left_out,
                quarantine_file=None if quarantines[i] is None else str(quarantines[i]),
                ignored_columns=file.head.ignored,
                lines_above=file.head.source.above,
                lines_below=file.head.source.below,
            )
        )
    return ImportSummary(
        kind=kind,
        read=sum(part.read for part in parts),
        accepted=sum(part.accepted for part in parts),
        quarantined=sum(part.quarantined for part in parts),
        duplicates=sum(part.duplicates for part in parts),
        updated=sum(part.updated for part in parts),
        left_out=sum(part.left_out for part in parts),
        orders=outcome.orders,
        lines=outcome.lines,
        customers=outcome.customers,
        first_ordered_at=outcome.first_ordered_at,
        last_ordered_at=outcome.last_ordered_at,
        files=tuple(parts),
        lookups=lookups,
        reasons=reasons,
        unreadable_cells=_by_column(outcome.cells),
        quarantine_files=tuple(str(path) for path in quarantines if path is not None),
        ignored_columns=tuple(dict.fromkeys(name for part in parts for name in part.ignored_columns)),
        home={},
        warnings=tuple(warnings),
    )


def _by_column(cells: pl.DataFrame) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for column, code, n in cells.group_by("_column", "_code").len().sort("_column", "_code").iter_rows():
        found.setdefault(column, {})[fields.CODES[code]] = n
    return found
