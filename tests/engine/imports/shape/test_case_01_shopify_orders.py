"""Case 01: cells of an order that stand on its first row only (Shopify's export of orders)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from engine.history.opening import open_history
from engine.imports.filled import with_order_cells
from engine.imports.intake import ImportSummary, import_files
from engine.imports.mapping import parse_map
from engine.settings import Settings

NOW = datetime(2026, 4, 1, tzinfo=UTC)
HEAD = (
    "Name,Email,Financial Status,Currency,Total,Discount Amount,Created at,Lineitem quantity,Lineitem name,"
    "Lineitem price,Notes,Source\n"
)
MAP = {
    "columns": {
        "order_id": "Name",
        "customer_id": "Email",
        "ordered_at": "Created at",
        "item_id": "Lineitem name",
        "quantity": "Lineitem quantity",
        "unit_price": "Lineitem price",
        "order_amount": "Total",
        "discount": "Discount Amount",
        "currency": "Currency",
        "status": "Financial Status",
        "channel": "Source",
    },
    "constants": {"channel": "app"},
    "values": {"status": {"paid": "delivered", "refunded": "refunded"}},
    "timezone": "America/New_York",
}


def load(settings: Settings, folder: Path, rows: str) -> ImportSummary:
    path = folder / "orders_export.csv"
    path.write_text(HEAD + rows, encoding="utf-8")
    return import_files(settings, "orders", [path], parse_map(MAP, "orders", where="map"), now=NOW)


FIRST = (
    '#1001,ann@example.com,paid,JPY,4355,500,2026-03-01 12:30:45 -0500,2,Pad thai,1500,"Ring twice,\nthen knock",web\n'
)


@pytest.mark.parametrize(
    "second",
    [
        "#1001,ann@example.com,,,,,2026-03-01 12:30:45 -0500,1,Iced tea,1000,,\n",
        "#1001,ann@example.com,,,,,,1,Iced tea,1000,,\n",
        "#1001,,,,,,,1,Iced tea,1000,,\n",
        "#1001, , ,,,, ,1,Iced tea,1000,,\n",
    ],
)
@pytest.mark.parametrize(
    "other", ["", "#1002,bob@example.com,refunded,JPY,3266,0,2026-03-02 18:00:00 -0500,1,Curry,2000,,pos\n"]
)
def test_lines_take_the_cells_of_their_orders_first_row(
    settings: Settings, tmp_path: Path, second: str, other: str
) -> None:
    """The home counts in dollars: a line that took the home's currency would make yen of them cents."""
    summary = load(settings, tmp_path, FIRST + other + second)
    assert (summary.quarantined, summary.lines) == (0, 3 if other else 2)
    history = open_history(settings)
    order = history.orders().collect().row(by_predicate=pl.col("order_id") == "#1001", named=True)
    assert (order["customer_id"], order["order_cents"], order["discount_cents"]) == ("ann@example.com", 4355, 500)
    assert (order["currency"], order["status"], order["channel"]) == ("JPY", "delivered", "web")
    assert order["ordered_at"] == datetime(2026, 3, 1, 17, 30, 45, tzinfo=UTC)
    lines = history.lines().filter(pl.col("order_id") == "#1001").collect().sort("item_id")
    assert lines.select("item_id", "line_cents").rows() == [("Iced tea", 1000), ("Pad thai", 3000)]


def test_an_order_whose_first_row_names_nobody_stays_without_a_customer(settings: Settings, tmp_path: Path) -> None:
    summary = load(settings, tmp_path, FIRST + "#1004,,paid,USD,10,0,2026-03-09 12:00:00 -0400,1,Iced tea,10,,pos\n")
    assert summary.reasons == {"missing_customer_id": 1}
    assert pl.read_ndjson(summary.quarantine_files[0])["_line"].to_list() == [4]


def test_cells_are_filled_within_an_order_and_amounts_are_not() -> None:
    cells = {
        "order_id": pl.Series(["1", "1", "2", "", "1.0"]),
        "customer_id": pl.Series(["", "anna", "", "", ""]),
        "item_id": pl.Series(["a"] * 5),
        "order_amount": pl.Series(["5", "", "", "", ""]),
        "zone": pl.Series(["", "north", "", "", ""]),
    }
    filled = with_order_cells(cells, {"order_amount"})
    assert filled["customer_id"].to_list() == ["anna", "anna", "", "", "anna"]
    assert filled["order_amount"].to_list() == ["5", "", "", "", ""]
    assert filled["zone"].to_list() == ["", "north", "", "", ""]
    assert with_order_cells(cells, {"zone"})["zone"].to_list() == ["north", "north", "", "", "north"]


def test_files_where_each_row_is_an_order_are_left_as_they_are() -> None:
    cells = {"order_id": pl.Series(["1", "1"]), "customer_id": pl.Series(["anna", ""])}
    assert with_order_cells(cells, set())["customer_id"].to_list() == ["anna", ""]
