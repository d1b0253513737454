"""The ranker's evidence by hand, and the ranker itself where it helps and where it must not serve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from engine.columns import ITEMS
from engine.models.base import Place, Query
from engine.ranking.blend import components
from engine.ranking.features import ItemFacts, candidates, features, names
from engine.ranking.places import went_to
from engine.ranking.ranker import Ranker, masked
from engine.ranking.top import top_k
from tests.baskets import learned_from, random_town, tables
from training.learn import fit_models, hold_out, tuning_sample
from training.learn_blend import learn_blend
from training.learn_ranker import learn_ranker
from training.matrices import training_set

DAY = 86_400


def query(*baskets, now_day=10, here=None):
    own = tuple(np.array(basket, np.int32) for basket in baskets)
    at = np.arange(len(own), dtype=np.int64) * DAY
    return Query(own, at, now_day * DAY, Place(), -1, np.array(here if here is not None else [False] * len(own)))


def described(asked, columns, n_items=5):
    scores = np.zeros((1, n_items), np.float32)
    facts = ItemFacts(*(np.zeros(n_items, np.float32) for _ in range(3)))
    table = features({"popular": scores}, scores, 0, asked, np.array(columns, np.int32), facts)
    return [dict(zip(names(["popular"]), row.tolist(), strict=True)) for row in table]


def test_her_history_with_a_dish_by_hand() -> None:
    (soup, other) = described(query([0], [1], [0], [1], now_day=10), [0, 3])
    assert soup["own_count"] == 2
    assert soup["own_share"] == 0.5
    assert soup["baskets_since"] == 2
    assert soup["days_since"] == 8
    assert soup["gaps_since"] == 4  # she orders it every second day and last did eight days ago
    assert soup["own_recent"] == 1
    assert other["own_count"] == 0
    assert np.isnan(other["days_since"])
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
    assert np.isnan(dish["mean_size"])


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


def test_candidates_never_hold_what_was_filtered_out() -> None:
    scores = {"popular": np.array([[0.5, 0.4, 0.3]], np.float32)}
    allowed = np.array([True, False, True])
    kept = masked(scores, allowed)
    assert candidates(kept, np.where(allowed, scores["popular"], -np.inf))[0].tolist() == [0, 2]


@pytest.fixture(scope="module")
def learned():
    # Everyone orders one dish at home and another at the office, in no particular order: only the place tells which.
    rng = np.random.default_rng(3)
    town, zones = {}, {}
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
    blend = learn_blend(models, targets)
    return data, split, models, blend, targets


def test_where_the_place_matters_the_ranker_beats_the_blend_and_is_kept(learned) -> None:
    _, split, models, blend, targets = learned
    ranker = learn_ranker(models, blend, split.past, targets, now=split.at, seed=0)
    assert ranker is not None
    assert ranker.for_known
    queries = [target.query for target in targets]
    parts = components(models, queries)
    blended = blend.combine(parts)
    truth = np.array([target.truth[0] for target in targets])
    ours = (top_k(ranker.rank(parts, blended, queries), 1)[:, 0] == truth).mean()
    theirs = (top_k(blended, 1)[:, 0] == truth).mean()
    assert ours > theirs + 0.1


def test_it_survives_the_artifact(learned) -> None:
    _, split, models, blend, targets = learned
    ranker = learn_ranker(models, blend, split.past, targets, now=split.at, seed=0)
    again = Ranker.from_arrays(ranker.arrays())
    queries = [target.query for target in targets[:20]]
    parts = components(models, queries)
    blended = blend.combine(parts)
    np.testing.assert_array_equal(again.rank(parts, blended, queries), ranker.rank(parts, blended, queries))
    assert (again.for_known, again.for_new) == (ranker.for_known, ranker.for_new)


def test_whom_it_does_not_serve_gets_the_blend_and_filtered_dishes_stay_out(learned) -> None:
    _, split, models, blend, targets = learned
    ranker = learn_ranker(models, blend, split.past, targets, now=split.at, seed=0)
    asked = [targets[0].query, query()]
    allowed = np.ones((2, 12), dtype=bool)
    allowed[:, 4] = False
    parts = masked(components(models, asked), allowed)
    blended = np.where(allowed, blend.combine(parts), np.float32(-np.inf))
    scores = replace(ranker, for_new=False).rank(parts, blended, asked)
    np.testing.assert_array_equal(scores[1], blended[1])
    assert np.isneginf(scores[:, 4]).all()
    assert 4 not in top_k(scores, 12)


def test_few_held_out_baskets_teach_no_trees(learned) -> None:
    _, split, models, blend, targets = learned
    assert learn_ranker(models, blend, split.past, targets[:50], now=split.at, seed=0) is None


def test_where_it_does_not_beat_the_blend_there_is_none() -> None:
    data = learned_from(random_town(500, 4, seed=2))
    split = hold_out(data, 28)
    models = fit_models(split.past, now=split.at, seed=0, report=lambda _: None)
    targets = tuning_sample(split.targets, 0)
    rng = np.random.default_rng(0)
    # What comes next is pure chance: nothing can beat anything.
    chance = [replace(target, truth=rng.integers(0, 4, 1).astype(np.int32)) for target in targets]
    assert learn_ranker(models, learn_blend(models, chance), split.past, chance, now=split.at, seed=0) is None
