"""Quintiles share scores between equals, ten groups cover every score, and moves between dates add up."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.customers.columns import RFM_GROUPS
from engine.customers.value.rfm import (
    group_transitions,
    quintile_cut_points,
    quintile_scores,
    rfm_group_names,
    rfm_scores,
)

VALUES = st.lists(st.integers(0, 30), min_size=1, max_size=80)


def test_five_distinct_fifths_score_one_to_five() -> None:
    values = np.array([10.0, 20.0, 30.0, 40.0, 50.0])
    assert quintile_scores(values, quintile_cut_points(values)).tolist() == [1, 2, 3, 4, 5]


def test_seven_in_ten_with_one_order_all_score_one() -> None:
    values = np.array([1.0] * 7 + [2.0, 3.0, 9.0])
    assert quintile_scores(values, quintile_cut_points(values)).tolist() == [1] * 7 + [4, 5, 5]


@settings(max_examples=150)
@given(VALUES)
def test_scores_rise_with_the_value_and_equals_are_equal(values: list[int]) -> None:
    array = np.array(values, float)
    found = quintile_scores(array, quintile_cut_points(array))
    assert found.min() >= 1
    assert found.max() <= 5
    for i, a in enumerate(values):
        for j, b in enumerate(values):
            assert (found[i] == found[j]) if a == b else (a > b or found[i] <= found[j])


def test_every_combination_has_one_of_ten_names_and_all_ten_occur() -> None:
    r, f, m = (each.ravel() for each in np.meshgrid(*[np.arange(1, 6)] * 3))
    assert set(rfm_group_names(r, f, m)) == set(RFM_GROUPS)
    assert rfm_group_names(np.array([5, 1, 1]), np.array([5, 1, 5]), np.array([5, 1, 5])).tolist() == [
        "champions",
        "lost",
        "cannot_lose",
    ]


def test_the_most_recent_scores_five_and_who_has_no_order_in_the_window_one() -> None:
    recency, frequency = np.array([0, 10, 20, 30, 40, 400]), np.array([1, 2, 3, 4, 5, 0])
    r, f, m = rfm_scores(recency, frequency, frequency * 10.0)
    assert r.tolist() == [5, 4, 3, 2, 1, 1]
    assert f.tolist() == [1, 2, 3, 4, 5, 1]
    assert m.tolist() == f.tolist()


def test_moves_between_two_dates_add_up_to_everybody_now() -> None:
    before = pl.DataFrame({"customer_id": ["a", "b", "c"], "lifecycle": ["active", "active", None]})
    after = pl.DataFrame({"customer_id": ["a", "b", "c", "d"], "lifecycle": ["active", "slowing", "new", "new"]})
    found = {(f, t): (n, s) for f, t, n, s in group_transitions(before, after, "lifecycle").iter_rows()}
    assert found == {
        ("active", "active"): (1, 0.5),
        ("active", "slowing"): (1, 0.5),
        ("(no order)", "new"): (1, 1.0),
        ("(nobody yet)", "new"): (1, 1.0),
    }
