"""Every ready segment on the simulated city: never empty, and right where plain Python or the truth can tell."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from sqlalchemy.orm import Session

from demo.world import CUISINES
from engine.customers.consents import record_consent
from engine.customers.store import read_customer_table
from engine.database.session import connect, transaction
from engine.segments.definition import ready_segment, ready_segment_names
from engine.segments.facts import members
from engine.segments.library import segment_lookup
from engine.segments.parse import parse_rule
from engine.segments.sources import OpenSession, home_segment_sources
from engine.settings import Settings
from tests.engine.segments.city import AS_OF, ENV, UNTIL, city, city_home

DAY = timedelta(days=1)
Ids = Callable[..., set[str]]
Row = dict[str, Any]
PARAMETERS = {"lovers_of_cuisine": {"cuisine": "Sichuan"}}


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, OpenSession]]:
    home = tmp_path_factory.mktemp("ready") / "home"
    shutil.copytree(city_home(), home)
    settings = Settings.from_environment(ENV, home=home)
    database = connect(settings)
    yield settings, lambda: transaction(database)
    database.dispose()


@pytest.fixture
def ids(reading: tuple[Settings, OpenSession]) -> Ids:
    settings, opened = reading

    def found(name: str, **parameters: str) -> set[str]:
        tree = {"segment": {"name": name, **(parameters or PARAMETERS.get(name, {}))}}
        rule = parse_rule(tree, currency="CNY", lookup=segment_lookup(None))
        return set(members(rule, home_segment_sources(settings, opened), AS_OF).collect()["customer_id"])

    return found


@pytest.fixture(scope="module")
def table(reading: tuple[Settings, OpenSession]) -> dict[str, Row]:
    return {str(row["customer_id"]): row for row in read_customer_table(reading[0]).table.to_dicts()}


@pytest.fixture(scope="module")
def orders() -> dict[str, list[Row]]:
    """Delivered orders by the instant, oldest first, per customer."""
    delivered = city().orders.filter((pl.col("status") == "delivered") & (pl.col("ordered_at") <= AS_OF))
    found: dict[str, list[Row]] = {}
    for row in delivered.sort("ordered_at").to_dicts():
        found.setdefault(row["customer_id"], []).append(row)
    return found


def test_there_are_twenty_with_names_and_a_sentence_in_both_languages() -> None:
    assert len(ready_segment_names()) == 20
    for name in ready_segment_names():
        definition = ready_segment(name)
        assert set(definition.title) == set(definition.about) == {"en", "zh"}
        assert definition.about["en"].endswith(".")
        assert any("\u4e00" <= letter <= "\u9fff" for letter in definition.about["zh"])


@pytest.mark.parametrize("name", ready_segment_names())
def test_none_is_empty_and_none_is_everybody(ids: Ids, name: str) -> None:
    assert 0 < len(ids(name)) < 0.7 * city().customers.height


def test_first_orders_tell_the_new_and_the_one_timers(ids: Ids, orders: dict[str, list[Row]]) -> None:
    assert ids("new") == {who for who, placed in orders.items() if placed[0]["ordered_at"] > AS_OF - 30 * DAY}
    once = {who for who, placed in orders.items() if len(placed) == 1 and placed[0]["ordered_at"] <= AS_OF - 30 * DAY}
    assert ids("one_timers") == once


def test_discounts_tell_the_lovers_from_the_loyal(ids: Ids, orders: dict[str, list[Row]]) -> None:
    share = {who: sum(o["discount_cents"] > 0 for o in placed) / len(placed) for who, placed in orders.items()}
    assert ids("discount_lovers") == {who for who, placed in orders.items() if len(placed) >= 3 and share[who] >= 0.5}
    loyal = {
        who
        for who, placed in orders.items()
        if len(placed) >= 5 and share[who] <= 0.1 and placed[-1]["ordered_at"] > AS_OF - 60 * DAY
    }
    assert ids("full_price_loyal") == loyal


def test_discount_lovers_are_truly_more_sensitive_to_price(ids: Ids) -> None:
    sensitivity = dict(city().truth.select("customer_id", "price_sensitivity").iter_rows())
    lovers = [sensitivity[who] for who in ids("discount_lovers")]
    loyal = [sensitivity[who] for who in ids("full_price_loyal")]
    assert sum(lovers) / len(lovers) > sum(loyal) / len(loyal)


def test_lunch_only_means_every_order_by_the_local_clock(ids: Ids, orders: dict[str, list[Row]]) -> None:
    found = set()
    for who, placed in orders.items():
        recent = [o["ordered_at"].astimezone(ZoneInfo("Asia/Shanghai")) for o in placed]
        hours = [at.hour for at in recent if at > AS_OF - 180 * DAY]
        if len(hours) >= 3 and all(11 <= hour < 14 for hour in hours):
            found.add(who)
    assert ids("lunch_only") == found


def test_birthdays_this_week_are_the_seven_days_from_today(ids: Ids) -> None:
    days = [(AS_OF.astimezone(ZoneInfo("Asia/Shanghai")) + ahead * DAY).date() for ahead in range(7)]
    kept = {(day.month, day.day) for day in days} | {(2, 29)}
    born = city().customers.filter(pl.col("birthday").is_not_null(), pl.col("registered_at") <= AS_OF)
    assert ids("birthday_this_week") == {
        who for who, day in born.select("customer_id", "birthday").iter_rows() if (day.month, day.day) in kept
    }


def test_lovers_of_a_cuisine_love_it_in_truth(ids: Ids) -> None:
    names = [cuisine.name for cuisine in CUISINES]
    place = names.index("Sichuan")
    shares = {row["customer_id"]: row["cuisine_shares"][place] for row in city().truth.to_dicts()}
    lovers = ids("lovers_of_cuisine")
    others = [share for who, share in shares.items() if who not in lovers]
    assert sum(shares[who] for who in lovers) / len(lovers) > 2 * sum(others) / len(others)
    assert not ids("lovers_of_cuisine", cuisine="Martian")


def test_a_new_dish_is_one_a_customer_never_had_before(ids: Ids, orders: dict[str, list[Row]]) -> None:
    lines = city().lines.filter((pl.col("status") == "delivered") & (pl.col("ordered_at") <= AS_OF))
    firsts = lines.group_by("customer_id", "item_id").agg(pl.col("ordered_at").min())
    lately = set(firsts.filter(pl.col("ordered_at") > AS_OF - 14 * DAY)["customer_id"])
    assert ids("tried_new_dish") == {who for who in lately if orders[who][0]["ordered_at"] <= AS_OF - 14 * DAY}


def test_states_come_from_the_customer_table(ids: Ids, table: dict[str, Row]) -> None:
    def where(**wanted: tuple[object, ...]) -> set[str]:
        return {who for who, row in table.items() if all(row[name] in values for name, values in wanted.items())}

    gone = where(lifecycle=("likely_lapsed", "lapsed"))
    assert ids("active") == where(lifecycle=("new", "active", "won_back"))
    assert ids("slowing") == where(lifecycle=("slowing",))
    assert ids("dormant") == gone
    assert ids("platinum") == where(tier=("platinum",))
    assert ids("lapsed_high_value") == gone & (where(tier=("platinum", "gold", "iron")) | where(abcd=("A",)))
    assert ids("unhappy_valuable") == where(unhappy_valuable=(True,))
    risky = {who for who, row in table.items() if row["p_no_order"] is not None and row["p_no_order"] >= 0.5}
    assert ids("about_to_churn") == risky & where(lifecycle=("active", "slowing"))
    assert ids("lookalikes") == {who for who, row in table.items() if (row["lookalike_score"] or 0) >= 0.1}
    families = {
        who
        for who, row in table.items()
        if row["orders"] >= 3 and row["weekend_share"] >= 0.5 and row["party_size"] and row["party_size"] >= 3
    }
    assert ids("weekend_families") == families


def test_the_dormant_have_truly_left_more_often_than_the_active(ids: Ids) -> None:
    left = set(city().truth.filter(pl.col("churned_at") <= AS_OF)["customer_id"])
    dormant, active = ids("dormant"), ids("active")
    assert len(dormant & left) / len(dormant) > 2 * len(active & left) / len(active)


def test_cards_and_the_consent_log_tell_the_rest(
    ids: Ids, orders: dict[str, list[Row]], reading: tuple[Settings, OpenSession]
) -> None:
    cards = {row["customer_id"]: row for row in city().customers.filter(pl.col("registered_at") <= AS_OF).to_dicts()}
    everyone = set(cards) | set(orders)
    all_cards = {row["customer_id"]: row for row in city().customers.to_dicts()}
    assert ids("prospects") == set(cards) - set(orders)
    assert ids("unreachable_by_push") == {who for who in everyone if all_cards[who]["push_token"] is None}
    silent = {who for who in everyone if all_cards[who]["marketing_consent"] is not True}
    assert ids("no_consent") == silent
    with reading[1]() as session:
        _says(session, *sorted(silent)[:1], granted=True)
        _says(session, *sorted(everyone - silent)[:1], granted=False)
    assert ids("no_consent") == (silent - set(sorted(silent)[:1])) | set(sorted(everyone - silent)[:1])


def _says(session: Session, who: str, *, granted: bool) -> None:
    record_consent(session, AS_OF - DAY, customer_id=who, granted=granted, source="test")
    # A statement after the instant is not known at it.
    record_consent(session, UNTIL, customer_id=who, granted=not granted, source="test")


def test_the_shared_home_is_left_as_it_was() -> None:
    assert not (Path(city_home()) / "regulars.db").exists()
