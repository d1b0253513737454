"""The flat trees say what LightGBM says."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pytest
from lightgbm.basic import Booster

from engine.errors import ArtifactBroken
from engine.recommend.scoring.trees import DEPTH, Trees


def taught(rows: int = 400, columns: int = 5, *, seed: int = 0, **more: int) -> tuple[Booster, npt.NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(rows, columns)).astype(np.float32)
    wanted = (table[:, 0] > 0) + 0.5 * table[:, 1] * table[:, 2]
    settings = {"objective": "regression", "num_leaves": 31, "max_depth": DEPTH, "min_data_in_leaf": 3, "verbose": -1}
    return lgb.train(settings | {"num_threads": 1} | more, lgb.Dataset(table, wanted), 30), table


@pytest.mark.parametrize("rows", [1, 3, 4, 7, 500])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_row_gets_lightgbms_own_sum(rows: int, seed: int) -> None:
    booster, table = taught(seed=seed)
    trees = Trees.from_text(booster.model_to_string())
    unseen = np.random.default_rng(9).normal(size=(rows, 5)).astype(np.float32)
    unseen[::5, 0] = -1
    for asked in (table, unseen):
        np.testing.assert_allclose(trees.predict(asked), np.asarray(booster.predict(asked)), rtol=1e-6, atol=1e-6)


def test_a_value_exactly_at_a_threshold_goes_left_as_in_lightgbm() -> None:
    booster, _ = taught()
    trees = Trees.from_text(booster.model_to_string())
    bounds, which = trees.threshold.ravel(), trees.feature.ravel()
    which, bounds = which[np.isfinite(bounds)], bounds[np.isfinite(bounds)]
    assert len(bounds) > 300
    edges = np.zeros((len(bounds), 5), np.float32)
    for near in (bounds, np.nextafter(bounds, np.float32(np.inf))):
        edges[np.arange(len(near)), which] = near
        np.testing.assert_allclose(trees.predict(edges), np.asarray(booster.predict(edges)), rtol=1e-6, atol=1e-6)


def test_trees_of_a_single_leaf_are_read() -> None:
    booster, table = taught(rows=30, min_data_in_leaf=1000)
    trees = Trees.from_text(booster.model_to_string())
    np.testing.assert_allclose(trees.predict(table), np.asarray(booster.predict(table)), rtol=1e-6)


HEAD = "tree\nfeature_names=a b\n"


@pytest.mark.parametrize(
    "text", ["", HEAD, f"{HEAD}\nTree=0\nnum_leaves=2\n\n", f"{HEAD}\nTree=0\nnum_leaves=x\nleaf_value=1\n\n"]
)
def test_what_is_no_model_is_said_to_be_broken(text: str) -> None:
    with pytest.raises(ArtifactBroken, match="train again"):
        Trees.from_text(text)


def test_splits_by_category_are_refused() -> None:
    rng = np.random.default_rng(0)
    table = rng.integers(0, 6, (300, 1)).astype(np.float32)
    data = lgb.Dataset(table, np.isin(table[:, 0], [1, 4]).astype(float), categorical_feature=[0])
    booster = lgb.train({"verbose": -1, "num_threads": 1, "min_data_in_leaf": 2, "min_data_per_group": 2}, data, 3)
    with pytest.raises(ArtifactBroken, match="category"):
        Trees.from_text(booster.model_to_string())


@pytest.mark.parametrize("leaves", [32, 33, 64])
def test_trees_of_up_to_64_leaves_are_read_however_deep(leaves: int) -> None:
    booster, table = taught(max_depth=-1, num_leaves=leaves)
    trees = Trees.from_text(booster.model_to_string())
    np.testing.assert_allclose(trees.predict(table), np.asarray(booster.predict(table)), rtol=1e-6, atol=1e-6)


def test_trees_of_more_leaves_are_refused() -> None:
    booster, _ = taught(max_depth=-1, num_leaves=200)
    with pytest.raises(ArtifactBroken, match="leaves"):
        Trees.from_text(booster.model_to_string())
