"""The law of an import: every row is accounted for, twice is once, and a slow plain reader agrees."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadColumns, BadFile
from engine.history.opening import open_history
from engine.imports import opened, orders
from engine.imports.intake import import_files
from engine.settings import Settings

NOW = datetime(2024, 6, 1, tzinfo=UTC)
COLUMNS = ["order_id", "customer_id", "ordered_at", "item_id", "quantity", "unit_price", "status"]
Row = tuple[str, ...]

ROW = st.tuples(
    st.sampled_from(["1", "2", "3", "4.0", ""]),
    st.sampled_from(["anna", "ben", "7", "7.0", " ", ""]),
    st.sampled_from(["2024-05-01", "2024-05-01 00:00", "2024-05-02T08:30", "2024-03-09", "2024-07-01", "soon", ""]),
    st.sampled_from(["soup", "rice", "x" * 201, ""]),
    st.sampled_from(["1", "2.0", "0.5", "0", "many", ""]),
    st.sampled_from(["1", "2.35", "0.005", "-1", "1,5", "inf", ""]),
    st.sampled_from(["delivered", "Refunded", "lost", ""]),
)
MALFORMED = st.lists(st.just("x"), min_size=1, max_size=9).filter(lambda cells: len(cells) != len(COLUMNS)).map(tuple)
FILE = st.lists(ROW | MALFORMED, min_size=1, max_size=12)


def same_order(one: str, other: str) -> bool:
    return one.strip() != "" and one.removesuffix(".0") == other.removesuffix(".0")


@dataclass
class PlainReader:
    """Reads rows one by one, as a careful person with a pencil would."""

    owners: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    lines: dict[tuple[str, str, int], tuple[float, int | None]] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
    refused: int = 0

    def read(self, rows: list[Row]) -> None:
        """Read a file; who ordered, and when, may be written on an order's first row only."""
        for row in rows:
            cells = [cell.strip() for cell in row]
            if len(cells) != len(COLUMNS):
                self.refused += 1
                continue
            for at in (1, 2):
                said = [
                    r[at].strip()
                    for r in rows
                    if len(r) == len(COLUMNS) and same_order(r[0], cells[0]) and r[at].strip()
                ]
                cells[at] = cells[at] or (said[0] if said else "")
            if not self.take(*cells):
                self.refused += 1

    def take(self, order: str, customer: str, at: str, item: str, quantity: str, price: str, status: str) -> bool:
        order, customer = order.removesuffix(".0"), customer.removesuffix(".0")
        if not customer or not item or len(item) > 200 or status.lower() not in {"delivered", "refunded", ""}:
            return False
        try:
            instant = datetime.fromisoformat(at).replace(tzinfo=UTC)
            portions = Decimal(quantity or "1")
            each = Decimal(price.replace(",", ".")) if price else None
        except (ValueError, InvalidOperation):
            return False
        if instant > NOW or portions <= 0 or (each is not None and (each < 0 or not each.is_finite())):
            return False
        order = order or f"{customer}@{instant:%Y%m%dT%H%M%SZ}"
        if self.owners.setdefault(order, (customer, instant)) != (customer, instant):
            return False
        number = sum(1 for key in self.lines if key[:2] == (order, item))
        cents = None if each is None else int((each * portions * 100).quantize(Decimal(1), ROUND_HALF_UP))
        self.lines[order, item, number] = (float(portions), cents)
        if status:
            self.statuses[order] = status.lower()
        return True

    def cents(self, order: str) -> int | None:
        of_lines = [cents for key, (_, cents) in self.lines.items() if key[0] == order]
        return None if None in of_lines else sum(cents for cents in of_lines if cents is not None)


@pytest.fixture(params=["at once", "in parts"], scope="module")
def size(request: pytest.FixtureRequest) -> Iterator[str]:
    """Say whether the rows are taken at once, or put aside and taken in parts of three."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "in parts":
            patch.setattr(orders, "AT_ONCE", 3)
            patch.setattr(opened, "KEPT", 0)
        yield request.param


@settings(max_examples=60, deadline=None)
@given(rows=FILE)
def test_every_row_is_accounted_for_and_twice_is_once(
    tmp_path_factory: pytest.TempPathFactory, size: str, rows: list[Row]
) -> None:
    folder = tmp_path_factory.mktemp("law")
    home = Settings.from_environment({}, home=folder / "home")
    path = write(folder, rows)
    plain = PlainReader()
    plain.read(rows)
    if not plain.lines:
        with pytest.raises(BadFile, match=f"none of {len(rows)} rows"):
            import_files(home, "orders", [path], None, now=NOW)
        return
    summary = import_files(home, "orders", [path], None, now=NOW)
    assert (summary.read, summary.quarantined) == (len(rows), plain.refused)
    assert summary.read == summary.accepted + summary.quarantined + summary.duplicates
    history = open_history(home)
    lines = history.lines().select("order_id", "item_id", "line_no", "quantity", "line_cents").collect()
    assert {(order, item, n): (quantity, cents) for order, item, n, quantity, cents in lines.iter_rows()} == plain.lines
    placed = history.orders().select("order_id", "customer_id", "ordered_at", "status", "order_cents").collect()
    assert {order: (customer, at) for order, customer, at, _, _ in placed.iter_rows()} == plain.owners
    for order, _, _, status, cents in placed.iter_rows():
        assert status == plain.statuses.get(order, "delivered")
        assert cents == plain.cents(order)
    before = history.fingerprint()
    again = import_files(home, "orders", [path, path], None, now=NOW)
    assert (again.accepted, again.duplicates) == (0, 2 * summary.accepted)
    assert history.fingerprint() == before


HEAD = st.tuples(*(ROW.map(lambda row, at=at: row[at]) for at in (0, 1, 2, 6)))  # type: ignore[misc]
LINE = st.tuples(*(ROW.map(lambda row, at=at: row[at]) for at in (0, 3, 4, 5)))  # type: ignore[misc]


@settings(max_examples=60, deadline=None)
@given(
    heads=st.lists(HEAD, min_size=1, max_size=9),
    lines=st.lists(LINE, min_size=1, max_size=9),
    more=st.lists(LINE, max_size=4),
)
def test_taken_in_parts_files_say_what_they_say_at_once(
    tmp_path_factory: pytest.TempPathFactory, heads: list[Row], lines: list[Row], more: list[Row]
) -> None:
    found = []
    for most in (1_000, 4):
        folder = tmp_path_factory.mktemp("parts")
        home = Settings.from_environment({}, home=folder / "home")
        files = [
            write(folder, lines, "lines.csv", ["order_id", "item_id", "quantity", "unit_price"]),
            write(folder, heads, "heads.csv", ["order_id", "customer_id", "ordered_at", "status"]),
        ]
        later = [write(folder, more or lines, "more.csv", ["order_id", "item_id", "quantity", "unit_price"])]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(orders, "AT_ONCE", most)
            patch.setattr(opened, "KEPT", most)
            said: list[object] = []
            for some in (files, later):
                try:
                    summary = import_files(home, "orders", some, None, now=NOW).as_dict()
                except (BadFile, BadColumns) as error:
                    said.append(type(error))
                else:
                    quarantined = [Path(name).read_text(encoding="utf-8") for name in summary["quarantine_files"]]  # type: ignore[attr-defined]
                    files_said = [{**part, "quarantine_file": None} for part in summary["files"]]  # type: ignore[attr-defined]
                    said.append({**summary, "quarantine_files": quarantined, "files": files_said})
        found.append([*said, open_history(home).fingerprint()])
        assert not list(home.home.glob(".import-*"))

    assert found[0] == found[1]


def write(folder: Path, rows: list[Row], name: str = "orders.csv", columns: list[str] = COLUMNS) -> Path:
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(columns)
        writer.writerows(rows)
    return path
