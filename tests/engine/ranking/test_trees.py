"""The flat trees say what LightGBM says, NaN included."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest

from engine.errors import ArtifactBroken
from engine.ranking.trees import Trees


def taught(rows=400, columns=5, *, gaps=0.2, seed=0, **more):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(rows, columns)).astype(np.float32)
    wanted = (np.nan_to_num(table[:, 0]) > 0) + 0.5 * table[:, 1]
    table[rng.random(table.shape) < gaps] = np.nan
    settings = {"objective": "regression", "num_leaves": 15, "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1}
    return lgb.train(settings | more, lgb.Dataset(table, wanted), 30), table


@pytest.mark.parametrize("gaps", [0.0, 0.2])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_row_gets_lightgbms_own_sum(gaps, seed) -> None:
    booster, table = taught(gaps=gaps, seed=seed)
    trees = Trees.from_text(booster.model_to_string())
    unseen = np.random.default_rng(9).normal(size=(500, 5)).astype(np.float32)
    unseen[::7, 2] = np.nan
    unseen[::5, 0] = 0
    for rows in (table, unseen):
        np.testing.assert_allclose(trees.predict(rows), booster.predict(rows), rtol=1e-6, atol=1e-6)


def test_a_value_exactly_at_a_threshold_goes_left_as_in_lightgbm() -> None:
    booster, _ = taught(gaps=0.0)
    trees = Trees.from_text(booster.model_to_string())
    edges = np.zeros((len(trees.threshold), 5), np.float32)
    for near in (trees.threshold, np.nextafter(trees.threshold, np.float32(np.inf))):
        edges[np.arange(len(near)), trees.feature] = near
        np.testing.assert_allclose(trees.predict(edges), booster.predict(edges), rtol=1e-6, atol=1e-6)


def test_trees_of_a_single_leaf_are_read() -> None:
    booster, table = taught(rows=30, min_data_in_leaf=1000)
    trees = Trees.from_text(booster.model_to_string())
    np.testing.assert_allclose(trees.predict(table), booster.predict(table), rtol=1e-6)


@pytest.mark.parametrize("text", ["", "tree\nTree=0\nnum_leaves=2\n\n", "\nTree=0\nnum_leaves=x\nleaf_value=1\n\n"])
def test_what_is_no_model_is_said_to_be_broken(text) -> None:
    with pytest.raises(ArtifactBroken, match="train again"):
        Trees.from_text(text)


def test_splits_by_category_are_refused() -> None:
    rng = np.random.default_rng(0)
    table = rng.integers(0, 6, (300, 1)).astype(np.float32)
    data = lgb.Dataset(table, np.isin(table[:, 0], [1, 4]).astype(float), categorical_feature=[0])
    booster = lgb.train({"verbose": -1, "num_threads": 1, "min_data_in_leaf": 2, "min_data_per_group": 2}, data, 3)
    with pytest.raises(ArtifactBroken, match="category"):
        Trees.from_text(booster.model_to_string())
