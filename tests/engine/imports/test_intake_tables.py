"""Importing customers, items, vendors and offers: cells, refusals, and nothing personal in clear on disk."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from engine.errors import BadColumns, BadFile
from engine.files.encryption import seal_of
from engine.history.tables import TableName, read_table
from engine.imports.intake import ImportSummary, import_files
from engine.imports.mapping import ImportKind
from engine.settings import Settings

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def load(settings: Settings, folder: Path, kind: ImportKind, text: str) -> ImportSummary:
    path = folder / f"{kind}.csv"
    path.write_text(text, encoding="utf-8")
    summary = import_files(settings, kind, [path], None, now=NOW)
    assert summary.read == summary.accepted + summary.quarantined + summary.duplicates
    return summary


CUSTOMERS = """customer_id,name,phone,email,push_token,birthday,marketing_consent,language,shoe_size
7.0,Anna Secret,+4915112345678,anna@secret.example,tokensecret,1990-02-28,yes,ZH,38
8,Ben Secret,+4915187654321,,,,no,,
"""


def test_personal_columns_are_sealed_and_open_again(settings: Settings, tmp_path: Path) -> None:
    summary = load(settings, tmp_path, "customers", CUSTOMERS)
    assert (summary.accepted, summary.customers, summary.ignored_columns) == (2, 2, ("shoe_size",))
    table = read_table(settings, "customers").sort("customer_id")
    assert table["customer_id"].to_list() == ["7", "8"]
    assert table["birthday"].to_list() == [date(1990, 2, 28), None]
    assert table["marketing_consent"].to_list() == [True, False]
    assert table["language"].to_list() == ["zh", None]
    assert seal_of(settings).unseal_column(table["phone"]).to_list() == ["+4915112345678", "+4915187654321"]
    assert load(settings, tmp_path, "customers", CUSTOMERS).duplicates == 2
    changed = load(settings, tmp_path, "customers", CUSTOMERS.replace("Ben Secret", "Ben Other"))
    assert (changed.updated, changed.duplicates) == (1, 1)


def test_no_file_of_the_home_holds_personal_text_in_clear(settings: Settings, tmp_path: Path) -> None:
    refused = CUSTOMERS.replace("1990-02-28", "some day") + "9,Zoe Secret,tokensecret\n,Eve Secret,,,,,,,39 secret\n"
    summary = load(settings, tmp_path, "customers", refused)
    assert summary.reasons == {"missing_customer_id": 1, "malformed_row": 1}
    assert summary.unreadable_cells == {"birthday": {"unreadable_value": 1}}
    files = [path for path in settings.home.rglob("*") if path.is_file()]
    assert any(path.suffix == ".ndjson" for path in files)
    for path in files:
        content = path.read_bytes().lower()
        assert b"secret" not in content, path
        assert b"49151" not in content, path
    row = pl.read_ndjson(summary.quarantine_files[0]).filter(pl.col("_line") == 2).row(0, named=True)
    assert seal_of(settings).unseal(row["name"]) == "Anna Secret"
    assert row["_kept_without"] == "birthday"


def test_items_take_prices_in_major_units_and_keep_what_a_later_file_leaves_out(
    settings: Settings, tmp_path: Path
) -> None:
    load(settings, tmp_path, "items", "item_id,name,price,margin,available\nsoup,Soup,4.50,-0.20,true\nrice,,2,,0\n")
    load(settings, tmp_path, "items", "item_id,price_cents\nsoup,500\n")
    table = read_table(settings, "items").sort("item_id")
    assert table.select("item_id", "name", "price_cents", "margin_cents", "available").rows() == [
        ("rice", None, 200, None, False),
        ("soup", "Soup", 500, -20, True),
    ]


def test_offers_take_terms_and_instants(settings: Settings, tmp_path: Path) -> None:
    text = "offer_id,kind,percent,amount,cap,min_spend,valid_from,max_per_customer,currency\n"
    load(settings, tmp_path, "offers", text + "ten,percent,10,,5,20,2024-05-01,1.0,\nfive,amount,,5,,,,,JPY\n")
    five, ten = read_table(settings, "offers").sort("offer_id").to_dicts()
    assert (ten["percent"], ten["cap_cents"], ten["min_spend_cents"], ten["max_per_customer"]) == (10.0, 500, 2000, 1)
    assert ten["valid_from"] == datetime(2024, 5, 1, tzinfo=UTC)
    assert (ten["currency"], five["currency"], five["amount_cents"]) == ("USD", "JPY", 5)


@pytest.mark.parametrize(
    ("kind", "head", "good", "bad", "code"),
    [
        ("customers", "customer_id,marketing_consent", "a,yes", ",no", "missing_customer_id"),
        ("items", "item_id,price", "a,1", "b,-1", "negative_amount"),
        ("items", "item_id,price", "a,1", ",1", "missing_id"),
        ("vendors", "vendor_id,opens,closes", "a,9:00,24:00", "b,25:00,", "unreadable_value"),
        ("vendors", "vendor_id,closed_weekdays", "a,1|7", "b,8", "unreadable_value"),
        ("vendors", "vendor_id,latitude,longitude", "a,1,1", "b,100,1", "position_out_of_range"),
        ("offers", "offer_id,kind,percent", "a,percent,10", "b,percent,", "missing_terms"),
        ("offers", "offer_id,kind,percent", "a,percent,10", "b,percent,120", "percent_out_of_range"),
        ("offers", "offer_id,kind,percent", "a,percent,10", "b,gift,", "unknown_word"),
        ("offers", "offer_id,kind,valid_from,valid_until", "a,free_delivery,,", "b,free_delivery,2024-05-02,2024-05-01",
         "ends_before_start"),
        ("offers", "offer_id,kind,currency", "a,free_delivery,USD", "b,free_delivery,DOLLARS", "bad_currency"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_used_is_quarantined(
    settings: Settings, tmp_path: Path, kind: TableName, head: str, good: str, bad: str, code: str
) -> None:
    summary = load(settings, tmp_path, kind, f"{head}\n{good}\n{bad}\n")
    assert (summary.accepted, summary.reasons) == (1, {code: 1})
    assert read_table(settings, kind).height == 1


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("birthday", "15-15-1990", "unreadable_value"),
        ("birthday", "0000-00-00", "unreadable_value"),
        ("birthday", "2090-01-01", "instant_in_future"),
        ("language", "german", "bad_language"),
        ("timezone", "Mars Time (US & Canada)", "bad_timezone"),
        ("registered_at", "03/15/2024 25:00", "unreadable_instant"),
    ],
)
def test_a_readable_no_survives_an_unreadable_cell_of_its_row(
    settings: Settings, tmp_path: Path, column: str, cell: str, code: str
) -> None:
    """Case 13-optout-row-refused: January agrees, February refuses in a row with one broken cell."""
    load(settings, tmp_path, "customers", "customer_id,name,marketing_consent\na,Ann,yes\nb,Bob,yes\n")
    summary = load(settings, tmp_path, "customers", f"customer_id,{column},marketing_consent\na,,yes\nb,{cell},no\n")
    assert (summary.quarantined, summary.reasons) == (0, {})
    assert summary.unreadable_cells == {column: {code: 1}}
    row = read_table(settings, "customers").filter(pl.col("customer_id") == "b").row(0, named=True)
    assert row["marketing_consent"] is False
    assert row[column] is None
    listed = pl.read_ndjson(summary.quarantine_files[0])
    assert listed.select("customer_id", "_kept_without").rows() == [("b", column)]


@pytest.mark.parametrize("word", ["unsubscribed", "NEVER_SUBSCRIBED", "perhaps", "???"])
def test_a_consent_that_cannot_be_read_is_a_no(settings: Settings, tmp_path: Path, word: str) -> None:
    load(settings, tmp_path, "customers", "customer_id,marketing_consent\na,yes\n")
    summary = load(settings, tmp_path, "customers", f"customer_id,marketing_consent\na,{word}\n")
    assert summary.unreadable_cells == {"marketing_consent": {"unreadable_value": 1}}
    assert read_table(settings, "customers")["marketing_consent"].to_list() == [False]


def test_a_no_in_any_row_of_a_customer_holds(settings: Settings, tmp_path: Path) -> None:
    load(settings, tmp_path, "customers", "customer_id,name,marketing_consent\na,Ann,no\na,Anna,\nb,Bob,no\nb,Bo,yes\n")
    assert read_table(settings, "customers").sort("customer_id")["marketing_consent"].to_list() == [False, False]


def test_a_row_mended_in_quarantine_is_not_sealed_twice(settings: Settings, tmp_path: Path) -> None:
    broken = "customer_id,name,phone,birthday\na,Ann,+15555550101,15 of March\n"
    summary = load(settings, tmp_path, "customers", broken)
    mended = pl.read_ndjson(summary.quarantine_files[0]).with_columns(birthday=pl.lit("1990-03-15"))
    path = tmp_path / "mended.ndjson"
    mended.write_ndjson(path)
    again = import_files(settings, "customers", [path], None, now=NOW)
    assert (again.updated, again.unreadable_cells) == (1, {})
    row = read_table(settings, "customers").row(0, named=True)
    assert seal_of(settings).unseal(row["name"]) == "Ann"
    assert seal_of(settings).unseal(row["phone"]) == "+15555550101"
    assert row["birthday"] == date(1990, 3, 15)


def test_a_repeated_id_counts_once(settings: Settings, tmp_path: Path) -> None:
    summary = load(settings, tmp_path, "vendors", "vendor_id,name\nv,Old\nv,New\n")
    assert (summary.accepted, summary.duplicates) == (1, 1)
    assert read_table(settings, "vendors")["name"].to_list() == ["New"]


def test_a_missing_id_column_or_no_row_at_all_is_told(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(BadColumns, match="'item_id' is missing"):
        load(settings, tmp_path, "items", "dish,price\nsoup,1\n")
    with pytest.raises(BadFile, match="has no rows"):
        load(settings, tmp_path, "items", "item_id,price\n")


def test_any_language_tag_is_kept_in_the_usual_spelling(settings: Settings, tmp_path: Path) -> None:
    load(settings, tmp_path, "customers", "customer_id,language\na,zh_CN\nb,de\nc,ZH-hant-tw\nd,EN\n")
    table = read_table(settings, "customers").sort("customer_id")
    assert table["language"].to_list() == ["zh-CN", "de", "zh-Hant-TW", "en"]
