"""What is liked everywhere, where little of it may be shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.models.board import Board
from engine.models.popular import Popular
from engine.models.query import Place
from tests.baskets import asks, learned_from, random_town


@given(st.integers(0, 30), st.sets(st.integers(0, 39), max_size=12))
def test_where_little_may_be_shown_the_most_liked_of_it_are_candidates(seed: int, allowed: set[Any]) -> None:
    data = learned_from(random_town(25, 40, seed=seed))
    model = Popular()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("engine.models.popular.MOST_RANKED", 6)
        patched.setattr("engine.models.popular.MOST", 5)
        model.fit(data.baskets, now=data.last_at, rng=np.random.default_rng(0))
        mask = np.isin(np.arange(len(data.items)), list(allowed))
        board = Board(len(data.items), 1)
        board.start(asks(data))
        model.propose(asks(data), board, 0, mask)
    best = [column for column in np.lexsort((np.arange(len(mask)), -model.overall)).tolist() if mask[column]][:5]
    assert sorted(board.columns[: board.n].tolist()) == sorted(best)


@pytest.mark.parametrize("enough", [2, 20])
def test_where_a_zone_tells_enough_what_is_ordered_around_it_brings_nothing_of_its_own(enough: int) -> None:
    # Ann's zone knows three dishes; bob lives beside it, orders one of them and one nobody orders there.
    data = learned_from(
        {"ann": [(0, ["rice", "soup"]), (1, ["soup", "tea"])], "bob": [(0, ["cake", "soup"])]},
        zones={"ann": "here", "bob": "there"},
    )
    near = replace(data.baskets, latitude=np.full(3, 31.2, np.float32), longitude=np.full(3, 121.4, np.float32))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("engine.models.popular.MOST", enough)
        model = Popular().fit(near, now=data.last_at, rng=np.random.default_rng(0))
        query = asks(data, place=Place(list(data.zones).index("here"), -1, 31.2, 121.4))
        board = Board(len(data.items), 1)
        board.start(query)
        model.propose(query, board, 0, np.ones(len(data.items), dtype=bool))
        model.score_candidates(query, board, 0, np.arange(board.n, dtype=np.int32))
    told = {
        data.items[column]: board.model_scores[row, 0] for row, column in enumerate(board.columns[: board.n].tolist())
    }
    assert ("cake" in told) == (enough > 3)
    # Of what has a row, nothing of what is ordered around is left out.
    everything = model.score([query])[0]
    for dish, share in told.items():
        assert share == pytest.approx(everything[list(data.items).index(dish)])
    assert told["soup"] > told["tea"] > everything[list(data.items).index("cake")]
