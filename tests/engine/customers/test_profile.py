"""One customer's profile: the row as stored, a sentence for every group, the latest orders."""

from __future__ import annotations

import pytest

from engine.customers.config import CustomerConfig
from engine.customers.profile import customer_profile
from engine.customers.store import build_customer_table
from engine.errors import NotFound
from engine.history.opening import open_history
from engine.history.tables import upsert_table
from engine.settings import Settings
from tests.engine.customers.histories import NOW, customers, drawn_town, lines_of, order, orders


@pytest.fixture
def filled(settings: Settings) -> Settings:
    placed = drawn_town(150, seed=5)
    open_history(settings).append(placed, lines_of(placed, [["dal"]] * placed.height))
    upsert_table(settings, "customers", customers({"customer_id": "p1"}))
    return settings


def test_one_customer_is_shown_with_figures_orders_and_every_group_explained(filled: Settings) -> None:
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


def test_the_place_among_all_customers_is_counted(settings: Settings) -> None:
    placed = orders(*(order(f"c{i}", 3 + i, order_cents=1000 * (i + 1)) for i in range(10)))
    open_history(settings).append(placed, lines_of(placed, [["dal"]] * 10))
    build_customer_table(settings, now=NOW.at)
    why = customer_profile(settings, "c7", CustomerConfig(), last_orders=1)["why"]
    assert why["tier"] == "iron: 2 of 10 customers bring more than this one's 80.00" or why["tier"].startswith(
        "lead: 2 of 10"
    )
