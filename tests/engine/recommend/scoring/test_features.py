"""A feature's place is its slot's, for the writer, the reader and the artifact alike."""

from __future__ import annotations

from engine.recommend.kernels.features import OF_BLEND, SLOTS, FeatureSlot
from engine.recommend.scoring.features import names


def test_slots_follow_one_another_without_a_gap() -> None:
    assert [slot.value for slot in FeatureSlot] == list(range(SLOTS))


def test_names_stand_where_the_slots_are() -> None:
    models = ["popular", "repeat"]
    found = names(models)
    assert found[: len(models) + OF_BLEND] == ["popular_score", "repeat_score", "blend_score", "blend_rank"]
    for slot in FeatureSlot:
        assert found[len(models) + OF_BLEND + slot] == slot.name.lower()


def test_names_of_earlier_artifacts_stay_where_they_were() -> None:
    expected = (
        "own_count own_share baskets_since days_since gaps_since own_recent own_here own_here_share baskets mean_size "
        "days_since_last distinct_share baskets_here rebuy_rate log_buyers trend distance_km distance_share"
    )
    assert names([])[OF_BLEND:] == expected.split()
