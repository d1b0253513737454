"""Files in the shapes shops really export: each case once went wrong, with relatives of its kind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
import yaml

from engine.customers.figures import customer_figures
from engine.errors import BadDefinition, BadFile
from engine.history.opening import open_history
from engine.history.tables import read_table
from engine.imports.intake import ImportSummary, import_files
from engine.imports.mapping import ImportKind, ImportMap, parse_map
from engine.settings import Settings

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def load(
    settings: Settings, text: str, *, clauses: str = "", kind: ImportKind = "orders", name: str = "in.csv"
) -> ImportSummary:
    file = settings.home.parent / name
    file.write_text(text, encoding="utf-8")
    mapping = parse_map(yaml.safe_load(clauses), kind, where="map") if clauses else ImportMap()
    return import_files(settings, kind, [file], mapping, now=NOW)


def orders(settings: Settings) -> dict[str, dict[str, Any]]:
    return {row["order_id"]: row for row in open_history(settings).orders().collect().to_dicts()}


def reasons(summary: ImportSummary) -> list[str]:
    return [row["_reason"] for path in summary.quarantine_files for row in pl.read_ndjson(path).to_dicts()]


VND = "currency: VND\ntimezone: Asia/Ho_Chi_Minh"


def test_case_05_points_that_group_thousands_are_never_a_decimal_without_a_word(settings: Settings) -> None:
    head = "order_id,customer_id,ordered_at,item_id,unit_price,order_amount\n"
    told = load(
        settings, head + "1,k,2026-03-01,pho,45.000,45.000\n2,k,2026-03-02,set,1.250.000,1.250.000\n", clauses=VND
    )
    assert {each["order_cents"] for each in orders(settings).values()} == {45_000, 1_250_000}
    assert any("order_amount: read like 1.250,00 as 1250.00" in text for text in told.warnings)


def test_case_05_what_nothing_tells_is_refused_with_column_and_value(settings: Settings) -> None:
    text = "order_id,customer_id,ordered_at,order_amount\n1,k,2026-03-01,45.000\n2,k,2026-03-02,500\n"
    found = load(settings, text, clauses=VND)
    assert found.reasons == {"ambiguous_number": 1}
    assert reasons(found)[0].endswith('write `decimal` or `thousands` in the map (order_amount: "45.000")')
    assert load(settings, text, clauses=VND + '\nthousands: "."').accepted == 1
    assert orders(settings)["1"]["order_cents"] == 45_000


def test_case_05_items_offers_and_quantities_ask_too(settings: Settings) -> None:
    with pytest.raises(BadFile, match="ambiguous_number"):
        load(settings, "item_id,price\npho,45.000\n", kind="items", clauses="currency: VND")
    text = "offer_id,kind,amount,min_spend,currency\nv,amount,20.000,100.000,VND\n"
    with pytest.raises(BadFile, match="ambiguous_number"):
        load(settings, text, kind="offers", name="o.csv")
    found = load(settings, "customer_id,ordered_at,item_id,quantity\nk,2026-03-01,tea,1.000\nj,2026-03-01,tea,1\n")
    assert found.reasons == {"ambiguous_number": 1}
    load(settings, "item_id,price\npho,45.000\nset,1.250.000\n", kind="items", clauses="currency: VND")
    assert read_table(settings, "items").sort("item_id")["price_cents"].to_list() == [45_000, 1_250_000]


def test_case_03_decimal_commas_are_told_by_the_column(settings: Settings) -> None:
    text = (
        "Nr,Wann,Wer,Was,Menge,Preis,Summe,Rabatt\n"
        '5001,2026-03-01 12:30,k,Pad Thai,2,"12,50","27,90","2,00"\n'
        '5001,2026-03-01 12:30,k,Tee,1,"4,90","27,90","2,00"\n'
        '5002,2026-03-02 18:05,j,Buffet,1,"1.250,00","1.250,00","0,00"\n'
    )
    columns = "{order_id: Nr, ordered_at: Wann, customer_id: Wer, item_id: Was, quantity: Menge, unit_price: Preis,"
    load(settings, text, clauses=f"columns: {columns} order_amount: Summe, discount: Rabatt}}\ncurrency: EUR")
    found = orders(settings)
    assert (found["5001"]["order_cents"], found["5001"]["discount_cents"]) == (2790, 200)
    assert found["5002"]["order_cents"] == 125_000
    lines = open_history(settings).lines().collect().sort("item_id")
    assert lines["line_cents"].to_list() == [125_000, 2500, 490]


SQUARE = (
    "columns: {order_id: Tx, customer_id: Who, ordered_at: [Date, Time], timezone: Zone, item_id: Item,\n"
    "  quantity: Qty, line_amount: Gross, line_discount: Less}\ncurrency: USD\ndate_order: month"
)


def test_case_02_date_and_time_in_two_columns_zones_of_rails_money_signs_and_refunds(settings: Settings) -> None:
    zone = "Eastern Time (US & Canada)"
    text = (
        "Date,Time,Zone,Item,Qty,Gross,Less,Tx,Who\n"
        f"03/01/26,12:30:45,{zone},Pad Thai,2.0,$30.00,-$3.00,t1,ann\n"
        f"03/01/26,12:30:45,{zone},Tea,1.0,$4.00,$0.00,t1,ann\n"
        f'03/02/26,18:05:10,{zone},Banquet,1.0,"$1,250.00",$0.00,t2,bob\n'
        f"03/03/26,09:00:00,{zone},Pad Thai,-1.0,-$15.00,$0.00,t3,ann\n"
    )
    found = load(settings, text, clauses=SQUARE)
    assert (found.accepted, found.reasons) == (4, {})
    made = orders(settings)
    assert made["t1"]["ordered_at"] == datetime(2026, 3, 1, 17, 30, 45, tzinfo=UTC)
    assert {name: row["order_cents"] for name, row in made.items()} == {"t1": 3100, "t2": 125_000, "t3": -1500}
    assert open_history(settings).lines().collect().height == 3
    figures = customer_figures(open_history(settings).orders(), read_table(settings, "customers"), as_of=NOW)
    assert figures.select("customer_id", "orders", "revenue_cents").rows() == [("ann", 1, 1600), ("bob", 1, 125_000)]


def test_case_09_credit_notes_take_money_back_and_are_no_orders(settings: Settings) -> None:
    text = (
        "order_id,customer_id,ordered_at,item_id,quantity,unit_price,order_amount\n"
        "1,a,2026-10-01 08:26,light,6,2.55,15.30\n2,a,2026-10-08 08:28,warmer,6,1.85,11.10\n"
        "C1,a,2026-10-09 09:41,light,-6,2.55,-15.30\n3,b,2026-10-02 08:34,warmer,6,1.85,11.10\n"
    )
    assert load(settings, text).reasons == {}
    assert load(settings, text).duplicates == 4
    figures = customer_figures(open_history(settings).orders(), read_table(settings, "customers"), as_of=NOW)
    assert figures.select("customer_id", "orders", "revenue_cents").rows() == [("a", 2, 1110), ("b", 1, 1110)]
    assert figures["last_order_at"][0] == datetime(2026, 10, 8, 8, 28, tzinfo=UTC)
    assert set(open_history(settings).lines().collect()["order_id"]) == {"1", "2", "3"}


def test_case_09_a_line_taken_back_within_its_order_lowers_the_order(settings: Settings) -> None:
    text = (
        "order_id,customer_id,ordered_at,item_id,quantity,unit_price\n"
        "1,a,2026-10-01 08:26,light,3,2.00\n1,a,2026-10-01 08:26,tea,1,1.50\n1,a,2026-10-04 10:00,light,-1,2.00\n"
    )
    assert load(settings, text).reasons == {}
    assert orders(settings)["1"]["order_cents"] == 550
    assert open_history(settings).lines().collect()["quantity"].to_list() == [3.0, 1.0]


def test_case_01_a_refunded_amount_is_taken_off_and_one_address_is_one_customer(settings: Settings) -> None:
    text = (
        "Name,Email,At,Total,Refunded\n"
        "#3,ann@example.com,2026-03-01,54.44,15.00\n#4,Ann@Example.com,2026-03-02,10.00,0.00\n"
    )
    columns = "{order_id: Name, customer_id: Email, ordered_at: At, order_amount: Total, refunded_amount: Refunded}"
    load(settings, text, clauses=f"columns: {columns}\nfold_case: [customer_id]")
    assert [row["order_cents"] for row in orders(settings).values()] == [3944, 1000]
    assert {row["customer_id"] for row in orders(settings).values()} == {"ann@example.com"}


@pytest.mark.parametrize("word", ["NULL", "\\N", "nan", "None", "-", "#N/A", "n/a", "(null)", "无", " - "])
def test_words_for_nothing_are_nothing(settings: Settings, word: str) -> None:
    found = load(
        settings, f"customer_id,ordered_at,zone,order_amount\na,2026-03-01,{word},{word}\n{word},2026-03-01,z,5\n"
    )
    assert found.reasons == {"missing_customer_id": 1}
    (row,) = orders(settings).values()
    assert (row["zone"], row["order_cents"]) == (None, None)


def test_a_map_may_say_which_words_are_nothing(settings: Settings) -> None:
    load(settings, "customer_id,ordered_at,zone\na,2026-03-01,None\nb,2026-03-01,leer\n", clauses="empty: [leer]")
    assert {row["customer_id"]: row["zone"] for row in orders(settings).values()} == {"a": "None", "b": None}


def test_none_in_a_list_of_allergens_says_that_there_are_none(settings: Settings) -> None:
    load(settings, "item_id,allergens\nsoup,none\n", kind="items")
    assert read_table(settings, "items")["allergens"].to_list() == ["none"]


@pytest.mark.parametrize("spelling", ["\u200bc1", "ｃ１", "'c1", '"=""c1"""', "c1\ufeff", " c1 "])
def test_spellings_of_spreadsheets_are_the_plain_id(settings: Settings, spelling: str) -> None:
    load(settings, f"customer_id,ordered_at\n{spelling},2026-03-01\n")
    assert {row["customer_id"] for row in orders(settings).values()} == {"c1"}


def test_an_id_a_spreadsheet_rounded_is_refused_with_the_reason(settings: Settings) -> None:
    found = load(settings, "customer_id,ordered_at\n1.23457E+11,2026-03-01\na,2026-03-01\n")
    assert found.reasons == {"rounded_id": 1}
    assert reasons(found)[0] == (
        'rounded_id: a spreadsheet rounded the id; export the column as text (customer_id: "1.23457E+11")'
    )


@pytest.mark.parametrize(("choice", "left"), [("[Sale, Refund]", 1), ("{not: [Void]}", 1), ("Sale", 2)])
def test_a_map_chooses_rows_and_says_how_many_it_left_out(settings: Settings, choice: str, left: int) -> None:
    text = (
        "customer_id,ordered_at,order_amount,Type\na,2026-03-01,5,Sale\nb,2026-03-01,-5,Refund\nc,2026-03-01,5,Void\n"
    )
    found = load(settings, text, clauses=f"where: {{Type: {choice}}}")
    assert (found.read, found.accepted, found.left_out) == (3 - left, 3 - left, left)


def test_an_unset_clock_is_refused(settings: Settings) -> None:
    found = load(settings, "customer_id,ordered_at\na,1970-01-01 00:00\nb,2026-03-01\n")
    assert found.reasons == {"instant_too_old": 1}


@pytest.mark.parametrize(
    ("clauses", "why"),
    [
        ("decimal: x", "neither a point"),
        ('{decimal: ".", thousands: "."}', "is the thousands mark too"),
        ("date_order: week", "neither day nor month"),
        ("where: {Type: {only: [a]}}", "expected a value"),
        ("fold_case: [nobody]", "no column of orders"),
    ],
)
def test_a_wrong_clause_says_what_to_write(clauses: str, why: str) -> None:
    with pytest.raises(BadDefinition, match=why):
        parse_map(yaml.safe_load(clauses), "orders", where="map")


def test_a_number_of_json_is_no_question_and_its_text_is(settings: Settings) -> None:
    lines = '{"customer_id": "a", "ordered_at": "2026-03-01", "order_amount": 45.125}\n'
    found = load(settings, lines + lines.replace("45.125", '"45.125"').replace('"a"', '"b"'), name="in.ndjson")
    assert found.reasons == {}  # the number itself tells that points are decimal marks
    assert [row["order_cents"] for row in orders(settings).values()] == [4513, 4513]
