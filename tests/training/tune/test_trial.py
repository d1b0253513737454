"""Where settings are tried: who teaches, judges and confirms, and when a finding is sure."""

from __future__ import annotations

import pytest

from engine.errors import NoHistory
from tests.baskets import learned_from, random_town
from training.tune.trial import LEAST_TARGETS, Confirmed, field_of


@pytest.mark.parametrize(("low", "better"), [(0.001, True), (0.0, False), (-0.001, False)])
def test_a_finding_is_better_only_where_its_whole_interval_is(low: float, better: bool) -> None:
    assert Confirmed(300, 0.2, 0.21, 0.01, (low, 0.02), 0.05).better is better


def test_too_few_returning_customers_are_refused_with_what_to_do() -> None:
    with pytest.raises(NoHistory, match=rf"{LEAST_TARGETS} are needed.*longer --horizon"):
        field_of(learned_from(random_town(20, 8, seed=1)), horizon_days=28, seed=0)
