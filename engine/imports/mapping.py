"""What a file's columns mean: the names of an import, and the YAML map from foreign ones."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from engine.errors import BadDefinition, MissingFile, did_you_mean
from engine.files.yaml import read_yaml
from engine.history.tables import TABLE_SCHEMAS
from engine.imports.instants import DateOrder
from engine.imports.numbers import Marks
from engine.imports.shape.source import ReadOptions
from engine.imports.zones import zone_named

ImportKind = Literal["orders", "customers", "items", "vendors", "offers"]
ORDER_MONEY = (
    "unit_price", "line_amount", "line_discount", "order_amount", "discount", "delivery_fee", "refunded_amount",
)  # fmt: skip
ORDER_NAMES = (
    "order_id", "customer_id", "ordered_at", "ordered_time", "basket_no", "item_id", "quantity", "vendor_id", "zone",
    "channel", "payment_method", "offer_id", "status", "rating", "latitude", "longitude", "currency", "timezone",
    *ORDER_MONEY,
)  # fmt: skip
# What canonical tables call a figure where the import's own name differs.
CENTS_ALIASES = {"order_cents": "order_amount", "line_cents": "line_amount"}
CLAUSES = (
    "columns", "constants", "values", "timezone", "currency", "money", "encoding", "instant_format", "joins",
    "decimal", "thousands", "date_order", "empty", "where", "fold_case", "separator", "header_row", "sheet",
)  # fmt: skip
SEPARATOR_WORDS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "\\t": "\t"}
ORDERS_OF_DATES: Mapping[str, DateOrder] = {"day": "day", "month": "month"}
# How YAML users spell a mark that is hard to see.
MARK_WORDS = {"point": ".", "dot": ".", "comma": ",", "none": "", "space": " ", "apostrophe": "'"}


@dataclass(frozen=True, slots=True)
class Join:
    """A look-up table among the files: those named like `file` bring columns to rows equal in `on`.

    `bring` None brings every column the rows do not have.
    """

    file: str
    on: tuple[str, ...]
    bring: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class RowChoice:
    """Which rows of a file count, by a cell of theirs: those with one of `values`, or with `inverted` all others."""

    values: tuple[str, ...]
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class ImportMap:
    """How to read foreign files; names are ours, columns are theirs, and None leaves the settings' default.

    `values` turns their words into ours before a column is read; `constants` fill what is missing or empty. `empty` are
    words that say nothing, None the usual ones; `where` names their columns; `fold_case` ours, read without case.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    timezone: str | None = None
    currency: str | None = None
    money_minor: bool = False
    encoding: str | None = None
    instant_format: str | None = None
    joins: tuple[Join, ...] = ()
    marks: Marks | None = None
    date_order: DateOrder | None = None
    empty: tuple[str, ...] | None = None
    where: Mapping[str, RowChoice] = field(default_factory=dict)
    fold_case: tuple[str, ...] = ()
    separator: str | None = None
    header_row: int | None = None
    sheet: str | None = None

    @property
    def read_options(self) -> ReadOptions:
        """How files of rows are read; look-up tables share the encoding only."""
        return ReadOptions(self.encoding, self.separator, self.header_row, self.sheet)


def names_of(kind: ImportKind) -> tuple[str, ...]:
    """Return every column name of an import of `kind`, `*_cents` ones included."""
    if kind == "orders":
        return (*ORDER_NAMES, *(f"{name}_cents" for name in ORDER_MONEY), *CENTS_ALIASES)
    cents = [name for name in TABLE_SCHEMAS[kind] if name.endswith("_cents")]
    return (*TABLE_SCHEMAS[kind], *(name.removesuffix("_cents") for name in cents))


def plain_name(kind: ImportKind, name: str) -> tuple[str, bool]:
    """Return the name without `_cents`, and whether it means minor units."""
    if kind == "orders" and name in CENTS_ALIASES:
        return CENTS_ALIASES[name], True
    return name.removesuffix("_cents"), name.endswith("_cents")


def read_map(path: Path, kind: ImportKind) -> ImportMap:
    """Read a map for files of `kind`.

    Raises MissingFile, or BadDefinition with the path of the wrong clause.
    """
    if not path.exists():
        raise MissingFile("no such map; check the path", where=str(path))
    document = read_yaml(path, words=True)
    return parse_map(document, kind, where=str(path))


def parse_map(document: object, kind: ImportKind, *, where: str) -> ImportMap:
    """Turn a parsed YAML document into a map; an empty one is the map without clauses.

    Raises BadDefinition with the path of the wrong clause.
    """
    clauses = _mapping(document or {}, where)
    for key in clauses:
        if key not in CLAUSES:
            raise BadDefinition(f"unknown clause {key!r}{did_you_mean(key, CLAUSES)}", where=where)
    columns = _texts(_split_instant(clauses.get("columns")), f"{where}: columns")
    constants = _texts(clauses.get("constants"), f"{where}: constants")
    values = {
        name: _texts(words, f"{where}: values.{name}")
        for name, words in _mapping(clauses.get("values") or {}, f"{where}: values").items()
    }
    for clause, names in (("columns", columns), ("constants", constants), ("values", values)):
        _check_names(names, kind, f"{where}: {clause}")
    money = _text(clauses.get("money", "major"), f"{where}: money")
    if money not in {"major", "minor"}:
        raise BadDefinition(f"{money!r} is neither major nor minor", where=f"{where}: money")
    return ImportMap(
        columns=columns,
        constants=constants,
        values=values,
        timezone=_zone(clauses.get("timezone"), f"{where}: timezone"),
        currency=_currency(clauses.get("currency"), f"{where}: currency"),
        money_minor=money == "minor",
        encoding=_encoding(clauses.get("encoding"), f"{where}: encoding"),
        instant_format=_optional_text(clauses.get("instant_format"), f"{where}: instant_format"),
        joins=_joins(clauses.get("joins"), f"{where}: joins"),
        marks=_marks(clauses, where),
        date_order=_date_order(clauses.get("date_order"), f"{where}: date_order"),
        empty=_words(clauses["empty"], f"{where}: empty") if "empty" in clauses else None,
        where=_choices(clauses.get("where"), f"{where}: where"),
        fold_case=_fold_case(clauses.get("fold_case"), kind, f"{where}: fold_case"),
        separator=_separator(clauses.get("separator"), f"{where}: separator"),
        header_row=_header_row(clauses.get("header_row"), f"{where}: header_row"),
        sheet=_optional_text(clauses.get("sheet"), f"{where}: sheet"),
    )


def is_currency(code: str) -> bool:
    """Say whether `code` looks like an ISO 4217 code."""
    return len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()


def _split_instant(columns: object) -> object:
    """Return the columns with `ordered_at: [Date, Time]` written as the two names it stands for."""
    if isinstance(columns, dict) and isinstance(pair := columns.get("ordered_at"), list) and len(pair) == 2:
        return columns | {"ordered_at": pair[0], "ordered_time": pair[1]}
    return columns


def _marks(clauses: Mapping[str, object], where: str) -> Marks | None:
    found: dict[str, str | None] = {}
    for name in ("decimal", "thousands"):
        word = _optional_text(clauses.get(name), f"{where}: {name}")
        sign = None if word is None else MARK_WORDS.get(word.lower(), word)
        if sign is not None and sign not in (".", ",", "", " ", "'"):
            raise BadDefinition(f"{word!r} is neither a point, a comma, a space nor none", where=f"{where}: {name}")
        found[name] = sign
    decimal, thousands = found["decimal"], found["thousands"]
    if decimal is None and thousands is None:
        return None
    if decimal is not None and decimal == thousands:
        raise BadDefinition("is the thousands mark too; keep one", where=f"{where}: decimal")
    if decimal is None:
        decimal = "." if thousands != "." else ","
    if thousands is None:
        thousands = "," if decimal == "." else "."
    # Spaces and apostrophes between groups are read with any marks.
    return Marks(decimal or None, thousands if thousands in (".", ",") else None)


def _date_order(value: object, where: str) -> DateOrder | None:
    word = _optional_text(value, where)
    if word is None:
        return None
    if word in ORDERS_OF_DATES:
        return ORDERS_OF_DATES[word]
    raise BadDefinition(f"{word!r} is neither day nor month: what comes first", where=where)


def _words(value: object, where: str) -> tuple[str, ...]:
    return _text_list(value, where) if value else ()


def _choices(value: object, where: str) -> dict[str, RowChoice]:
    found = {}
    for column, given in _mapping(value or {}, where).items():
        here = f"{where}.{column}"
        inverted = isinstance(given, dict)
        if isinstance(given, dict) and list(given) != ["not"]:
            raise BadDefinition("expected a value, a list of values, or {not: [values]}", where=here)
        values = given["not"] if isinstance(given, dict) else given
        found[column] = RowChoice(
            _text_list(str(values) if isinstance(values, int | float) else values, here), inverted
        )
    return found


def _fold_case(value: object, kind: ImportKind, where: str) -> tuple[str, ...]:
    names = _words(value, where)
    _check_names(names, kind, where)
    return names


def _check_names(names: Iterable[str], kind: ImportKind, where: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if name not in names_of(kind):
            raise BadDefinition(f"{name!r} is no column of {kind}{did_you_mean(name, names_of(kind))}", where=where)
        plain, _ = plain_name(kind, name)
        if plain in seen:
            raise BadDefinition(f"{seen[plain]!r} and {name!r} mean the same; keep one", where=where)
        seen[plain] = name


def _joins(value: object, where: str) -> tuple[Join, ...]:
    if value is None or value == "":
        return ()
    if not isinstance(value, list):
        raise BadDefinition("must be a list of {file, on, bring}", where=where)
    joins = []
    for i, entry in enumerate(value):
        here = f"{where}[{i}]"
        clauses = _mapping(entry, here)
        for key in clauses:
            if key not in {"file", "on", "bring"}:
                raise BadDefinition(f"unknown clause {key!r}{did_you_mean(key, ('file', 'on', 'bring'))}", where=here)
        for key in ("file", "on"):
            if key not in clauses:
                raise BadDefinition(f"{key!r} is missing; a join needs file and on", where=here)
        bring = clauses.get("bring")
        joins.append(
            Join(
                _text(clauses["file"], f"{here}.file"),
                _text_list(clauses["on"], f"{here}.on"),
                None if bring is None else _text_list(bring, f"{here}.bring"),
            )
        )
    return tuple(joins)


def _mapping(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise BadDefinition("must be a mapping of names to values", where=where)
    return {str(key): entry for key, entry in value.items()}


def _texts(value: object, where: str) -> dict[str, str]:
    return {key: _text(entry, f"{where}.{key}") for key, entry in _mapping(value or {}, where).items()}


def _text(value: object, where: str) -> str:
    if isinstance(value, str | int | float):
        return str(value)
    raise BadDefinition("must be text", where=where)


def _optional_text(value: object, where: str) -> str | None:
    return None if value is None or value == "" else _text(value, where)


def _text_list(value: object, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not value:
        raise BadDefinition("must be a list of column names", where=where)
    return tuple(_text(entry, where) for entry in value)


def _zone(value: object, where: str) -> str | None:
    name = _optional_text(value, where)
    if name is None:
        return None
    zone = zone_named(name)
    if zone is None:
        raise BadDefinition(f"{name!r} is not an IANA time zone such as Asia/Shanghai", where=where)
    return zone


def _currency(value: object, where: str) -> str | None:
    code = _optional_text(value, where)
    if code is not None and not is_currency(code.upper()):
        raise BadDefinition(f"{code!r} is not a three-letter currency code", where=where)
    return None if code is None else code.upper()


def _encoding(value: object, where: str) -> str | None:
    name = _optional_text(value, where)
    try:
        if name is not None:
            codecs.lookup(name)
            "x".encode(name)
    except (LookupError, ValueError) as error:
        raise BadDefinition(f"{name!r} is no text encoding; common are utf-8, gb18030, latin-1", where=where) from error
    return name


def _separator(value: object, where: str) -> str | None:
    name = _optional_text(value, where)
    sign = name if name is None else SEPARATOR_WORDS.get(name.lower(), name)
    if sign is not None and (len(sign) != 1 or not sign.isascii() or sign.isalnum() or sign in '"\r\n'):
        raise BadDefinition(f"{name!r} is not one sign such as ';' or the word tab", where=where)
    return sign


def _header_row(value: object, where: str) -> int | None:
    number = _optional_text(value, where)
    if number is not None and not (number.isdecimal() and int(number) > 0):
        raise BadDefinition(f"{number!r} is not the number of a line, from 1", where=where)
    return None if number is None else int(number)
