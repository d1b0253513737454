"""Files into the home: name their columns, keep what is sound, quarantine the rest, and account for each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from dataclasses import replace as replace_fields
from datetime import datetime
from pathlib import Path

import polars as pl

from engine.columns import SEALED
from engine.errors import BadFile
from engine.files.atomic import replace
from engine.files.encryption import Seal, seal_of
from engine.imports import fields
from engine.imports.home import home_lesson
from engine.imports.mapped import MappedFile, split_lookups, unmatched
from engine.imports.mapping import ImportKind, ImportMap
from engine.imports.opened import OpenedFile, open_files
from engine.imports.orders import Outcome, Progress, import_orders
from engine.imports.source import LINE, read_source
from engine.imports.table_rows import import_table
from engine.settings import Settings


@dataclass(frozen=True, slots=True)
class FileSummary:
    """What became of one file's rows: read = accepted + quarantined + duplicates; updated is part of accepted.

    `left_out` counts rows that the map's `where` did not choose; they are not read.
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
    row_paths, lookup_paths = split_lookups(files, mapping)
    lookups = [(join, read_source(path, mapping.encoding)) for join, path in lookup_paths]
    if not row_paths:
        raise BadFile("every file given is a look-up table of the map; name a file of rows too", where=str(files[0]))
    opened = open_files(row_paths, kind, mapping, lookups, warnings, progress)
    if not any(file.height + file.broken.height for file in opened):
        raise BadFile("has no rows", where=", ".join(str(path) for path in row_paths))
    lesson = home_lesson(settings, kind, mapping, opened)
    settings = lesson.settings(settings)
    warnings.extend(lesson.warnings)
    if kind == "orders":
        outcome = import_orders(opened, mapping, settings, now, progress, warnings)
    else:
        outcome = import_table(kind, [file.load() for file in opened], mapping, settings, now, progress)
    warnings.extend(unmatched([file.head for file in opened], mapping, kind))
    seal = seal_of(settings) if kind == "customers" else None
    left_out = outcome.rows.filter(pl.col("_code").is_not_null())
    left_out = left_out.select("_file", "_row", "_code", "_about", _column=pl.lit(None))
    cells = outcome.cells.with_columns(_about="_column").select(left_out.columns)
    listed = pl.concat([left_out, cells], how="vertical_relaxed")
    refused = listed.sort("_file", "_row", "_column")
    quarantines = [
        _quarantine(file, refused.filter(pl.col("_file") == i), kind, settings, now, seal)
        for i, file in enumerate(opened)
    ]
    summary = _summary(kind, opened, outcome, quarantines, warnings, {s.path.name: s.rows.height for _, s in lookups})
    if not summary.accepted + summary.duplicates:
        worst = max(summary.reasons, key=lambda code: summary.reasons[code])
        raise BadFile(
            f"none of {summary.read} rows could be used, mostly because {fields.REASONS[worst]} ({worst}); "
            f"see {summary.quarantine_files[0]}",
            where=", ".join(str(path) for path in row_paths),
        )
    lesson.keep(settings)
    return replace_fields(summary, home=dict(lesson.learned))


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
    broken = sum(file.broken.height for file in files)
    if broken:
        reasons["malformed_row"] = reasons.get("malformed_row", 0) + broken
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


def _found_in(file: MappedFile, original: pl.DataFrame, about: pl.Series) -> pl.Series:
    """Return ` (price: "12,3,4")`: the column a reason is about and the row's cell in it, null where it is of the row.

    Cells of sealed columns are not shown.
    """
    found = pl.Series([None], dtype=pl.String).new_from_index(0, len(about))
    for ours in about.drop_nulls().unique():
        their = file.taken.get(ours) or file.taken.get(ours.removesuffix("_cents"))
        if their is None:
            continue
        cell = original[their].cast(pl.String) if their in original.columns and ours not in SEALED else None
        shown = f" ({their})" if cell is None else pl.format(' ({}: "{}")', pl.lit(their), pl.lit(cell).fill_null(""))
        found = pl.select(pl.when(pl.lit(about) == ours).then(shown).otherwise(pl.lit(found))).to_series()
    return found


def _quarantine(
    opened: OpenedFile, refused: pl.DataFrame, kind: ImportKind, settings: Settings, now: datetime, seal: Seal | None
) -> Path | None:
    """Write a file's refused rows with their original fields, _reason, _file and _line; None where there are none.

    A row that was kept without a cell is listed too, with the cell's column in _kept_without.
    """
    broken = opened.broken
    if not refused.height and not broken.height:
        return None
    file = opened.load() if refused.height else opened.head
    original = file.source.rows[refused["_row"]] if refused.height else file.source.rows.clear()
    code = refused["_code"].cast(pl.Int64)
    written = original.drop(LINE).with_columns(
        _reason=code.replace_strict(range(len(fields.CODES)), fields.CODES, return_dtype=pl.String),
        _found=_found_in(file, original, refused["_about"]),
        _file=pl.lit(file.source.path.name),
        _line=original[LINE],
    )
    if refused["_column"].is_not_null().any():
        written = written.with_columns(_kept_without=refused["_column"])
    unsplit = broken.select(_raw="raw", _reason="code", _file=pl.lit(file.source.path.name), _line=LINE)
    if broken.height:
        written = pl.concat([written, unsplit], how="diagonal").sort("_line")
    if seal is not None:
        # Whatever else a customers file holds may be personal too, a row that could not be split included.
        named = {their for ours, their in file.taken.items() if ours not in SEALED}
        secret = [
            name
            for name in written.columns
            if name not in {*named, "_reason", "_found", "_file", "_line", "_kept_without"}
        ]
        written = written.with_columns(seal.seal_column(written[name].cast(pl.String)).alias(name) for name in secret)
    sentences = [f"{code}: {sentence}" for code, sentence in fields.REASONS.items()]
    reason = pl.col("_reason").replace_strict(fields.CODES, sentences)
    written = written.with_columns(_reason=pl.concat_str(reason, pl.col("_found").fill_null(""))).drop("_found")
    folder = settings.quarantine_folder
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{now:%Y%m%dT%H%M%SZ}-{kind}-{file.source.path.name}"
    path = folder / f"{stem}.ndjson"
    for again in range(2, 10_000):
        if not path.exists():
            break
        path = folder / f"{stem}-{again}.ndjson"
    replace(path, written.write_ndjson, mode=0o600)
    return path
