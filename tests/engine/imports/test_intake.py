"""Importing orders: what is accepted, what is a duplicate, what is refused and why."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.errors import BadColumns, BadFile
from engine.history.opening import open_history
from engine.imports.fields import REASONS
from engine.imports.intake import ImportSummary, import_files
from engine.imports.mapping import ImportMap, parse_map
from engine.settings import Settings

NOW = datetime(2024, 6, 1, 12, 0, tzinfo=UTC)


def write(folder: Path, text: str, name: str = "orders.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def load(settings: Settings, *files: Path, mapping: ImportMap | None = None) -> ImportSummary:
    summary = import_files(settings, "orders", files, mapping, now=NOW)
    assert summary.read == summary.accepted + summary.quarantined + summary.duplicates
    assert summary.updated <= summary.accepted
    assert sum(summary.reasons.values()) == summary.quarantined
    for part in summary.files:
        assert part.read == part.accepted + part.quarantined + part.duplicates
    return summary


def orders(settings: Settings) -> list[dict[str, Any]]:
    return open_history(settings).orders().collect().sort("order_id").to_dicts()


def lines(settings: Settings) -> list[dict[str, Any]]:
    return open_history(settings).lines().collect().sort("order_id", "item_id", "line_no").to_dicts()


def quarantined(summary: ImportSummary) -> list[dict[str, Any]]:
    return [json.loads(line) for path in summary.quarantine_files for line in Path(path).read_text().splitlines()]


HEAD = "order_id,customer_id,ordered_at,item_id,quantity,unit_price,status\n"
GOOD = "1,anna,2024-05-01 12:00,soup,2,4.50,delivered\n"


def test_lines_become_orders_with_the_sum_of_their_lines(settings: Settings, tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + GOOD + "1,anna,2024-05-01 12:00,rice,1,2,delivered\n")
    summary = load(settings, path)
    assert (summary.read, summary.accepted, summary.orders, summary.lines, summary.customers) == (2, 2, 1, 2, 1)
    (order,) = orders(settings)
    assert order["order_cents"] == 1100
    assert order["ordered_at"] == datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert [(line["item_id"], line["quantity"], line["line_cents"]) for line in lines(settings)] == [
        ("rice", 1.0, 200),
        ("soup", 2.0, 900),
    ]


def test_two_equal_lines_of_an_order_are_two_and_the_file_again_adds_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    path = write(tmp_path, HEAD + GOOD + GOOD)
    twice = load(settings, path, path)
    assert (twice.read, twice.accepted, twice.duplicates, twice.lines) == (4, 2, 2, 2)
    assert [(part.accepted, part.duplicates) for part in twice.files] == [(2, 0), (0, 2)]
    before = open_history(settings).fingerprint()
    again = load(settings, path)
    assert (again.accepted, again.duplicates) == (0, 2)
    assert open_history(settings).fingerprint() == before
    assert [line["line_no"] for line in lines(settings)] == [0, 1]


def test_orders_and_their_lines_may_come_in_two_files(settings: Settings, tmp_path: Path) -> None:
    heads = write(tmp_path, "order_id,customer_id,ordered_at,order_amount,zone\n1,anna,2024-05-01,12.5,north\n")
    dishes = write(tmp_path, "order_id,item_id\n1,soup\n1,rice\n9,tea\n", "lines.csv")
    summary = load(settings, heads, dishes)
    assert (summary.accepted, summary.reasons) == (3, {"line_without_order": 1})
    assert orders(settings)[0]["order_cents"] == 1250
    assert {line["customer_id"] for line in lines(settings)} == {"anna"}


def test_lines_may_come_later_than_their_orders_and_then_make_the_amount(settings: Settings, tmp_path: Path) -> None:
    heads = write(tmp_path, "order_id,customer_id,ordered_at,discount\n1,anna,2024-05-01,1\n2,ben,2024-05-02,0\n")
    load(settings, heads)
    first = write(tmp_path, "order_id,item_id,line_amount\n1,soup,5\n", "first.csv")
    second = write(tmp_path, "order_id,item_id,line_amount\n1,rice,3\n", "second.csv")
    load(settings, first)
    assert [order["order_cents"] for order in orders(settings)] == [400, None]
    load(settings, second)
    assert [order["order_cents"] for order in orders(settings)] == [700, None]
    assert load(settings, first).duplicates == 1
    assert [order["order_cents"] for order in orders(settings)] == [700, None]


def test_an_order_amount_repeated_on_each_line_counts_once(settings: Settings, tmp_path: Path) -> None:
    text = "order_id,customer_id,ordered_at,item_id,order_amount,discount\n"
    load(settings, write(tmp_path, text + "1,anna,2024-05-01,soup,9,2\n1,anna,2024-05-01,rice,9,2\n"))
    assert (orders(settings)[0]["order_cents"], orders(settings)[0]["discount_cents"]) == (900, 200)


def test_lines_that_disagree_on_the_order_amount_are_told(settings: Settings, tmp_path: Path) -> None:
    text = "order_id,customer_id,ordered_at,item_id,order_amount\n"
    summary = load(settings, write(tmp_path, text + "1,anna,2024-05-01,soup,9\n1,anna,2024-05-01,rice,8\n"))
    assert any("disagree on order_amount" in warning for warning in summary.warnings)


def test_orders_without_items_are_enough(settings: Settings, tmp_path: Path) -> None:
    path = write(tmp_path, "customer_id,ordered_at,order_amount\nanna,2024-05-01 10:00,5\nanna,2024-05-02 10:00,6\n")
    summary = load(settings, path)
    assert (summary.orders, summary.lines) == (2, 0)
    assert [order["order_id"] for order in orders(settings)] == ["anna@20240501T100000Z", "anna@20240502T100000Z"]
    assert load(settings, path).duplicates == 2


def test_a_repeated_order_row_is_a_duplicate(settings: Settings, tmp_path: Path) -> None:
    summary = load(settings, write(tmp_path, "order_id,customer_id,ordered_at\n1,anna,2024-05-01\n1,anna,2024-05-01\n"))
    assert (summary.accepted, summary.duplicates) == (1, 1)


def test_two_purchases_of_one_day_without_ids_are_two_and_lose_no_money(settings: Settings, tmp_path: Path) -> None:
    text = "customer_id,ordered_at,order_amount\nann,2024-01-01,10\n" + "ann,2024-01-01,5\n" * 2 + "bob,2024-01-01,3\n"
    path = write(tmp_path, text)
    assert load(settings, path).accepted == 4
    assert sorted(order["order_cents"] for order in orders(settings)) == [300, 500, 500, 1000]
    again = load(settings, path)
    assert (again.accepted, again.duplicates) == (0, 4)


def test_a_new_status_updates_the_order_and_its_absence_leaves_it(settings: Settings, tmp_path: Path) -> None:
    plain = write(tmp_path, "order_id,customer_id,ordered_at\n1,anna,2024-05-01\n2,ben,2024-05-02\n")
    load(settings, plain)
    refund = write(tmp_path, "order_id,customer_id,ordered_at,status\n1,anna,2024-05-01,Refunded\n", "refund.csv")
    summary = load(settings, refund)
    assert (summary.accepted, summary.updated) == (1, 1)
    assert load(settings, plain).duplicates == 2
    assert [order["status"] for order in orders(settings)] == ["refunded", "delivered"]


def test_basket_numbers_stand_for_instants(settings: Settings, tmp_path: Path) -> None:
    load(settings, write(tmp_path, "customer_id,basket_no,item_id\n7,0,soup\n7,3,soup\n"))
    first, second = orders(settings)
    assert (first["order_id"], first["basket_no"], first["ordered_at"]) == ("7#0", 0, datetime(2000, 1, 3, tzinfo=UTC))
    assert (second["order_id"], second["ordered_at"]) == ("7#3", datetime(2000, 1, 6, tzinfo=UTC))


@pytest.mark.parametrize(
    ("local", "zone", "utc"),
    [
        ("2024-05-01", "Asia/Kolkata", datetime(2024, 4, 30, 18, 30, tzinfo=UTC)),
        ("2024/05/01 08:00", "Asia/Shanghai", datetime(2024, 5, 1, 0, 0, tzinfo=UTC)),
        ("2024-05-01T08:00:00.5Z", "Asia/Shanghai", datetime(2024, 5, 1, 8, 0, 0, 500000, tzinfo=UTC)),
        ("2024-05-01T08:00:00+08:00", "UTC", datetime(2024, 5, 1, 0, 0, tzinfo=UTC)),
        ("2024-05-01 08:00 -0330", "UTC", datetime(2024, 5, 1, 11, 30, tzinfo=UTC)),
        ("1714550400", "Asia/Tokyo", datetime(2024, 5, 1, 8, tzinfo=UTC)),
        ("1714550400500", "Asia/Tokyo", datetime(2024, 5, 1, 8, 0, 0, 500000, tzinfo=UTC)),
        ("20240501", "UTC", datetime(2024, 5, 1, tzinfo=UTC)),
        # New York skipped 02:30 on 10 March 2024: it moves ahead to 03:30.
        ("2024-03-10 02:30", "America/New_York", datetime(2024, 3, 10, 7, 30, tzinfo=UTC)),
        # and 01:30 on 5 November 2023 came twice: the earlier one.
        ("2023-11-05 01:30", "America/New_York", datetime(2023, 11, 5, 5, 30, tzinfo=UTC)),
    ],
)
def test_instants_are_read_in_their_zone(
    settings: Settings, tmp_path: Path, local: str, zone: str, utc: datetime
) -> None:
    load(settings, write(tmp_path, f"customer_id,ordered_at\nanna,{local}\n"), mapping=ImportMap(timezone=zone))
    assert orders(settings)[0]["ordered_at"] == utc


def test_each_row_may_name_its_zone(settings: Settings, tmp_path: Path) -> None:
    text = "order_id,customer_id,ordered_at,timezone\n"
    text += "1,a,2024-05-01,Asia/Shanghai\n2,b,2024-05-01,\n3,c,2024-05-01,localtime\n"
    summary = load(settings, write(tmp_path, text), mapping=ImportMap(timezone="Europe/London"))
    assert summary.reasons == {"bad_timezone": 1}
    assert [order["ordered_at"] for order in orders(settings)] == [
        datetime(2024, 4, 30, 16, tzinfo=UTC),
        datetime(2024, 4, 30, 23, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    ("currency", "amount", "cents"),
    [("USD", "1.0050", 101), ("JPY", "1200", 1200), ("OMR", "1.234", 1234), ("INR", "709.8", 70980)],
)
def test_money_becomes_minor_units_of_its_currency(
    settings: Settings, tmp_path: Path, currency: str, amount: str, cents: int
) -> None:
    path = write(tmp_path, f"customer_id,ordered_at,order_amount\nanna,2024-05-01,{amount}\n")
    load(settings, path, mapping=ImportMap(currency=currency))
    assert (orders(settings)[0]["order_cents"], orders(settings)[0]["currency"]) == (cents, currency)


def test_columns_in_cents_are_minor_units_whatever_the_map_says(settings: Settings, tmp_path: Path) -> None:
    path = write(
        tmp_path, "customer_id,ordered_at,order_cents,discount_cents,delivery_fee\nanna,2024-05-01,1250,50,2\n"
    )
    load(settings, path)
    (order,) = orders(settings)
    assert (order["order_cents"], order["discount_cents"], order["delivery_fee_cents"]) == (1250, 50, 200)


REFUSED = {
    "missing_customer_id": "1,,2024-05-01,soup,1,1,delivered",
    "missing_ordered_at": "1,anna,,soup,1,1,delivered",
    "unreadable_instant": "1,anna,yesterday,soup,1,1,delivered",
    "unreadable_number": "1,anna,2024-05-01,soup,one,1,delivered",
    "non_positive_quantity": "1,anna,2024-05-01,soup,0,1,delivered",
    "negative_amount": "1,anna,2024-05-01,soup,1,-1,delivered",
    "amount_too_large": "1,anna,2024-05-01,soup,1,1000000000000000000,delivered",
    "unknown_status": "1,anna,2024-05-01,soup,1,1,lost",
    "instant_in_future": "1,anna,2024-06-03 12:00,soup,1,1,delivered",
    "instant_too_old": "1,anna,1970-01-01,soup,1,1,delivered",
    "ambiguous_number": "1,anna,2024-05-01,soup,1.000,1,delivered",
    "ambiguous_date": "1,anna,03/04/2024,soup,1,1,delivered",
    "rounded_id": "1,1.23457E+11,2024-05-01,soup,1,1,delivered",
    "missing_item_id": "1,anna,2024-05-01,,1,1,delivered",
    "bad_id": f"1,{'a' * 201},2024-05-01,soup,1,1,delivered",
    "malformed_row": "1,anna,2024-05-01,soup,1,1,delivered,surplus",
    "order_of_another_customer": "0,zoe,2024-05-01,soup,1,1,delivered",
    "order_of_another_instant": "0,ben,2024-05-02,soup,1,1,delivered",
}


@pytest.mark.parametrize("code", REFUSED)
def test_a_row_that_cannot_be_used_is_quarantined_with_reason_and_line(
    settings: Settings, tmp_path: Path, code: str
) -> None:
    fine = "0,ben,2024-05-01,rice,1,1,delivered\n"
    summary = load(settings, write(tmp_path, HEAD + fine + REFUSED[code] + "\n" + GOOD.replace("1,", "5,", 1)))
    assert (summary.accepted, summary.reasons) == (2, {code: 1})
    (row,) = quarantined(summary)
    assert str(row["_reason"]).startswith(f"{code}: ")
    assert (row["_file"], row["_line"]) == ("orders.csv", 3)
    if code != "malformed_row":
        assert [row[name] or "" for name in HEAD.strip().split(",")] == REFUSED[code].split(",")


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("latitude", "91", "position_out_of_range"),
        ("longitude", "-181", "position_out_of_range"),
        ("rating", "6", "rating_out_of_range"),
        ("rating", "0", "rating_out_of_range"),
        ("currency", "RUPEES", "bad_currency"),
        ("order_amount", "many", "unreadable_number"),
        ("vendor_id", "a\x07b", "bad_id"),
    ],
)
def test_a_cell_out_of_range_refuses_its_row(
    settings: Settings, tmp_path: Path, column: str, value: str, code: str
) -> None:
    text = f"customer_id,ordered_at,{column}\nanna,2024-05-01,{value}\nben,2024-05-01,\n"
    summary = load(settings, write(tmp_path, text))
    assert (summary.accepted, summary.reasons) == (1, {code: 1})


def test_an_order_of_the_history_keeps_its_customer(settings: Settings, tmp_path: Path) -> None:
    load(settings, write(tmp_path, "order_id,customer_id,ordered_at\n1,anna,2024-05-01\n"))
    other = write(tmp_path, "order_id,customer_id,ordered_at\n1,zoe,2024-05-01\n2,zoe,2024-05-01\n", "other.csv")
    summary = load(settings, other)
    assert summary.reasons == {"order_of_another_customer": 1}
    assert [order["customer_id"] for order in orders(settings)] == ["anna", "zoe"]


def test_when_every_row_is_refused_the_import_fails_after_writing_the_quarantine(
    settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(BadFile, match="none of 1 rows") as caught:
        load(settings, write(tmp_path, HEAD + REFUSED["unknown_status"] + "\n"))
    (path,) = settings.quarantine_folder.iterdir()
    assert str(path) in str(caught.value)
    assert open_history(settings).counts() == (0, 0)


def test_numeric_ids_become_text_without_a_fraction(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    pl.DataFrame(
        {"order_id": [4.0128e10, None], "customer_id": [17850.0, 3.0], "ordered_at": [datetime(2024, 5, 1)] * 2}  # noqa: DTZ001
    ).write_parquet(path)
    load(settings, path)
    assert [(o["order_id"], o["customer_id"]) for o in orders(settings)] == [
        ("3@20240501T000000Z", "3"),
        ("40128000000", "17850"),
    ]
    again = write(tmp_path, "order_id,customer_id,ordered_at\n40128000000.0,17850.0,2024-05-01\n")
    assert load(settings, again).duplicates == 1


def test_a_missing_column_is_named_with_what_is_near(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(BadColumns, match=r"'customer_id' is missing; nearest are customer"):
        load(settings, write(tmp_path, "customer,ordered_at\nanna,2024-05-01\n"))
    with pytest.raises(BadColumns, match="'ordered_at' or 'basket_no'"):
        load(settings, write(tmp_path, "customer_id,when\nanna,2024-05-01\n"))
    with pytest.raises(BadColumns, match=r"'who' \(our customer_id\)"):
        load(
            settings,
            write(tmp_path, "order_id,item_id,ordered_at\n1,soup,2024-05-01\n"),
            mapping=parse_map({"columns": {"customer_id": "who"}}, "orders", where="map"),
        )


def test_columns_nobody_maps_are_listed_and_mapped_ones_nobody_has_are_told(settings: Settings, tmp_path: Path) -> None:
    mapping = parse_map({"columns": {"zone": "area"}, "constants": {"channel": "app"}}, "orders", where="map")
    path = write(tmp_path, "customer_id,ordered_at,weather\nanna,2024-05-01,rain\n")
    summary = load(settings, path, mapping=mapping)
    assert summary.ignored_columns == ("weather",)
    assert any("'area'" in warning for warning in summary.warnings)
    assert (orders(settings)[0]["channel"], orders(settings)[0]["zone"]) == ("app", None)


def test_every_reason_is_in_the_guide() -> None:
    guide = (Path(__file__).resolve().parents[3] / "docs" / "guides" / "import" / "README.md").read_text("utf-8")
    for code, sentence in REASONS.items():
        assert f"| `{code}` | {sentence} |" in guide
