"""Case 03: semicolons, a comma in a header's name, `sep=;` first, decimal commas (WooCommerce, German)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.history.opening import open_history
from engine.imports.intake import import_files
from engine.imports.mapping import CLAUSES, parse_map
from engine.imports.shape.read import read_source
from engine.imports.shape.source import LINE
from engine.settings import Settings

HEAD = "Bestellnummer;Bestellstatus;Bestelldatum;Kunde;Artikel;Menge;Einzelpreis;{};Rabatt\n"
ROWS = """\
5001;Abgeschlossen;2026-03-01 12:30;k-17;Pad Thai;2;12,50;27,90;2,00
5001;Abgeschlossen;2026-03-01 12:30;k-17;Eistee;1;4,90;27,90;2,00
5002;Abgeschlossen;2026-03-02 18:05;k-18;Buffet;1;1.250,00;1.250,00;0,00
5003;Storniert;2026-03-03 09:00;k-17;Pad Thai;1;12,50;12,50;0,00
"""
FILES = {
    "orders": HEAD.format('"Summe, brutto"') + ROWS,
    "orders-plain-header": HEAD.format("Summe") + ROWS,
    "orders-excel-sep": "sep=;\n" + HEAD.format("Summe") + ROWS,
    "orders-report": "Bestellungen, März 2026\n\n"
    + HEAD.format("Summe")
    + ROWS
    + "\nGesamt;;;;;;;1.290,40;2,00\nAnzahl: 3\n",
}


@pytest.mark.parametrize("name", FILES)
def test_the_semicolon_separates_whatever_holds_commas(tmp_path: Path, name: str) -> None:
    (tmp_path / "orders.csv").write_text(FILES[name], encoding="utf-8")
    source = read_source(tmp_path / "orders.csv")
    total = "Summe, brutto" if name == "orders" else "Summe"
    assert source.columns == HEAD.strip().format(total).split(";")
    assert source.rows[total].to_list() == ["27,90", "27,90", "1.250,00", "12,50"]
    first = FILES[name].split("\n").index(ROWS.split("\n", maxsplit=1)[0]) + 1
    assert source.rows[LINE].to_list() == [first, first + 1, first + 2, first + 3]
    assert source.broken.height == 0


@pytest.mark.skipif("decimal" not in CLAUSES, reason="the map has no clause for decimal commas yet")
@pytest.mark.parametrize("name", FILES)
def test_its_orders_have_their_amounts(settings: Settings, tmp_path: Path, name: str) -> None:
    (tmp_path / "orders.csv").write_text(FILES[name], encoding="utf-8")
    document = {
        "columns": {
            "order_id": "Bestellnummer",
            "customer_id": "Kunde",
            "ordered_at": "Bestelldatum",
            "item_id": "Artikel",
            "quantity": "Menge",
            "unit_price": "Einzelpreis",
            "order_amount": "Summe, brutto" if name == "orders" else "Summe",
            "discount": "Rabatt",
            "status": "Bestellstatus",
        },
        "values": {"status": {"Abgeschlossen": "delivered", "Storniert": "cancelled"}},
        "timezone": "Europe/Berlin",
        "currency": "EUR",
        "decimal": ",",
        "thousands": ".",
    }
    now = datetime(2026, 4, 1, tzinfo=UTC)
    import_files(settings, "orders", [tmp_path / "orders.csv"], parse_map(document, "orders", where="map"), now=now)
    history = open_history(settings)
    orders = history.orders().collect().sort("order_id")
    assert orders.select("order_cents", "discount_cents", "status").rows() == [
        (2790, 200, "delivered"),
        (125_000, 0, "delivered"),
        (1250, 0, "cancelled"),
    ]
    lines = history.lines().collect().sort("order_id", "item_id")
    assert lines["line_cents"].to_list() == [490, 2500, 125_000, 1250]
