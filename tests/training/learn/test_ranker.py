"""How the ranker is taught: the gradients against LightGBM's own, and the draw of what was not ordered."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest

from engine.recommend.scoring.features import ItemFacts
from tests.baskets import learned_from
from training.kernels.gradients import keep_candidates
from training.learn.ranker import SETTINGS, TRUNCATION, Examples, Growing, _Lambdas, grow


@pytest.fixture
def examples() -> Examples:
    rng = np.random.default_rng(4)
    sizes = rng.integers(2, 2 * TRUNCATION, 300)
    table = rng.standard_normal((int(sizes.sum()), 6)).astype(np.float32)
    ordered = (table[:, 0] + rng.standard_normal(len(table)) > 2).astype(np.int8)
    # Some targets have nothing, and some everything, to tell apart.
    ordered[: sizes[0]] = 0
    ordered[sizes[0] : sizes[:2].sum()] = 1
    facts = ItemFacts.of(learned_from({"ann": [(0, ["soup"])]}).baskets, now=0)
    return Examples(tuple("abcdef"), table, ordered, sizes.tolist(), facts, False)


@pytest.mark.parametrize("trees", [1, 5])
def test_trees_are_those_of_lightgbms_own_lambdarank(examples: Examples, trees: int) -> None:
    # With fewer features a tree, each way would draw others.
    growing = Growing(trees=trees, features=1.0, least_in_leaf=20)
    settings = {"objective": "lambdarank", "lambdarank_truncation_level": TRUNCATION, "seed": 1}
    dataset = lgb.Dataset(examples.table, examples.ordered, group=examples.sizes)
    booster = lgb.train({**SETTINGS, **growing.as_lightgbm(), **settings}, dataset, trees)
    theirs = np.asarray(booster.predict(examples.table))
    ours = grow(examples, growing, seed=1).trees.predict(examples.table)
    assert np.abs(theirs).max() > 0.05
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_what_was_ordered_is_pulled_up_and_the_rest_of_its_target_down(examples: Examples) -> None:
    slope, curve = _Lambdas.of(examples).gradients(np.zeros(len(examples.table)), None)
    assert (slope[examples.ordered == 1] <= 0).all()
    assert (slope[examples.ordered == 0] >= 0).all()
    assert (curve >= 0).all()
    start = np.concatenate([[0], np.cumsum(examples.sizes)])
    np.testing.assert_allclose(np.add.reduceat(slope, start[:-1]), 0, atol=1e-4)
    assert not slope[: start[2]].any()


def test_everything_ordered_is_kept_and_of_the_rest_as_much_as_was_drawn() -> None:
    ordered = np.zeros(150, dtype=bool)
    ordered[[3, 140]] = True
    seen = np.zeros(150)
    rng = np.random.default_rng(0)
    for _ in range(300):
        kept = keep_candidates(ordered, rng.random(50, dtype=np.float32))
        assert len(kept) == 52
        assert (np.diff(kept) > 0).all()
        seen[kept] += 1
    assert (seen[[3, 140]] == 300).all()
    others = seen[~ordered]
    assert others.mean() == pytest.approx(300 * 50 / 148)
    # Evenly: no place is favoured. Five standard deviations of a binomial draw.
    assert np.abs(others - others.mean()).max() < 5 * np.sqrt(300 * (50 / 148) * (98 / 148))


def test_all_are_kept_where_there_are_fewer_than_are_drawn() -> None:
    assert keep_candidates(np.array([False, True, False]), np.full(50, 0.999, np.float32)).tolist() == [0, 1, 2]
