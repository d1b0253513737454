"""A home learns its currency and zone from its first imports, keeps them, and asks where words disagree."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import orjson
import pytest

from engine.errors import InputError
from engine.history.opening import open_history
from engine.imports.intake import ImportSummary, import_files
from engine.imports.mapping import ImportKind, ImportMap
from engine.settings import HOME_FILE, Settings

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PLAIN = "customer_id,ordered_at,order_amount\na,2026-02-01 12:00,20\nb,2026-02-02 12:00,30\n"
NAMED = "customer_id,ordered_at,order_amount,currency,timezone\n" + "".join(
    f"{who},2026-02-0{day} 12:00,20,{currency},{zone}\n"
    for who, day, currency, zone in (
        ("a", 1, "CNY", "Asia/Shanghai"),
        ("b", 2, "cny", "Asia/Shanghai"),
        ("c", 3, "CNY", ""),
        ("d", 4, "", "Asia/Shanghai"),
    )
)


def of_home(settings: Settings, **env: str) -> Settings:
    return Settings.from_environment(env, home=settings.home)


def load(settings: Settings, text: str, kind: ImportKind = "orders", **clauses: str) -> ImportSummary:
    file = settings.home.parent / "in.csv"
    file.write_text(text, encoding="utf-8")
    return import_files(settings, kind, [file], ImportMap(**clauses), now=NOW)  # type: ignore[arg-type]


def test_the_map_of_the_first_import_says_currency_and_zone(settings: Settings) -> None:
    assert settings.assumed == {"currency", "timezone"}
    found = load(settings, PLAIN, currency="CNY", timezone="Asia/Shanghai")
    assert found.home == {"currency": "CNY (the map)", "timezone": "Asia/Shanghai (the map)"}
    assert found.warnings == ()
    later = of_home(settings)
    assert (later.currency, later.timezone, later.assumed) == ("CNY", "Asia/Shanghai", frozenset())


def test_most_rows_say_it_where_the_map_does_not_and_count_for_the_rows_that_name_none(settings: Settings) -> None:
    found = load(settings, NAMED)
    assert found.home == {"currency": "CNY (most orders)", "timezone": "Asia/Shanghai (most orders)"}
    orders = open_history(settings).orders().collect().sort("customer_id")
    assert orders["currency"].to_list() == ["CNY"] * 4
    assert orders["ordered_at"][2] == datetime(2026, 2, 3, 4, tzinfo=UTC)


def test_a_single_foreign_row_says_nothing_of_the_home(settings: Settings) -> None:
    text = PLAIN.replace("\n", ",currency\n", 1).replace("20\n", "20,JPY\n").replace("30\n", "30,\n")
    assert load(settings, text).home == {}
    assert of_home(settings).currency == "USD"


def test_where_nobody_names_them_the_import_says_what_it_assumes_and_what_to_do(settings: Settings) -> None:
    currency, zone = load(settings, PLAIN).warnings
    assert "amounts are read in USD" in currency
    assert "set REGULARS_CURRENCY" in currency
    assert "local times and days are read in UTC" in zone
    assert not (settings.home / HOME_FILE).exists()


def test_what_the_operator_set_is_kept_when_the_variable_is_missing_one_day(settings: Settings) -> None:
    load(of_home(settings, REGULARS_CURRENCY="CNY", REGULARS_TIMEZONE="Asia/Shanghai"), PLAIN)
    later = of_home(settings)
    assert (later.currency, later.timezone) == ("CNY", "Asia/Shanghai")
    assert of_home(settings, REGULARS_CURRENCY="EUR").currency == "EUR"


@pytest.mark.parametrize("env", [{"REGULARS_CURRENCY": "USD"}, {}])
def test_where_they_disagree_the_import_asks_which_is_right(settings: Settings, env: Mapping[str, str]) -> None:
    load(settings, PLAIN, currency="USD", timezone="UTC")
    said = load(of_home(settings, **env), NAMED.replace("a,", "e,"))
    assert said.home == {}
    assert [text for text in said.warnings if "which is right?" in text] == [
        "the currency of most orders is CNY but this home's is USD; which is right? Set REGULARS_CURRENCY=CNY, or mend "
        "the map",
        "the time zone of most orders is Asia/Shanghai but this home's is UTC; which is right? Set "
        "REGULARS_TIMEZONE=Asia/Shanghai, or mend the map",
    ]
    assert of_home(settings).currency == "USD"


def test_customers_may_tell_the_zone_and_never_ask_about_it(settings: Settings) -> None:
    people = "customer_id,timezone\na,Asia/Shanghai\nb,Asia/Shanghai\nc,Europe/Paris\n"
    assert load(settings, people, "customers").home == {"timezone": "Asia/Shanghai (most customers)"}
    again = load(of_home(settings), people.replace("Asia/Shanghai", "Europe/Paris"), "customers")
    assert again.warnings == ()


def test_an_import_that_fails_teaches_nothing(settings: Settings) -> None:
    with pytest.raises(InputError):
        load(settings, "customer_id,ordered_at,order_amount\na,never,1\n", currency="CNY")
    assert of_home(settings).currency == "USD"


@pytest.mark.parametrize(("content", "why"), [("{", "is not JSON"), ("[1]", "must hold texts")])
def test_a_home_file_that_no_import_wrote_is_one_clear_error(settings: Settings, content: str, why: str) -> None:
    settings.home.mkdir()
    (settings.home / HOME_FILE).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=why):
        of_home(settings)


def test_the_home_file_holds_nothing_else(settings: Settings) -> None:
    load(settings, PLAIN, currency="CNY", timezone="Asia/Shanghai")
    assert orjson.loads((settings.home / HOME_FILE).read_bytes()) == {"currency": "CNY", "timezone": "Asia/Shanghai"}
