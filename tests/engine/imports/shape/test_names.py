"""Names of columns: padding off, line ends one space, doubled ones numbered and never guessed between."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.errors import BadColumns
from engine.history.opening import open_history
from engine.imports.intake import ImportSummary, import_files
from engine.imports.mapping import parse_map
from engine.imports.shape.names import header_names
from engine.settings import Settings

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def load(settings: Settings, folder: Path, text: str, columns: dict[str, str]) -> ImportSummary:
    path = folder / "orders.csv"
    path.write_text(text, encoding="utf-8")
    mapping = parse_map({"columns": columns}, "orders", where="map")
    return import_files(settings, "orders", [path], mapping, now=NOW)


def test_names_lose_padding_line_ends_and_invisible_signs() -> None:
    names, doubled, notes = header_names([" Amount ", "Order\ndate", "\ufeffid\u200b", "", "a\xa0b"])
    assert names == ["Amount", "Order date", "id", "column_4", "a b"]
    assert (doubled, notes) == ({}, ())


def test_doubled_names_are_numbered_and_said() -> None:
    names, doubled, (note,) = header_names(["Amount", "Amount (2)", "Amount ", "Amount"])
    assert names == ["Amount", "Amount (2)", "Amount (3)", "Amount (4)"]
    assert doubled == {"Amount": ("Amount", "Amount (3)", "Amount (4)")}
    assert "'Amount' 3 times" in note


COLUMNS = {"customer_id": "who", "ordered_at": "when", "order_amount": " Amount "}
HEAD = "who,when,Amount, Amount \n"


def test_a_doubled_column_whose_cells_agree_is_read(settings: Settings, tmp_path: Path) -> None:
    summary = load(settings, tmp_path, HEAD + "anna,2026-03-01,5,5\nben,2026-03-01,6,\n", COLUMNS)
    assert sorted(open_history(settings).orders().collect()["order_cents"]) == [500, 600]
    assert any("'Amount' 2 times" in warning for warning in summary.warnings)


def test_a_doubled_column_whose_cells_differ_is_asked_about(settings: Settings, tmp_path: Path) -> None:
    text = HEAD + "anna,2026-03-01,5,7\n"
    with pytest.raises(BadColumns, match=r"'Amount \(1\)' or 'Amount \(2\)'"):
        load(settings, tmp_path, text, COLUMNS)
    load(settings, tmp_path, text, {**COLUMNS, "order_amount": "Amount (2)", "discount": "Amount (1)"})
    order = open_history(settings).orders().collect()
    assert order.select("order_cents", "discount_cents").rows() == [(700, 500)]


def test_a_doubled_column_that_nothing_uses_is_no_matter(settings: Settings, tmp_path: Path) -> None:
    text = "who,when,note,note\nanna,2026-03-01,a,b\n"
    assert load(settings, tmp_path, text, {"customer_id": "who", "ordered_at": "when"}).accepted == 1
