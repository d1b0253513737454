"""What a list is answered with."""

from __future__ import annotations

import pytest

from engine.recommend.explain.reasons import Reason
from engine.recommend.options import ListOptions
from engine.recommend.response import Dish, exploration_notes


@pytest.mark.parametrize(
    ("propensities", "share", "after", "notes"),
    [
        ((1, 1, 1, 0.5, 0.5), 0.2, 3, []),
        ((1, 1, 1, 0.2, 0.3), 0.5, 3, ["explored_less"]),  # two and a half slots of five, and two are free
        ((1, 0.5, 0.5, 1), 0.3, 1, ["explored_less"]),  # there were no more new dishes
        ((1, 1, 1), 0.5, 3, ["not_explored"]),
        ((), 0.5, 0, []),
    ],
)
def test_a_list_that_explores_fewer_slots_than_asked_says_so(
    propensities: tuple[float, ...], share: float, after: int, notes: list[str]
) -> None:
    dishes = [Dish("d", "D", 0.5, "popular", Reason("popular", "Popular"), p) for p in propensities]
    assert exploration_notes(ListOptions(explore_share=share, explore_after=after), dishes) == notes
