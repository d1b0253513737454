"""The ranker's evidence by hand, and the ranker itself where it helps and where it must not serve."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from engine.artifact import Artifact
from engine.columns import ITEMS
from engine.models.base import Recommender
from engine.models.board import Board
from engine.models.query import Place, Query
from engine.recommend.published.model import _ranker
from engine.recommend.published.places import went_to
from engine.recommend.scoring.allowed import Allowed
from engine.recommend.scoring.blend import Blend
from engine.recommend.scoring.features import ItemFacts, features, names
from engine.recommend.scoring.ranker import Ranker
from engine.recommend.scoring.scorer import Scorer
from tests.baskets import learned_from, random_town, tables
from tests.present import there
from training.data.matrices import TrainingSet, training_set
from training.data.split import Fold, Split, Target
from training.learn.blend_weights import learn_blend
from training.learn.ranker import learn_ranker
from training.learn.stack import fit_models, hold_out, tuning_sample

DAY = 86_400


def query(*baskets: list[int], now_day: int = 10, here: list[bool] | None = None) -> Query:
    own = tuple(np.array(basket, np.int32) for basket in baskets)
    at = np.arange(len(own), dtype=np.int64) * DAY
    return Query.of(own, at, now_day * DAY, here=None if here is None else np.array(here))


def lists(scorer: Scorer, targets: list[Target], size: int) -> list[npt.NDArray[np.int32]]:
    everything = Allowed.everything(12)
    return [scorer.pool(target.query, everything, size=size).columns for target in targets]


def described(asked: Query, columns: list[int], n_items: int = 5) -> list[dict[str, float]]:
    board = Board(n_items, 1)
    board.start(asked)
    board.add_columns(np.array(columns, np.int32), np.ones(n_items, bool), n_items)
    facts = ItemFacts(*(np.zeros(n_items, np.float32) for _ in range(6)))
    rows = board.row_of[columns]
    table = features(board, rows, np.zeros(len(rows), np.float32), asked, facts)
    return [dict(zip(names(["popular"]), row.tolist(), strict=True)) for row in table]


def test_own_history_with_a_dish_by_hand() -> None:
    (soup, other) = described(query([0], [1], [0], [1], now_day=10), [0, 3])
    assert soup["own_count"] == 2
    assert soup["own_share"] == 0.5
    assert soup["baskets_since"] == 2
    assert soup["days_since"] == 8
    assert soup["gaps_since"] == 4  # ordered every second day, and last eight days ago
    assert soup["own_recent"] == 1
    assert other["own_count"] == 0
    assert other["days_since"] == -1
    assert soup["baskets"] == other["baskets"] == 4
    assert soup["distinct_share"] == 0.5


def test_what_she_orders_here_is_told_apart_from_elsewhere() -> None:
    (soup, tea) = described(query([0], [0], [1], here=[True, False, True]), [0, 1])
    assert (soup["own_here"], soup["own_here_share"]) == (1, 0.5)
    assert (tea["own_here"], tea["own_here_share"]) == (1, 0.5)
    assert soup["baskets_here"] == 2


def test_a_stranger_has_no_history_and_no_habits() -> None:
    (dish,) = described(query(), [2])
    assert dish["own_count"] == dish["baskets"] == 0
    assert dish["mean_size"] == -1


def test_orders_went_here_when_within_a_block_or_in_the_zone_where_no_position_is_known() -> None:
    zone, latitude = np.array([1, 2, -1]), np.array([10.0, 10.002, np.nan], np.float32)
    longitude = np.array([20.0, 20.1, np.nan], np.float32)
    assert went_to(Place(latitude=10.001, longitude=20.001), zone, latitude, longitude).tolist() == [True, False, False]
    assert went_to(Place(zone=2), zone, latitude, longitude).tolist() == [False, True, False]
    assert went_to(Place(), zone, latitude, longitude).tolist() == [False, False, False]


def test_item_facts_by_hand() -> None:
    data = learned_from({"ann": [(0, ["soup"]), (99, ["soup", "tea"])], "bob": [(98, ["tea"])]})
    facts = ItemFacts.of(data.baskets, now=data.last_at)
    soup, tea = (data.items.to_list().index(name) for name in ("soup", "tea"))
    assert facts.rebuy_rate[soup] == pytest.approx(2 / 11)  # one of one buyer came back, ten silent ones assumed
    assert facts.rebuy_rate[tea] == pytest.approx(1 / 12)
    assert facts.log_buyers[tea] == pytest.approx(np.log(3))
    assert facts.trend[tea] > 0 > facts.trend[soup]


@pytest.fixture(scope="module")
def learned() -> tuple[TrainingSet, Split, list[Recommender], Blend, list[Target]]:
    # Everyone orders one dish at home and another at the office, in no particular order: only the place tells which.
    rng = np.random.default_rng(3)
    town: dict[str, list[tuple[float, list[str]]]] = {}
    zones: dict[str, str] = {}
    for number in range(900):
        pair = rng.choice(12, 2, replace=False)
        days = np.sort(rng.uniform(0, 100, rng.integers(6, 12)))
        where = rng.integers(0, 2, len(days))
        town[f"c{number}"] = [(float(day), [f"d{pair[w]:02d}"]) for day, w in zip(days, where, strict=True)]
        zones |= {f"c{number}-{n}": ("home", "office")[w] for n, w in enumerate(where)}
    orders, lines = tables(town)
    orders = orders.with_columns(zone=pl.Series([zones[order_id] for order_id in orders["order_id"]]))
    data = training_set(orders.lazy(), lines.lazy(), pl.DataFrame(schema=ITEMS))
    split = hold_out(data, 28)
    models = fit_models(split.past, now=split.at, seed=0, report=lambda _: None)
    targets = tuning_sample(split.targets, 0)
    blend = learn_blend([Fold(models, replace(split, targets=targets))])
    return data, split, models, blend, targets


def test_where_the_place_matters_the_ranker_beats_the_blend_and_is_kept(
    learned: tuple[TrainingSet, Split, list[Recommender], Blend, list[Target]],
) -> None:
    _, split, models, blend, targets = learned
    ranker = learn_ranker([Fold(models, replace(split, targets=targets))], blend, seed=0)
    assert ranker is not None
    assert ranker.for_known
    truth = [target.truth[0] for target in targets]
    ours, theirs = (lists(Scorer(models, blend, published), targets, 1) for published in (ranker, None))
    assert np.mean([a[0] == t for a, t in zip(ours, truth, strict=True)]) > 0.1 + np.mean(
        [b[0] == t for b, t in zip(theirs, truth, strict=True)]
    )


def test_it_survives_the_artifact(learned: tuple[TrainingSet, Split, list[Recommender], Blend, list[Target]]) -> None:
    _, split, models, blend, targets = learned
    ranker = learn_ranker([Fold(models, replace(split, targets=targets))], blend, seed=0)
    again = Ranker.from_arrays(there(ranker).arrays())
    before, after = (lists(Scorer(models, blend, it), targets[:20], 12) for it in (ranker, again))
    np.testing.assert_array_equal(before, after)
    assert (again.for_known, again.for_new) == (there(ranker).for_known, there(ranker).for_new)


def test_whom_it_does_not_serve_gets_the_blend_and_filtered_dishes_stay_out(
    learned: tuple[TrainingSet, Split, list[Recommender], Blend, list[Target]],
) -> None:
    _, split, models, blend, targets = learned
    taught = there(learn_ranker([Fold(models, replace(split, targets=targets))], blend, seed=0))
    ranker = replace(taught, for_known=True, for_new=False)
    allowed = replace(Allowed.everything(12), blocked=np.array([4], np.int32))
    with_it, without = Scorer(models, blend, ranker), Scorer(models, blend, None)
    stranger, regular = query(), targets[0].query
    for asked in (stranger, regular):
        assert 4 not in with_it.pool(asked, allowed, size=12).columns
    np.testing.assert_array_equal(
        with_it.pool(stranger, allowed, size=12).scores, without.pool(stranger, allowed, size=12).scores
    )
    assert with_it.pool(stranger, allowed, size=12).table is None
    assert with_it.pool(regular, allowed, size=12).table is not None


def test_few_held_out_baskets_teach_no_trees(
    learned: tuple[TrainingSet, Split, list[Recommender], Blend, list[Target]],
) -> None:
    _, split, models, blend, targets = learned
    assert learn_ranker([Fold(models, replace(split, targets=targets[:50]))], blend, seed=0) is None


def test_where_it_does_not_beat_the_blend_there_is_none() -> None:
    data = learned_from(random_town(500, 4, seed=2))
    split = hold_out(data, 28)
    models = fit_models(split.past, now=split.at, seed=0, report=lambda _: None)
    targets = tuning_sample(split.targets, 0)
    rng = np.random.default_rng(0)
    # What comes next is pure chance: nothing can beat anything.
    chance = [replace(target, truth=rng.integers(0, 4, 1).astype(np.int32)) for target in targets]
    folds = [Fold(models, replace(split, targets=chance))]
    assert learn_ranker(folds, learn_blend(folds), seed=0) is None


def test_a_dish_is_as_far_as_the_middle_of_where_it_is_ordered_to() -> None:
    facts = replace(
        ItemFacts(*(np.zeros(2, np.float32) for _ in range(6))),
        latitude=np.array([23.5, np.nan], np.float32),
        longitude=np.array([58.0, np.nan], np.float32),
        reach_km=np.array([2.0, np.nan], np.float32),
    )
    board = Board(2, 1)
    told = []
    for place in (Place(latitude=23.5 + 4 / 111.2, longitude=58.0), Place()):
        asked = replace(query(), place=place)
        board.start(asked)
        board.add_columns(np.array([0, 1], np.int32), np.ones(2, bool), 2)
        table = features(board, board.row_of[:2], np.zeros(2, np.float32), asked, facts)
        told.append(table[:, [names(["popular"]).index(name) for name in ("distance_km", "distance_share")]])
    assert told[0][0] == pytest.approx([4, 2], abs=0.01)
    assert told[0][1].tolist() == told[1][0].tolist() == [-1, -1]


def test_where_a_dish_is_ordered_to_is_the_median_of_its_orders() -> None:
    data = learned_from({"ann": [(0, ["soup"]), (1, ["soup"]), (2, ["soup"])], "bob": [(0, ["tea"])]})
    latitude = np.array([23.0, 23.1, 25.0, np.nan], np.float32)
    moved = replace(data.baskets, latitude=latitude, longitude=np.where(np.isnan(latitude), np.nan, 58).astype("f4"))
    facts = ItemFacts.of(moved, now=data.last_at)
    soup, tea = (data.items.to_list().index(name) for name in ("soup", "tea"))
    assert facts.latitude[soup] == pytest.approx(23.1)
    assert facts.reach_km[soup] == pytest.approx(11.12, abs=0.01)
    assert np.isnan(facts.latitude[tea])


def test_a_ranker_taught_on_other_features_leaves_the_order_to_the_blend(
    learned: tuple[TrainingSet, Split, list[Recommender], Blend, list[Target]], tmp_path: Path
) -> None:
    _, split, models, blend, targets = learned
    ranker = there(learn_ranker([Fold(models, replace(split, targets=targets))], blend, seed=0))
    older = replace(ranker, text=ranker.text.replace("blend_rank", "popular_rank"))
    for one, kept in ((ranker, True), (older, False)):
        artifact = Artifact(tmp_path, {}, {f"ranker.{name}": array for name, array in one.arrays().items()})
        assert (_ranker(artifact, [model.name for model in models]) is not None) == kept
