"""Which fields a clause may name, of what kind each is, and which comparisons a kind takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from engine.customers.columns import TABLE_COLUMNS, DType, KnownFrom, TableColumn

ValueKind = Literal["number", "money", "word", "words", "boolean", "instant", "date", "weekday", "daypart"]
FieldOrigin = KnownFrom | Literal["consent"]

ORDERED_OPERATORS = ("at_least", "above", "at_most", "below", "equals")
OPERATORS: Mapping[ValueKind, tuple[str, ...]] = {
    "number": (*ORDERED_OPERATORS, "in", "between"),
    "money": (*ORDERED_OPERATORS, "in", "between"),
    "instant": (*ORDERED_OPERATORS, "between", "within_days", "older_than_days", "in_next_days"),
    "date": (*ORDERED_OPERATORS, "between", "anniversary_within_days"),
    "word": ("equals", "in", "not_in"),
    "words": ("contains", "contains_any"),
    "boolean": ("equals",),
    "weekday": ("equals", "in", "not_in"),
    "daypart": ("equals", "in", "not_in"),
}
DAY_OPERATORS = ("within_days", "older_than_days", "in_next_days")
LIST_OPERATORS = ("in", "not_in", "contains_any")


@dataclass(frozen=True, slots=True)
class SegmentField:
    """One figure or attribute a clause may name.

    `column` holds it, `origin` is what it is known from; a `narrow` number is widened before it is compared.
    """

    column: str
    kind: ValueKind
    about: str
    origin: FieldOrigin
    narrow: bool = False


def _kind(column: str, dtype: DType) -> ValueKind | None:
    if dtype == pl.List(pl.String):
        return "words"
    if isinstance(dtype, pl.List):
        return None
    if column.endswith("_cents"):
        return "money"
    if dtype == pl.String:
        return "word"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype == pl.Date:
        return "date"
    return "instant" if isinstance(dtype, pl.Datetime) else "number"


def _own(column: str, kind: ValueKind, about: str) -> SegmentField:
    return SegmentField(column, kind, about, "registration")


OWN_FIELDS = {
    "gender": _own("gender", "word", "As given at registration."),
    "home_zone": _own("home_zone", "word", "Zone given at registration."),
    "push_reachable": _own("push_reachable", "boolean", "A push token is known; never unknown."),
    "sms_reachable": _own("sms_reachable", "boolean", "A phone number is known; never unknown."),
    "email_reachable": _own("email_reachable", "boolean", "An e-mail address is known; never unknown."),
    "consent": SegmentField(
        "consent", "boolean", "Latest answer on marketing by any channel, else the import's; unknown if none.",
        "consent",
    ),
}  # fmt: skip


class _SegmentFields(Mapping[str, SegmentField]):
    """Every field by name: those of the customer table's columns, and those only segments have.

    Made anew when a column has been declared since.
    """

    def __init__(self) -> None:
        self._found: dict[str, SegmentField] = {}
        self._columns = -1

    def _all(self) -> dict[str, SegmentField]:
        if self._columns != len(TABLE_COLUMNS):
            self._columns = len(TABLE_COLUMNS)
            self._found = {name: field for each in TABLE_COLUMNS for name, field in _field_of(each)} | OWN_FIELDS
        return self._found

    def __getitem__(self, name: str) -> SegmentField:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def _field_of(column: TableColumn) -> Iterator[tuple[str, SegmentField]]:
    """Yield the field of a column with its name; none for ids and lists of shares."""
    kind = _kind(column.name, column.dtype)
    if kind is None or column.name == "customer_id":
        return
    unit = ", ".join(column.values) or ("major units" if kind == "money" else column.unit)
    about = f"{column.about} [{unit}]"
    # A score of eight bits cannot be compared with 200.
    narrow = column.dtype == pl.Int8
    yield column.name.removesuffix("_cents"), SegmentField(column.name, kind, about, column.known_from, narrow)


SEGMENT_FIELDS: Mapping[str, SegmentField] = _SegmentFields()
