"""The table in the home: stored with its manifest, read back whole, explained for one customer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.customers.config import CustomerConfig
from engine.customers.profile import customer_profile
from engine.customers.store import build_customer_table, customer_table_file, newest_moment, read_customer_table
from engine.errors import BadFile, NoHistory, NotFound
from engine.history.orders import History
from engine.history.tables import upsert_table
from engine.settings import Settings
from tests.engine.customers.histories import NOW, customers, drawn_town, lines_of, moment, order, orders


@pytest.fixture
def filled(settings: Settings) -> Settings:
    placed = drawn_town(150, seed=5)
    History(settings.history_folder).append(placed, lines_of(placed, [["dal"]] * placed.height))
    upsert_table(settings, "customers", customers({"customer_id": "p1"}, {"customer_id": "c00001", "language": "zh"}))
    return settings


def test_what_was_built_is_read_back_with_its_manifest(filled: Settings) -> None:
    told: list[str] = []
    built = build_customer_table(filled, now=NOW.at, horizon_days=30, report=told.append)
    stored = read_customer_table(filled)
    assert stored.table.equals(built.table, null_equal=True)
    assert stored.facts == built.facts
    assert stored.facts["history"] == History(filled.history_folder).fingerprint()
    assert stored.facts["horizon_days"] == 30
    assert len(told) >= 4
    assert customer_table_file(filled).with_suffix(".svg").read_text().startswith("<svg")


def test_by_default_it_is_as_of_the_newest_orders_day_but_never_of_tomorrow(filled: Settings) -> None:
    window = History(filled.history_folder).window()
    assert window is not None
    assert newest_moment(filled, now=NOW.at + timedelta(days=400)).date == window[1].date()
    early = datetime(2025, 6, 1, tzinfo=UTC)
    assert newest_moment(filled, now=early).at == early


def test_nothing_built_nothing_known_and_broken_files_are_told_apart(settings: Settings) -> None:
    with pytest.raises(NotFound, match="regulars customers build"):
        read_customer_table(settings)
    with pytest.raises(NoHistory, match="no order yet"):
        build_customer_table(settings, now=NOW.at)
    with pytest.raises(NoHistory, match="nobody is known"):
        build_customer_table(settings, now=NOW.at, as_of=moment("2020-01-01"))
    customer_table_file(settings).parent.mkdir(parents=True, exist_ok=True)
    customer_table_file(settings).write_bytes(b"PAR1?")
    with pytest.raises(BadFile, match="no customer table of ours"):
        read_customer_table(settings)


def test_one_customer_is_shown_whole_and_every_group_explained(filled: Settings) -> None:
    built = build_customer_table(filled, now=NOW.at)
    config = CustomerConfig()
    who = built.table.filter(built.table["orders"] > 2)["customer_id"][0]
    found = customer_profile(filled, who, config, last_orders=2)
    assert found["figures"]["customer_id"] == who
    assert len(found["history"]) == 2
    assert found["history"][0]["ordered_at"] >= found["history"][1]["ordered_at"]
    for name in ("rfm_group", "tier", "abcd", "lifecycle"):
        assert found["why"][name].startswith(found["figures"][name])
    assert f"{found['figures']['p_no_order']:.0%}" in found["why"]["p_no_order"]
    prospect = customer_profile(filled, "p1", config, last_orders=2)
    assert prospect["why"]["lifecycle"].startswith("prospect")
    assert prospect["why"]["prospect_rank"].startswith("1 of 1 prospects")
    with pytest.raises(NotFound, match="'nobody' is not in the table"):
        customer_profile(filled, "nobody", config, last_orders=2)


def test_the_place_in_the_pyramid_that_is_told_is_the_true_one(settings: Settings) -> None:
    placed = orders(*(order(f"c{i}", 3 + i, order_cents=1000 * (i + 1)) for i in range(10)))
    History(settings.history_folder).append(placed, lines_of(placed, [["dal"]] * 10))
    build_customer_table(settings, now=NOW.at)
    why = customer_profile(settings, "c7", CustomerConfig(), last_orders=1)["why"]
    assert why["tier"] == "iron: 2 of 10 customers bring more than their 80.00" or why["tier"].startswith(
        "lead: 2 of 10"
    )
