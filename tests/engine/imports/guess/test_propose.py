"""A proposed map: columns by name and by content, marks and words from the cells, and what only the owner knows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from engine.errors import BadFile
from engine.history.opening import open_history
from engine.imports.guess.propose import MapGuess, guess_map
from engine.imports.intake import import_files
from engine.imports.mapping import CLAUSES, ImportKind, read_map
from engine.settings import Settings
from tests.engine.imports.shape.workbooks import Cell, write_workbook

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def guess(settings: Settings, folder: Path, text: str | bytes, kind: ImportKind | None = None) -> MapGuess:
    path = folder / "export.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return guess_map(settings, [path], kind, now=NOW)


def taken(found: MapGuess) -> dict[str, str]:
    return {each.ours: each.theirs for each in found.columns if each.ours}


GERMAN = """\
Bestellnummer;Bestellstatus;Bestelldatum;Kunde;Artikel;Menge;Einzelpreis;"Summe, brutto";Rabatt
5001;Abgeschlossen;31.03.2026 12:30;k-17;Pad Thai;2;12,50;27,90;2,00
5002;Storniert;30.03.2026 18:05;k-18;Buffet;1;1.250,00;1.250,00;0,00
"""
POINTS = GERMAN.replace('"Summe, brutto"', "Summe").replace("1.250,00", "1250,00").replace(",", ".")
ENGLISH = """\
Order Number,Customer Email,Order Date,Item Name,Qty,Item Price,Order Total,Order Status
1,ann@example.com,2026-03-01T12:30:00Z,Pad thai,2,$15.00,$35.00,Completed
2,bob@example.com,2026-03-01T12:31:00Z,Iced tea,1,$4.00,$4.00,Voided
"""
CHINESE = """\
订单编号,下单时间,用户ID,菜品名称,数量,单价,实付金额,订单状态
1,2026-03-01 12:30:00,u1,麻婆豆腐,2,¥15.00,¥30.00,已完成
2,2026-03-01 12:31:00,u2,宫保鸡丁,1,¥24.00,¥24.00,已取消
"""
FRENCH = """\
Numéro de commande;Date de commande;E-mail;Produit;Quantité;Prix unitaire;Montant total
1;2026-03-01 12:30;a@example.fr;Soupe;2;4,50 €;9,00 €
2;2026-03-01 12:31;b@example.fr;Riz;1;5,00 €;5,00 €
"""
SPANISH = "Número de pedido,Fecha,Cliente,Producto,Cantidad,Precio\n1,2026-03-01 12:30,c1,Sopa,2,4.50\n"
LINES = ("order_id", "customer_id", "ordered_at", "item_id", "quantity", "unit_price")


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        (GERMAN, {*LINES, "order_amount", "discount", "status"}),
        (ENGLISH, {*LINES, "order_amount", "status"}),
        (CHINESE, {*LINES, "order_amount", "status"}),
        (FRENCH, {*LINES, "order_amount"}),
        (SPANISH, set(LINES)),
    ],
)
def test_columns_are_known_by_their_names_in_five_languages(
    settings: Settings, tmp_path: Path, text: str, ours: set[str]
) -> None:
    found = guess(settings, tmp_path, text)
    assert (found.kind, set(taken(found))) == ("orders", ours)
    assert not any("would fit" in line for line in found.unsure)


def test_words_marks_currency_and_dates_come_from_the_cells(settings: Settings, tmp_path: Path) -> None:
    german = guess(settings, tmp_path, GERMAN).document
    assert german["values"] == {"status": {"Abgeschlossen": "delivered", "Storniert": "cancelled"}}
    assert german.get("date_order", "day") == "day"
    assert ("date_order" in german) == ("date_order" in CLAUSES)
    assert german.get("instant_format", "%d.%m.%Y %H:%M") == "%d.%m.%Y %H:%M"
    if "decimal" in CLAUSES:
        assert (german["decimal"], german["thousands"]) == (",", ".")
    french = guess(settings, tmp_path, FRENCH)
    assert french.document["currency"] == "EUR"
    chinese = guess(settings, tmp_path, CHINESE)
    assert (chinese.document["currency"], chinese.document["timezone"]) == ("CNY", "Asia/Shanghai")
    assert any("Asia/Shanghai" in line for line in chinese.unsure)
    english = guess(settings, tmp_path, ENGLISH)
    assert not any("timezone" in line for line in english.unsure)
    assert any("currency" in line for line in english.unsure)


@pytest.mark.parametrize(
    ("dates", "order"),
    [
        (("03/04/2025", "05/06/2025"), "?"),
        (("13/04/2025", "05/06/2025"), "day"),
        (("03/14/2025 1:05 PM", "05/06/2025 2:05 AM"), "month"),
        (("03/14/25", "05/06/25"), "month"),
    ],
)
def test_the_order_of_day_and_month_is_asked_where_the_column_does_not_tell(
    settings: Settings, tmp_path: Path, dates: tuple[str, str], order: str
) -> None:
    found = guess(
        settings, tmp_path, "Order ID,Customer ID,Date\n" + "".join(f"{n},c,{at}\n" for n, at in enumerate(dates))
    )
    if order == "?":
        assert any("day or the month" in line for line in found.unsure)
        assert not {"date_order", "instant_format"} & set(found.document)
    elif "date_order" in CLAUSES:
        assert found.document["date_order"] == order
    else:
        assert str(found.document["instant_format"]).startswith("%d" if order == "day" else "%m")
        assert found.refusals == {}


def test_three_digits_behind_a_mark_are_asked_about(settings: Settings, tmp_path: Path) -> None:
    found = guess(settings, tmp_path, "order_id,customer_id,ordered_at,order_amount\n1,a,2026-03-01,45.000\n")
    assert any("forty-five thousand" in line for line in found.unsure)
    assert "decimal" not in found.document


def test_columns_of_unknown_names_are_known_by_what_they_hold(settings: Settings, tmp_path: Path) -> None:
    rows = "".join(
        f"#{n},ann{n % 3}@example.com,2026-03-{n + 1:02d} 12:30,{'soup' if n % 2 else 'rice'},{n}.50\n"
        for n in range(20)
    )
    found = guess(settings, tmp_path, "c1,c2,c3,c4,c5\n" + rows)
    assert taken(found) == {
        "order_id": "c1", "customer_id": "c2", "ordered_at": "c3", "item_id": "c4", "order_amount": "c5",
    }  # fmt: skip
    assert sum("by what it holds" in line for line in found.unsure) == 5


def test_what_cannot_be_told_is_asked(settings: Settings, tmp_path: Path) -> None:
    found = guess(settings, tmp_path, "a,b\nx,1\ny,2\n", "orders")
    assert any("no column seems to be customer_id" in line for line in found.unsure)
    assert any("cannot be read so" in line for line in found.unsure)
    assert found.preview == ()


@pytest.mark.parametrize(
    ("head", "row", "kind"),
    [
        ("Customer ID,First Name,Email,Phone,Newsletter", "1,Ann,ann@example.com,+15555550101,yes", "customers"),
        ("会员号,姓名,手机号,生日", "u1,王芳,13800000000,1990-01-01", "customers"),
        ("SKU,Name,Price,Category", "s1,Soup,4.50,Main", "items"),
        ("菜品ID,菜品名称,价格,分类", "1,麻婆豆腐,15,热菜", "items"),
        ("Restaurant ID,Restaurant Name,Opening Time,Closing Time", "r1,Thai Corner,10:00,22:00", "vendors"),
        ("Coupon Code,Name,Type,Percent,Valid From,Valid Until", "A,Ten,percent,10,2026-03-01,2026-04-01", "offers"),
        ("Order ID,Customer ID,Date,Total", "1,a,2026-03-01,5", "orders"),
    ],
)  # fmt: skip
def test_the_kind_is_the_one_whose_columns_are_there(
    settings: Settings, tmp_path: Path, head: str, row: str, kind: str
) -> None:
    assert guess(settings, tmp_path, f"{head}\n{row}\n").kind == kind


def test_a_consent_in_another_language_is_translated_and_an_unknown_word_asked(
    settings: Settings, tmp_path: Path
) -> None:
    head = "Kundennummer;E-Mail;Einwilligung\n"
    found = guess(settings, tmp_path, head + "1;a@x.de;ja\n2;b@x.de;nein\n3;c@x.de;vielleicht\n4;d@x.de;no\n")
    assert found.document["values"] == {"marketing_consent": {"ja": "yes", "nein": "no"}}
    assert any("'vielleicht'" in line for line in found.unsure)
    path = tmp_path / "map.yaml"
    path.write_text(found.yaml, encoding="utf-8")
    summary = import_files(settings, "customers", [tmp_path / "export.csv"], read_map(path, "customers"), now=NOW)
    assert summary.unreadable_cells == {"marketing_consent": {"unreadable_value": 1}}


@pytest.mark.parametrize("text", [POINTS, CHINESE.replace("¥", ""), ENGLISH.replace("$", "")])
def test_the_proposed_map_reads_the_file_as_its_preview_shows(settings: Settings, tmp_path: Path, text: str) -> None:
    found = guess(settings, tmp_path, text)
    assert found.refusals == {}
    path = tmp_path / "map.yaml"
    path.write_text(found.yaml, encoding="utf-8")
    summary = import_files(settings, found.kind, [tmp_path / "export.csv"], read_map(path, found.kind), now=NOW)
    assert (summary.quarantined, summary.accepted) == (0, 2)
    orders = open_history(settings).orders().collect().sort("order_id")
    assert [row["order_id"] for row in found.preview] == orders["order_id"].to_list()
    assert [row["order_cents"] for row in found.preview] == orders["order_cents"].to_list()


def test_the_text_is_yaml_with_the_questions_as_comments(settings: Settings, tmp_path: Path) -> None:
    found = guess(settings, tmp_path, CHINESE)
    assert yaml.safe_load(found.yaml) == found.document
    assert "# unsure: " in found.yaml
    assert found.as_dict()["map"] == found.yaml


def test_an_encoding_that_can_be_told_is_part_of_the_map(settings: Settings, tmp_path: Path) -> None:
    found = guess(settings, tmp_path, CHINESE.replace("¥", "￥").encode("gb18030"))
    assert found.document["encoding"] == "gb18030"
    assert taken(found)["item_id"] == "菜品名称"
    with pytest.raises(BadFile, match="name its encoding"):
        guess(settings, tmp_path, b"\xff\x81,\xff\n\xff\x81,1\n")


def test_titles_sheets_and_several_files_are_read_as_an_import_reads_them(settings: Settings, tmp_path: Path) -> None:
    rows: list[list[Cell]] = [
        ["Sales report"],
        [],
        ["Order ID", "Customer", "Opened"],
        ["1", "ann", datetime(2026, 3, 1)],  # noqa: DTZ001 (a sheet's)
    ]
    orders = write_workbook(tmp_path / "orders.xlsx", {"S": rows})
    (tmp_path / "lines.csv").write_text("Order ID,Menu Item,Qty\n1,soup,2\n")
    found = guess_map(settings, [orders, tmp_path / "lines.csv"], None, now=NOW)
    assert taken(found) == {
        "order_id": "Order ID", "customer_id": "Customer", "ordered_at": "Opened", "item_id": "Menu Item",
        "quantity": "Qty",
    }  # fmt: skip
    assert any("above the header" in note for note in found.notes)
