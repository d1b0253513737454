"""Import maps: what they may say, what is refused with its path, and how joins lend columns."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.errors import BadColumns, BadDefinition, BadFile, MissingFile
from engine.history.opening import open_history
from engine.imports.intake import import_files
from engine.imports.mapping import ImportMap, Join, parse_map, read_map
from engine.settings import Settings

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def map_of(folder: Path, text: str) -> ImportMap:
    path = folder / "map.yaml"
    path.write_text(text, encoding="utf-8")
    return read_map(path, "orders")


def test_an_empty_map_says_nothing(tmp_path: Path) -> None:
    assert map_of(tmp_path, "") == ImportMap()
    assert map_of(tmp_path, "columns:\nconstants:\ntimezone:\n") == ImportMap()


def test_words_that_yaml_takes_for_truth_or_dates_stay_words(tmp_path: Path) -> None:
    constants, joins = "constants: {zone: 2024-01-01, channel: no}", "joins: [{file: a*.csv, on: [7]}]"
    read = map_of(tmp_path, f"{constants}\n{joins}\nvalues: {{status: {{yes: delivered}}}}")
    assert read.constants == {"zone": "2024-01-01", "channel": "no"}
    assert read.joins == (Join("a*.csv", ("7",)),)
    assert read.values == {"status": {"yes": "delivered"}}


@pytest.mark.parametrize(
    ("text", "sign"),
    [("separator: ';'", ";"), ("separator: tab", "\t"), ('separator: "\\t"', "\t"), ("separator: '\\t'", "\t")],
)
def test_a_separator_is_a_sign_or_its_name(tmp_path: Path, text: str, sign: str) -> None:
    assert map_of(tmp_path, text).separator == sign


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a: [", "map.yaml", "not YAML"),
        ("- a", "map.yaml", "must be a mapping"),
        ("colums: {}", "map.yaml", "did you mean 'columns'"),
        ("columns: {custmer_id: x}", "map.yaml: columns", "did you mean 'customer_id'"),
        ("constants: {colour: x}", "map.yaml: constants", "'colour'"),
        ("values: {statuss: {a: b}}", "map.yaml: values", "did you mean 'status'"),
        ("values: {status: done}", "map.yaml: values.status", "must be a mapping"),
        ("columns: {zone: [a]}", "map.yaml: columns.zone", "must be text"),
        ("columns: {order_amount: a, order_cents: b}", "map.yaml: columns", "mean the same"),
        ("timezone: Mars/Olympus", "map.yaml: timezone", "not an IANA"),
        ("currency: rupees", "map.yaml: currency", "three-letter"),
        ("money: cents", "map.yaml: money", "neither major nor minor"),
        ("encoding: klingon", "map.yaml: encoding", "no text encoding"),
        ("separator: semikolon", "map.yaml: separator", "not one sign"),
        ("separator: '\"'", "map.yaml: separator", "not one sign"),
        ("header_row: 0", "map.yaml: header_row", "from 1"),
        ("header_row: first", "map.yaml: header_row", "from 1"),
        ("joins: {file: a}", "map.yaml: joins", "must be a list"),
        ("joins: [{file: a}]", "map.yaml: joins[0]", "'on' is missing"),
        ("joins: [{file: a, on: b, using: c}]", "map.yaml: joins[0]", "'using'"),
    ],
)
def test_a_wrong_clause_is_named_with_its_path(tmp_path: Path, text: str, where: str, what: str) -> None:
    with pytest.raises(BadDefinition) as caught:
        map_of(tmp_path, text)
    assert str(caught.value.where).endswith(where)
    assert what in caught.value.message
    assert "\n" not in str(caught.value)


def test_an_absent_map_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="no such map"):
        read_map(tmp_path / "none.yaml", "orders")
    with pytest.raises(BadDefinition, match="is a folder"):
        read_map(tmp_path, "orders")


def test_names_words_and_units_are_translated(settings: Settings, tmp_path: Path) -> None:
    mapping = map_of(
        tmp_path,
        """
columns: {customer_id: who, ordered_at: when, order_amount: paid, status: state}
constants: {channel: app, zone: elsewhere}
values: {status: {已完成: delivered, 退款: refunded}}
instant_format: "%d.%m.%Y %H:%M"
timezone: Asia/Shanghai
currency: cny
money: minor
encoding: gb18030
""",
    )
    path = tmp_path / "orders.csv"
    path.write_bytes("who,when,paid,state,zone\n安娜,01.05.2024 08:00,1250,退款,\n".encode("gb18030"))
    import_files(settings, "orders", [path], mapping, now=NOW)
    order = open_history(settings).orders().collect().row(0, named=True)
    assert order["customer_id"] == "安娜"
    assert order["ordered_at"] == datetime(2024, 5, 1, tzinfo=UTC)
    assert (order["order_cents"], order["currency"], order["status"]) == (1250, "CNY", "refunded")
    assert (order["channel"], order["zone"]) == ("app", "elsewhere")


ORDERS = "seq,customer_id,number,day\n1,anna,0,2024-05-01\n2,anna,1,2024-05-02\n3,ben,0,2024-05-03\n"
PLACES = "customer_id,number,latitude,longitude\nanna,0,1.5,2.5\nben,0,95,2.5\nben,0,3,3\n"
JOINED = """
columns: {order_id: seq, customer_id: customer_id, ordered_at: day, latitude: latitude, longitude: longitude}
joins: [{file: "places*.csv", on: [customer_id, number]}]
"""


def positions(settings: Settings) -> list[tuple[object, ...]]:
    orders = open_history(settings).orders().collect().sort("order_id")
    return orders.select("latitude", "longitude").rows()


def test_a_look_up_table_lends_its_columns_and_counts_no_rows(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "places-2024.csv").write_text(PLACES)
    files = [tmp_path / "places-2024.csv", tmp_path / "orders.csv"]
    summary = import_files(settings, "orders", files, map_of(tmp_path, JOINED), now=NOW)
    assert (summary.read, summary.accepted, summary.lookups) == (3, 3, {"places-2024.csv": 3})
    assert positions(settings) == [(1.5, 2.5), (None, None), (None, None)]
    assert any("outside the Earth" in warning for warning in summary.warnings)
    assert any("repeated key" in warning for warning in summary.warnings)


def test_without_the_look_up_table_its_columns_stay_unknown_with_a_warning(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS)
    summary = import_files(settings, "orders", [tmp_path / "orders.csv"], map_of(tmp_path, JOINED), now=NOW)
    assert summary.accepted == 3
    assert [warning for warning in summary.warnings if "'latitude'" in warning]


def test_a_files_own_column_wins_over_the_look_up_tables(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("seq,customer_id,number,day,latitude,longitude\n1,anna,0,2024-05-01,7,8\n")
    (tmp_path / "places.csv").write_text(PLACES)
    files = [tmp_path / "orders.csv", tmp_path / "places.csv"]
    import_files(settings, "orders", files, map_of(tmp_path, JOINED), now=NOW)
    assert positions(settings) == [(7.0, 8.0)]


def test_a_look_up_table_alone_or_without_its_key_is_told(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "places.csv").write_text("customer_id,latitude\nanna,1\n")
    mapping = map_of(tmp_path, JOINED)
    with pytest.raises(BadFile, match="look-up table"):
        import_files(settings, "orders", [tmp_path / "places.csv"], mapping, now=NOW)
    with pytest.raises(BadColumns, match="'number' is missing"):
        import_files(settings, "orders", [tmp_path / "orders.csv", tmp_path / "places.csv"], mapping, now=NOW)


def test_a_map_may_be_parsed_without_a_file() -> None:
    assert parse_map({"columns": {"customer_id": "id"}}, "customers", where="request").columns == {"customer_id": "id"}
