"""Rows that could not be used, kept with their reason so that somebody can mend them; personal cells are sealed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from engine.columns import SEALED
from engine.files.atomic import replace
from engine.files.encryption import Seal
from engine.imports import fields
from engine.imports.mapped import MappedFile
from engine.imports.mapping import ImportKind
from engine.imports.opened import OpenedFile
from engine.imports.shape.source import LINE, UNREAD_REASONS
from engine.settings import Settings

KEPT_FOR = timedelta(days=30)
PERSONAL_KINDS = frozenset({"customers", "orders"})  # whose rows may hold names, telephone numbers, notes
SENTENCES = {**fields.REASONS, **UNREAD_REASONS}


def remove_expired(settings: Settings, now: datetime, asked_for: Collection[Path]) -> int:
    """Remove quarantine files older than KEPT_FOR but for those `asked_for`; return how many they were."""
    removed = 0
    wanted = {path.resolve() for path in asked_for}
    for path in settings.quarantine_folder.glob("*.ndjson"):
        if path.resolve() not in wanted and path.stat().st_mtime < (now - KEPT_FOR).timestamp():
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def write_quarantine(
    opened: OpenedFile, refused: pl.DataFrame, kind: ImportKind, settings: Settings, now: datetime, seal: Seal | None
) -> Path | None:
    """Write a file's refused rows with their original fields, _reason, _file and _line; None where there are none.

    `refused` has _row, _code, _about (the column of ours at fault, null for the row as a whole) and _column. A row that
    was kept without a cell is listed too, with the cell's column in _kept_without.
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
        # Whatever else a file of people or their orders holds may be personal, a row that could not be split included.
        named = {their for ours, their in file.taken.items() if ours not in SEALED}
        plain = {*named, "_reason", "_found", "_file", "_line", "_kept_without"}
        secret = [name for name in written.columns if name not in plain]
        written = written.with_columns(seal.seal_column(written[name].cast(pl.String)).alias(name) for name in secret)
    sentences = [f"{code}: {sentence}" for code, sentence in SENTENCES.items()]
    reason = pl.col("_reason").replace_strict(list(SENTENCES), sentences)
    written = written.with_columns(_reason=pl.concat_str(reason, pl.col("_found").fill_null(""))).drop("_found")
    path = _own_path(settings.quarantine_folder, f"{now:%Y%m%dT%H%M%SZ}-{kind}-{file.source.path.name}")
    replace(path, written.write_ndjson, mode=0o600)
    return path


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


def _own_path(folder: Path, stem: str) -> Path:
    """Make an empty file of a name that no other import, running now or before, has taken."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, 10_000):
        path = folder / (f"{stem}.ndjson" if number == 1 else f"{stem}-{number}.ndjson")
        try:
            path.touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(stem)
