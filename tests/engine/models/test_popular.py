"""What is liked everywhere, where little of it may be shown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.models.board import Board
from engine.models.popular import Popular
from tests.baskets import asks, learned_from, random_town


@given(st.integers(0, 30), st.sets(st.integers(0, 39), max_size=12))
def test_where_little_may_be_shown_the_most_liked_of_it_are_candidates(seed, allowed) -> None:
    data = learned_from(random_town(25, 40, seed=seed))
    model = Popular()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("engine.models.popular.MOST_RANKED", 6)
        patched.setattr("engine.models.popular.MOST", 5)
        model.fit(data.baskets, now=data.last_at, rng=np.random.default_rng(0))
        mask = np.isin(np.arange(len(data.items)), list(allowed))
        board = Board(len(data.items), 1)
        board.start(asks(data))
        model.add(asks(data), board, 0, mask)
    best = [column for column in np.lexsort((np.arange(len(mask)), -model.overall)).tolist() if mask[column]][:5]
    assert sorted(board.columns[: board.n].tolist()) == sorted(best)
