"""Assignment is uniform, stable, independent across salts, and keeps the global holdout first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine.experiments.assignment import Arm, assign, bucket

IDS = [f"c{i}" for i in range(20_000)]


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_bucket_is_stable_and_within_zero_and_one(salt: str, customer_id: str) -> None:
    assert 0 <= bucket(salt, customer_id) < 1
    assert bucket(salt, customer_id) == bucket(salt, customer_id)


def test_the_bucket_of_a_known_customer_never_changes() -> None:
    # Written down once: another value would move customers between arms of running campaigns.
    assert bucket("global", "c1") == 0.3056951171881336


@pytest.mark.parametrize("salt", ["global", "campaign:a", ""])
def test_buckets_are_uniform(salt: str) -> None:
    assert stats.kstest([bucket(salt, each) for each in IDS], "uniform").pvalue > 0.001


def test_different_salts_are_independent() -> None:
    one = np.array([bucket("campaign:a", each) for each in IDS])
    other = np.array([bucket("campaign:b", each) for each in IDS])
    table = np.histogram2d(one, other, bins=10)[0]
    assert stats.chi2_contingency(table).pvalue > 0.001


def test_the_campaigns_holdout_is_drawn_from_those_the_global_one_spares() -> None:
    arms = [assign(each, campaign_id="a", holdout=0.2) for each in IDS]
    n = len(IDS)
    assert stats.binomtest(arms.count(Arm.HELD_GLOBAL), n, 0.05).pvalue > 0.001
    assert stats.binomtest(arms.count(Arm.HELD_CAMPAIGN), n, 0.95 * 0.2).pvalue > 0.001


def test_the_same_people_are_held_out_globally_by_every_campaign() -> None:
    held = [{each for each in IDS if assign(each, campaign_id=c, holdout=0.5) is Arm.HELD_GLOBAL} for c in "ab"]
    assert held[0] == held[1]
    assert held[0]


@given(st.sampled_from(IDS), st.floats(0, 0.9), st.floats(0, 0.9))
def test_a_larger_holdout_only_adds_people(customer_id: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    if assign(customer_id, campaign_id="a", holdout=small) is Arm.HELD_CAMPAIGN:
        assert assign(customer_id, campaign_id="a", holdout=large) is Arm.HELD_CAMPAIGN


def test_a_campaign_called_global_draws_its_own_people() -> None:
    kept = [each for each in IDS if assign(each, campaign_id="global", holdout=0.05) is Arm.HELD_CAMPAIGN]
    assert len(kept) > 500


def test_a_global_holdout_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="global holdout"):
        assign("c1", campaign_id="a", holdout=0.1, global_holdout=0.16)
