"""Do the first rows of a file fail alike? Then the map is wrong, and nothing of it is worth importing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from engine.errors import InputError
from engine.history.tables import TABLE_KEYS
from engine.imports import fields, orders, table_rows
from engine.imports.mapped import MappedFile
from engine.imports.mapping import ImportKind, ImportMap
from engine.imports.opened import FIRST, OpenedFile
from engine.imports.order_rows import grain_of, in_slices, read_rows
from engine.imports.shape.source import LINE, MALFORMED, UNDECODABLE
from engine.settings import Settings

SHARE = 0.99  # of a file's first rows that fail alike when the map is at fault
IDS = ("customer_id", "item_id", "order_id")
LACKING = "write under `columns` which column holds it"
REMEDIES: Mapping[str, str] = {
    "unreadable_instant": 'write how it is written, for example `instant_format: "%d.%m.%Y %H:%M"`',
    "instant_in_future": "map another column, or write `instant_format`",
    "instant_too_old": "map another column, or write `instant_format`",
    "unreadable_number": 'map another column, or write its marks, for example `decimal: ","`',
    "ambiguous_number": 'write which mark is the decimal one, for example `decimal: ","`',
    "ambiguous_date": "write `date_order: day` or `date_order: month`",
    "rounded_id": "export the column as text; nothing to write",
    "unknown_status": "translate its words under `values`",
    "unknown_word": "translate its words under `values`",
    "bad_timezone": "map another column, or write `timezone`",
    "bad_currency": "map another column, or write `currency`",
    MALFORMED: "write `separator` or `header_row`",
    UNDECODABLE: "write `encoding`",
    **dict.fromkeys(
        ("missing_customer_id", "missing_ordered_at", "missing_order_id", "missing_item_id", "missing_id"), LACKING
    ),
}
Codes = Callable[[MappedFile], pl.Series]


@dataclass(frozen=True, slots=True)
class SharedFault:
    """What nearly all of a file's first rows are refused for; `refused` are those rows (`_row` and `_code`).

    `code` is the reason, `n` how many rows share it, `broken` the rows among the first that have no cells, and `advice`
    names the column, a value of it and what to write in the map.
    """

    code: str
    n: int
    refused: pl.DataFrame
    broken: pl.DataFrame
    advice: str


def shared_fault(
    opened: OpenedFile, kind: ImportKind, mapping: ImportMap, settings: Settings, now: datetime
) -> SharedFault | None:
    """Return the fault that the first thousand rows of a file share; None where they do not, or are fewer."""
    if opened.height + opened.broken.height < FIRST:
        return None

    def codes_of(file: MappedFile) -> pl.Series:
        if kind == "orders":
            grain = grain_of(file, mapping, orders_elsewhere=True)
            return read_rows(file, 0, grain, mapping, settings, now, [])["_code"]
        return table_rows._read_rows(kind, file, 0, mapping, settings, now)[0]["_code"]

    head = opened.first
    try:
        fault = _fault(head, opened.broken, codes_of(head))
        if fault is None or opened.height <= FIRST or fault[0] in {MALFORMED, UNDECODABLE}:
            found = fault
        else:
            # What a column means may only be seen from all of it.
            whole = opened.load()
            grain = grain_of(whole, mapping, orders_elsewhere=True) if kind == "orders" else 0
            _, piece = next(in_slices(whole, grain, orders.AT_ONCE, now))
            found = _fault(head, opened.broken, codes_of(piece).head(head.height))
    except InputError:
        return None  # the import itself asks what it needs to know
    if found is None:
        return None
    code, n, first = found
    advice = _advice(code, head, first.filter(pl.col("_row").is_not_null()), codes_of, kind)
    return SharedFault(
        code,
        n,
        first.filter(pl.col("_row").is_not_null() & pl.col("_number").is_not_null()).select("_row", _code="_number"),
        opened.broken.join(first.select(LINE), on=LINE, how="semi"),
        advice,
    )


def _fault(head: MappedFile, broken: pl.DataFrame, codes: pl.Series) -> tuple[str, int, pl.DataFrame] | None:
    """Return the reason that nearly all of the first rows share, how many do, and the first rows."""
    number = codes.cast(pl.Int64)
    words = number.replace_strict(range(len(fields.CODES)), fields.CODES, return_dtype=pl.String)
    rows = pl.DataFrame({LINE: head.source.rows[LINE], "_number": codes, "code": words}).with_row_index("_row")
    first = pl.concat([rows, broken.head(FIRST).select(LINE, "code")], how="diagonal").sort(LINE).head(FIRST)
    counts = first["code"].drop_nulls().value_counts(sort=True)
    if not counts.height or counts["count"][0] < SHARE * first.height:
        return None
    return counts["code"][0], counts["count"][0], first


def _advice(code: str, head: MappedFile, first: pl.DataFrame, codes_of: Codes, kind: ImportKind) -> str:
    remedy = REMEDIES.get(code, "look at which column `columns` names for it")
    ours = _column_at_fault(code, head, codes_of, kind)
    if ours is None:
        return f"{remedy} in the map"
    their = head.taken.get(ours)
    if their is None:
        return f"no column is mapped to {ours}; {remedy} in the map"
    at = first.filter(pl.col("code") == code)["_row"].head(1).to_list()
    value = str(head.cells[ours][at[0]])[:60] if at and head.cells[ours][at[0]] is not None else ""
    return f"column {their!r} (our {ours}) holds {value!r}; {remedy} in the map"


def _column_at_fault(code: str, head: MappedFile, codes_of: Codes, kind: ImportKind) -> str | None:
    """Return our name of the column that gets the rows refused for `code`; None where it is no single one."""
    lacking = TABLE_KEYS[kind] if code == "missing_id" and kind != "orders" else code.removeprefix("missing_")
    if code.startswith("missing_") and (lacking in head.cells or lacking in {*IDS, "ordered_at"}):
        return lacking
    number = fields.CODES.index(code) if code in fields.CODES else None
    if number is None:
        return None
    before = int((codes_of(head) == number).sum())
    # Without an instant every row is refused, whatever else is wrong with it: that column is looked at last.
    for name in sorted(head.cells, key=lambda name: name == "ordered_at"):
        if name in IDS:
            if code == "bad_id" and fields.bad_identifier(fields.identifier(head.cells[name])).any():
                return name
            continue
        emptied = replace(head, cells={**head.cells, name: head.cells[name].clear(head.height)})
        if int((codes_of(emptied) == number).sum()) * 2 < before:
            return name
    return None
