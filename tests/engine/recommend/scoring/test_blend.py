"""The weights of a blend, for customers and for strangers."""

from __future__ import annotations

import pytest

from engine.recommend.scoring.blend import Blend


def test_a_blends_weights_follow_the_models_and_popularity_breaks_near_ties() -> None:
    vector = Blend({"repeat": 1.0, "gone": 3.0}).vector(["popular", "repeat", "als"])
    assert vector[1:].tolist() == [1.0, 0.0]
    assert 0 < vector[0] < 1e-5


def test_popularity_is_not_asked_to_break_ties_where_another_tells_dishes_apart() -> None:
    blend = Blend({"repeat": 1.0, "popular_by_daypart": 0.5})
    assert blend.vector(["popular", "repeat", "popular_by_daypart"]).tolist() == [0.0, 1.0, 0.5]


def test_strangers_are_shown_what_everybody_likes_whatever_the_weights_of_regulars() -> None:
    blend = Blend({"repeat": 1.0})
    assert blend.vector(["popular", "repeat"], known=False).tolist() == pytest.approx([0.1, 0.0], abs=1e-4)
    assert blend.vector(["repeat"], known=False).tolist() == [0.0]


def test_a_blend_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="weight above 0"):
        Blend({}).vector(["als"])
