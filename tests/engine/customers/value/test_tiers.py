"""The pyramid by place, A/B/C/D by share of value, and loyalty by days and months."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.customers.config import Abcd, Tiers
from engine.customers.value.tiers import abcd_letters, months_active_share, repurchase_rate, tier_names
from tests.engine.customers.behaviour.test_purchases import days_of
from tests.engine.customers.histories import moment, order, orders

ORDER = ("platinum", "gold", "iron", "lead")


def test_a_hundred_customers_are_one_four_fifteen_and_eighty() -> None:
    found = tier_names(np.arange(1, 101, dtype=float), Tiers())
    assert {tier: int((found == tier).sum()) for tier in ORDER} == {"platinum": 1, "gold": 4, "iron": 15, "lead": 80}
    assert found[99] == "platinum"


def test_equals_share_the_better_tier_and_nothing_earned_is_lead() -> None:
    assert tier_names(np.array([5.0, 5.0, 1.0]), Tiers()).tolist() == ["platinum", "platinum", "lead"]
    assert tier_names(np.zeros(4), Tiers()).tolist() == ["lead"] * 4
    assert tier_names(np.array([-5.0]), Tiers()).tolist() == ["lead"]
    assert tier_names(np.empty(0), Tiers()).tolist() == []


@settings(max_examples=100)
@given(st.lists(st.integers(-5, 50), min_size=1, max_size=60))
def test_more_never_means_a_lower_tier_or_letter(values: list[int]) -> None:
    value = np.array(values, float)
    tiers = [ORDER.index(tier) for tier in tier_names(value, Tiers())]
    letters = ["ABCD".index(letter) for letter in abcd_letters(value, np.ones(len(value), bool), Abcd())]
    for found in (tiers, letters):
        for i, a in enumerate(values):
            for j, b in enumerate(values):
                assert a < b or found[i] <= found[j]


def test_a_make_up_eighty_hundredths_of_value_b_the_next_fifteen_and_d_did_not_order() -> None:
    value = np.array([50.0, 30.0, 10.0, 5.0, 5.0, 0.0])
    ordered = np.array([True] * 5 + [False])
    assert abcd_letters(value, ordered, Abcd()).tolist() == ["A", "A", "B", "B", "B", "D"]
    assert abcd_letters(np.array([50.0, 30.0, 10.0, 6.0, 4.0]), np.ones(5, bool), Abcd()).tolist() == [
        "A",
        "A",
        "B",
        "B",
        "C",
    ]


def test_an_order_day_is_repurchased_when_another_follows_in_time_and_too_young_ones_do_not_count() -> None:
    frame = orders(order("a", 100), order("a", 90), order("a", 40), order("a", 5), order("b", 3))
    rate = repurchase_rate(days_of(frame), moment("2026-03-01").day, 30)
    # 100 days ago: followed after 10; 90: not before 50 days; 40: after 35, too late; 5: too young to tell.
    assert rate[0] == pytest.approx(1 / 3)
    assert np.isnan(rate[1])


def test_months_active_count_from_the_month_of_the_first_order() -> None:
    frame = orders(order("a", 59), order("a", 58), order("a", 0), order("b", 0))
    # 59 days before the first of March is the first of January: January and March of January to March.
    assert months_active_share(days_of(frame), moment("2026-03-01").day).tolist() == [pytest.approx(2 / 3), 1.0]
