"""Rows of a customers, items, vendors or offers file: typed cells, and what became of each row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import polars as pl

from engine.columns import SEALED, UTC_INSTANT
from engine.files.encryption import seal_of
from engine.history.tables import TABLE_KEYS, TABLE_SCHEMAS, TableName, upsert_rows
from engine.imports import fields
from engine.imports.mapped import MappedFile
from engine.imports.mapping import ImportMap, is_currency
from engine.imports.orders import NO_CELLS, OUTCOMES, Outcome, Progress
from engine.language import is_tag, plain_tag
from engine.offers.kinds.discount import OFFER_KINDS
from engine.offers.offer import AUDIENCES
from engine.settings import Settings

WORDS: Mapping[str, Collection[str]] = {"kind": OFFER_KINDS.keys(), "audience": AUDIENCES}
CONSENT = "marketing_consent"
PATTERNS = {
    "opens": r"^([01]\d|2[0-3]):[0-5]\d$",
    "closes": r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$",
    "closed_weekdays": r"^[1-7](\|[1-7])*$",
}


def import_table(
    kind: TableName,
    files: Sequence[MappedFile],
    mapping: ImportMap,
    settings: Settings,
    now: datetime,
    progress: Progress,
) -> Outcome:
    """Add the files' rows to a table by key; personal columns of customers are sealed on the way.

    A customer's cell that cannot be read costs the row that cell alone, so that their "no" survives it; it is listed in
    the outcome's `cells`. A consent that cannot be read is a no.

    Raises BadColumns, and Conflict when another process is writing.
    """
    parsed: list[pl.DataFrame] = []
    unreadable: list[pl.DataFrame] = []
    for i, file in enumerate(files):
        progress(f"Reading {file.source.path.name}", i, len(files))
        file.need(TABLE_KEYS[kind], mapping=mapping)
        if kind == "offers":
            file.need("kind", mapping=mapping)
        rows, cells = _read_rows(kind, file, i, mapping, settings, now)
        parsed.append(rows)
        unreadable.append(cells)
    rows = pl.concat(parsed).with_row_index("_at")
    sound = rows.filter(pl.col("_code").is_null())
    table = sound.select(list(TABLE_SCHEMAS[kind]))
    if kind == "customers":
        progress("Sealing personal data", 0, 1)
        seal = seal_of(settings)
        table = table.with_columns(seal.seal_column(table[name]) for name in SEALED)
        # A customer may have two rows in a file; a refusal in any of them holds.
        table = table.with_columns(pl.col(CONSENT).min().over(TABLE_KEYS[kind]))
    progress(f"Writing {kind}", 0, 1)
    changes = upsert_rows(settings, kind, table)
    progress(f"Writing {kind}", 1, 1)
    names = {"new": "accepted", "updated": "updated", "same": "duplicate"}
    outcome = sound.select("_at", outcome=changes.cast(pl.String).replace(names))
    rows = rows.select("_at", "_file", "_row", "_code", "_about").join(
        outcome, on="_at", how="left", maintain_order="left"
    )
    return Outcome(
        rows=rows.select("_file", "_row", "_code", "_about", pl.col("outcome").fill_null("refused").cast(OUTCOMES)),
        customers=table[TABLE_KEYS[kind]].n_unique() if kind == "customers" else 0,
        cells=pl.concat(unreadable),
    )


def _read_rows(
    kind: TableName, file: MappedFile, number: int, mapping: ImportMap, settings: Settings, now: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the file's rows, refused ones with their reason, and the cells of kept rows that could not be read."""
    if kind == "customers":
        # A row mended in quarantine comes back sealed.
        seal = seal_of(settings)
        file = replace(file, cells={name: seal.opened_where_own(cells) for name, cells in file.cells.items()})
    refusals = fields.Refusals(file.height)
    # Cells of customers fail alone; in other tables a wrong cell makes the row mean something else.
    of_column = {
        name: fields.Refusals(file.height) if kind == "customers" else refusals for name in TABLE_SCHEMAS[kind]
    }
    zone = mapping.timezone or settings.timezone
    read: dict[str, pl.Series] = {}
    for name, dtype in TABLE_SCHEMAS[kind].items():
        plain = name.removesuffix("_cents")
        if plain not in file.cells:
            read[name] = pl.Series([None], dtype=dtype).new_from_index(0, file.height)
        elif name.endswith("_cents"):
            read[name] = _money(file, plain, mapping, settings, of_column[name])
        else:
            read[name] = _cell(name, dtype, file.cells[plain], zone, of_column[name], mapping, now)
    key = TABLE_KEYS[kind]
    refusals.add(read[key].is_null(), "missing_customer_id" if kind == "customers" else "missing_id", key)
    for name in ("customer_id", "item_id", "vendor_id", "offer_id"):
        if name in read:
            refused = refusals if name == key else of_column[name]
            refused.add(fields.bad_identifier(read[name]), "bad_id", name)
            if name != "item_id":
                refused.add(fields.rounded_identifier(read[name]), "rounded_id", name)
    if kind == "offers":
        _check_offer(read, mapping, settings, refusals)
    if "birthday" in read:
        of_column["birthday"].add(read["birthday"] > now.date(), "instant_in_future", "birthday")
    if "latitude" in read:
        of_column["latitude"].add(
            fields.position(read["latitude"], read["longitude"]), "position_out_of_range", "latitude"
        )
    cells = _without_unreadable(read, of_column, refusals, number) if kind == "customers" else NO_CELLS
    rows = pl.DataFrame(read).select(
        pl.lit(number, pl.UInt32).alias("_file"),
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("_row"),
        refusals.codes.alias("_code"),
        refusals.columns.alias("_about"),
        *(pl.col(name).cast(dtype) for name, dtype in TABLE_SCHEMAS[kind].items()),
    )
    return rows, cells


def _without_unreadable(
    read: dict[str, pl.Series], of_column: Mapping[str, fields.Refusals], row: fields.Refusals, number: int
) -> pl.DataFrame:
    """Empty the cells that could not be read, an unreadable consent to a no; return them (see `Outcome.cells`)."""
    found = [NO_CELLS]
    for name, refused in of_column.items():
        wrong = ~refused.accepted
        if not wrong.any():
            continue
        if name == CONSENT:
            read[name] = read[name].set(wrong, False)
        else:
            read[name] = (
                pl.Series([None], dtype=read[name].dtype).new_from_index(0, len(wrong)).zip_with(wrong, read[name])
            )
        listed = pl.DataFrame({"_code": refused.codes}).with_row_index("_row").filter(wrong & row.accepted)
        found.append(
            listed.select(
                pl.lit(number, pl.UInt32).alias("_file"),
                pl.col("_row").cast(pl.UInt32),
                pl.lit(name).alias("_column"),
                "_code",
            )
        )
    return pl.concat(found)


def _cell(
    name: str,
    dtype: pl.DataType | type[pl.DataType],
    cells: pl.Series,
    zone: str,
    refusals: fields.Refusals,
    mapping: ImportMap,
    now: datetime,
) -> pl.Series:
    if dtype == pl.Boolean:
        return fields.truth(cells, refusals, name)
    if dtype == pl.Date:
        return fields.day(cells, refusals, name, now, mapping.date_order)
    if dtype == UTC_INSTANT:
        zones = pl.Series([zone], dtype=pl.String).new_from_index(0, len(cells))
        return fields.instant(cells, zones, refusals, name, now, order=mapping.date_order)
    if dtype == pl.Int64:
        figures = fields.number(cells, refusals, name, mapping.marks)
        refusals.add((figures < 0) | (figures != figures.round(0)), "unreadable_number", name)
        return figures.cast(pl.Int64, strict=False)
    if dtype == pl.Float64:
        return fields.number(cells, refusals, name, mapping.marks, three_is_decimal=True)
    # Ids and phone numbers must not carry the .0 of a column that a tool took for numbers.
    words = fields.identifier(cells) if name.endswith("_id") or cells.dtype.is_numeric() else fields.text(cells)
    if name == "language":
        tags = {word: plain_tag(word) for word in words.unique().drop_nulls().to_list() if is_tag(word)}
        refusals.add(words.is_not_null() & ~words.is_in(list(tags)).fill_null(value=True), "bad_language", name)
        words = words.replace(tags)
    if name in WORDS:
        words = words.str.to_lowercase()
        refusals.add(words.is_not_null() & ~words.is_in(list(WORDS[name])).fill_null(value=True), "unknown_word", name)
    if name in PATTERNS:
        if name != "closed_weekdays":
            words = words.str.replace(r"^(\d):", "0$1:").str.replace(r"^(\d\d:\d\d):\d\d.*$", "$1")
        refusals.add(~words.str.contains(PATTERNS[name]), "unreadable_value", name)
    if name == "timezone":
        words = fields.time_zone(words, refusals, name)
    return words


def _money(
    file: MappedFile, plain: str, mapping: ImportMap, settings: Settings, refusals: fields.Refusals
) -> pl.Series:
    scale = fields.minor_units_per_major(_currencies(file, mapping, settings))
    thirds = bool((scale == 1000).all()) and file.height > 0
    figures = fields.number(file.cells[plain], refusals, plain, mapping.marks, three_is_decimal=thirds)
    if plain != "margin":
        # A dish may be sold below its cost; nothing else is negative.
        refusals.add(figures < 0, "negative_amount", plain)
    if mapping.money_minor or plain in file.minor:
        return fields.whole(figures)
    return fields.whole(figures * scale)


def _currencies(file: MappedFile, mapping: ImportMap, settings: Settings) -> pl.Series:
    default = mapping.currency or settings.currency
    if "currency" not in file.cells:
        return pl.Series([default], dtype=pl.String).new_from_index(0, file.height)
    return fields.text(file.cells["currency"]).str.to_uppercase().fill_null(default)


def _check_offer(read: dict[str, pl.Series], mapping: ImportMap, settings: Settings, refusals: fields.Refusals) -> None:
    kind = read["kind"]
    refusals.add(kind.is_null(), "missing_terms")
    fields_of = [(name, each) for name, known in OFFER_KINDS.items() for each in known.fields.values()]
    for name, each in fields_of:
        if each.required:
            refusals.add((kind == name) & read[each.column].is_null(), "missing_terms")
    for _, each in fields_of:
        refused = each.out_of_range(read[each.column])
        if refused is not None:
            refusals.add(*refused)
    refusals.add(read["valid_until"] <= read["valid_from"], "ends_before_start")
    currency = read["currency"].str.to_uppercase().fill_null(mapping.currency or settings.currency)
    wrong = [code for code in currency.unique().to_list() if not is_currency(code)]
    refusals.add(currency.is_in(wrong), "bad_currency")
    read["currency"] = currency
