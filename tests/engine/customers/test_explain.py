"""A sentence for each group a customer is in, with the figures it rests on."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from engine.customers.config import CustomerConfig
from engine.customers.explain import explain_groups

DAY = datetime(2026, 2, 1, tzinfo=UTC)
ROW = {
    "orders": 3, "frequency": 3, "rfm_group": "loyal", "r": 4, "f": 4, "m": 3, "recency_days": 28, "monetary": 60.0,
    "tier": "gold", "tier_value": 20.0, "abcd": "A", "lifecycle": "active", "first_order_at": DAY, "last_order_at": DAY,
    "slowing_at": DAY, "likely_lapsed_at": DAY, "lapsed_at": DAY, "own_gap_days": 7.0, "cadence_days": 8.04,
    "p_no_order": 0.25, "unhappy_at": None, "unhappy_valuable": False, "natural_group": "lunch",
    "prospect_rank": None,
}  # fmt: skip
EVERYONE = pl.DataFrame({"orders": [0, 1, 3, 5], "tier_value": [None, 5.0, 20.0, 30.0]})
FACTS = {
    "timezone": "UTC",
    "cut_points": {"recency_days": [-90.0, -60.0, -30.0, -5.0], "frequency": [1.0, 2.0, 3.0, 4.0],
                   "monetary": [10.0, 20.0, 30.0, 40.0]},
    "horizon_days": 90, "return_model": None,
}  # fmt: skip


def explained(**other: object) -> dict[str, str]:
    return explain_groups({**ROW, **other}, EVERYONE, FACTS, CustomerConfig())


def test_each_group_is_explained_by_its_figures() -> None:
    found = explained()
    assert found["rfm_group"].startswith(
        "loyal: r 4 (last order 28 days ago; fifths end at 5, 30, 60, 90), f 4 (3 orders"
    )
    assert found["tier"] == "gold: 1 of 3 customers bring more than this one's 20.00"
    assert found["abcd"] == "A: among those who together make up the first 80% of revenue"
    assert found["lifecycle"].endswith("(own gaps 7.0 days on mean, typical 8.0)")
    assert found["p_no_order"] == "25% chance of no order in 90 days (not judged yet)"
    assert found["natural_group"] == "nearest to the group “lunch”"
    assert "unhappy_valuable" not in found


@pytest.mark.parametrize(
    ("other", "group", "sentence"),
    [
        ({"frequency": 0}, "rfm_group", "no order in the newest 365 days, so r, f and m are 1"),
        ({"tier_value": None}, "tier", "no margin in the newest 365 days"),
        ({"abcd": "D"}, "abcd", "no order in the newest 365 days"),
        ({"lifecycle": "new"}, "lifecycle", "first order 2026-02-01, less than 30 days ago"),
        ({"lifecycle": "won_back"}, "lifecycle", "which ended a lapse"),
        ({"own_gap_days": None}, "lifecycle", "no gap of their own yet"),
        ({"unhappy_at": DAY}, "unhappy_valuable", "but not lately, or not among the most valuable"),
        ({"unhappy_at": DAY, "unhappy_valuable": True}, "unhappy_valuable", "made unhappy on 2026-02-01"),
    ],
)
def test_what_is_missing_or_out_of_the_ordinary_has_its_own_words(
    other: dict[str, object], group: str, sentence: str
) -> None:
    assert sentence in explained(**other)[group]


def test_a_judged_model_names_its_auc() -> None:
    judged = {**FACTS, "return_model": {"model": {"value": 0.7314}, "tested_from": "2025-12-01"}}
    found = explain_groups(ROW, EVERYONE, judged, CustomerConfig())
    assert found["p_no_order"].endswith("(AUC 0.731 on days from 2025-12-01)")


def test_a_prospect_has_a_rank_and_no_other_group() -> None:
    assert explained(orders=0, prospect_rank=1) == {
        "lifecycle": "prospect: no delivered order by then",
        "prospect_rank": "1 of 1 prospects, by likeness to the best",
    }
    assert explained(orders=0) == {"lifecycle": "prospect: no delivered order by then"}


def test_days_are_those_of_the_zone_the_table_was_built_in() -> None:
    late = {"lifecycle": "new", "first_order_at": datetime(2026, 2, 1, 18, tzinfo=UTC)}
    facts = {**FACTS, "timezone": "Asia/Shanghai"}
    assert "first order 2026-02-02" in explain_groups({**ROW, **late}, EVERYONE, facts, CustomerConfig())["lifecycle"]
