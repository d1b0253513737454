"""Matrices, splits and the blend: what is learned from what, and that nothing later is seen."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.columns import DAY_S, ITEMS, LINES, ORDERS
from engine.errors import NoHistory
from engine.history.parquet import ParquetHistory
from engine.models.registry import default_weights
from engine.recommend.scoring.blend import Blend
from tests.baskets import START, learned_from, random_town, tables, without_clock
from training.data.matrices import keep_baskets, training_set, training_set_of
from training.data.split import Fold, sample, split_by_time, split_last_basket
from training.learn.blend_weights import learn_blend
from training.learn.stack import TrainingPlan, _lessons, fit_models, hold_out, learn, tuning_sample


def said(data, baskets=None):
    """Read baskets back as {customer: [dishes, ...]}, the inverse of the border."""
    b = baskets or data.baskets
    return {
        name: [
            sorted(data.items[int(i)] for i in b.items[b.basket_start[n] : b.basket_start[n + 1]])
            for n in range(b.customer_start[row], b.customer_start[row + 1])
        ]
        for row, name in enumerate(data.customers)
    }


def test_baskets_keep_every_delivered_order_in_time_order() -> None:
    told = {"bob": [(3, ["tea"]), (1, ["soup", "rice"])], "ann": [(2, ["soup"])]}
    assert said(learned_from(told)) == {"ann": [["soup"]], "bob": [["rice", "soup"], ["tea"]]}


def test_orders_not_delivered_teach_nothing() -> None:
    orders, lines = tables({"ann": [(0, ["soup"]), (1, ["tea"])]})
    cancelled = pl.when(pl.col("order_id") == "ann-1").then(pl.lit("cancelled")).otherwise("status").alias("status")
    data = training_set(
        orders.with_columns(cancelled).lazy(), lines.with_columns(cancelled).lazy(), pl.DataFrame(schema=ITEMS)
    )
    assert said(data) == {"ann": [["soup"]]}


def test_equal_instants_keep_the_order_of_basket_numbers() -> None:
    orders, lines = tables({"ann": [(0, ["a"]), (0, ["b"]), (0, ["c"])]})
    orders = orders.with_columns(basket_no=pl.Series([3, 1, 2], dtype=pl.Int32))
    data = training_set(orders.lazy(), lines.lazy(), pl.DataFrame(schema=ITEMS))
    assert said(data) == {"ann": [["b"], ["c"], ["a"]]}


def test_a_listed_dish_nobody_ordered_has_a_column() -> None:
    orders, lines = tables({"ann": [(0, ["soup"])]})
    items = pl.DataFrame([{"item_id": "new", "vendor_id": "v1"}], schema=ITEMS)
    assert training_set(orders.lazy(), lines.lazy(), items).items.to_list() == ["new", "soup"]


def test_history_read_month_by_month_is_the_history_read_whole(tmp_path) -> None:
    town = random_town(30, 12, seed=3)
    spread = {name: [(day, dishes) for day, dishes in placed] for name, placed in town.items()}
    orders, lines = tables(spread, zones={name: f"z{len(name) % 3}" for name in spread}, vendors={"d01": "v1"})
    history = ParquetHistory(tmp_path)
    history.append(orders, lines.with_columns(quantity=pl.col("quantity") + 1))
    items = pl.DataFrame([{"item_id": "new", "vendor_id": "v2"}], schema=ITEMS)
    assert len(list(history.months())) > 2

    parts, whole = training_set_of(history.months(), items), training_set(history.orders(), history.lines(), items)

    for field in [field for field in fields(whole.baskets) if field.init]:
        np.testing.assert_array_equal(getattr(parts.baskets, field.name), getattr(whole.baskets, field.name))
    for name in ("customers", "items", "zones", "vendors", "vendor_items"):
        assert getattr(parts, name).equals(getattr(whole, name)), name


def test_history_without_items_says_what_to_do() -> None:
    with pytest.raises(NoHistory, match="item_id"):
        training_set(pl.LazyFrame(schema=ORDERS), pl.LazyFrame(schema=LINES), pl.DataFrame(schema=ITEMS))


@given(st.integers(0, 10_000), st.floats(1, 89))
@settings(max_examples=25, deadline=None)
def test_a_time_split_shows_the_past_nothing_later_and_asks_for_the_next_basket(seed, day) -> None:
    data = learned_from(random_town(12, 6, seed=seed))
    at = int((START + timedelta(days=day)).timestamp())
    split = split_by_time(data, at)
    assert (split.past.at < at).all()
    whole, past = said(data), said(data, split.past)
    for target in split.targets:
        name = data.customers[target.query.row]
        assert len(target.query.baskets) == len(past[name])
        assert whole[name][: len(past[name])] == past[name]
        assert sorted(data.items[int(i)] for i in target.truth) == whole[name][len(past[name])]
        assert target.query.now >= at
        assert target.query.place.vendor == -1


def test_the_last_basket_split_takes_one_basket_of_everyone_with_two() -> None:
    data = learned_from({"ann": [(0, ["a"]), (1, ["b"])], "bob": [(0, ["c"])]})
    split = split_last_basket(data)
    assert said(data, split.past) == {"ann": [["a"]], "bob": [["c"]]}
    assert [data.items[int(i)] for i in split.targets[0].truth] == ["b"]
    assert len(split.targets) == 1


def test_a_long_horizon_is_cut_to_a_fifth_of_the_window() -> None:
    data = learned_from({"ann": [(0, ["a"]), (90, ["b"]), (100, ["b"])]})
    assert hold_out(data, 365).at == data.last_at - 20 * DAY_S


def test_a_stray_late_order_does_not_become_all_there_is_to_judge_by() -> None:
    town = random_town(100, 8, seed=2)
    town["late"] = [(700, ["d01"])]
    split = hold_out(learned_from(town), 28)
    assert len(split.targets) > 10


def test_keeping_all_baskets_changes_nothing() -> None:
    data = learned_from(random_town(10, 5, seed=2))
    kept = keep_baskets(data.baskets, np.ones(data.baskets.n_baskets, bool))
    assert said(data, kept) == said(data)


def test_a_sample_is_fixed_by_its_seed_and_never_repeats() -> None:
    targets = split_last_basket(learned_from(random_town(40, 8, seed=1))).targets
    first, again = ([target.query.row for target in sample(targets, 10, np.random.default_rng(4))] for _ in range(2))
    assert first == again
    assert len(set(first)) == 10


def test_targets_made_when_asked_for_are_those_made_all_at_once() -> None:
    targets = split_last_basket(learned_from(random_town(40, 8, seed=1))).targets
    whole = list(targets)
    assert [target.query.row for target in whole] == [targets[place].query.row for place in range(len(targets))]
    assert [target.query.row for target in sample(whole, 10, np.random.default_rng(4))] == [
        target.query.row for target in sample(targets, 10, np.random.default_rng(4))
    ]
    assert all(target.truth.tolist() == targets[place].truth.tolist() for place, target in enumerate(whole))


def test_the_learned_blend_is_never_worse_than_the_default_on_what_it_learned_from() -> None:
    from training.learn.blend_weights import _candidates, _ndcg

    data = learned_from(random_town(150, 15, seed=8))
    split = hold_out(data, 28)
    models = fit_models(split.past, now=split.at, seed=0, report=lambda _: None)
    targets = tuning_sample(split.targets, 0)
    assert len(targets) >= 50
    features, relevant, ideal = _candidates(models, targets)
    learned = learn_blend([Fold(models, replace(split, targets=targets))]).weights
    names = [model.name for model in models]
    ours = _ndcg(features, relevant, ideal, np.array([learned[name] for name in names]))
    start = _ndcg(features, relevant, ideal, np.array([default_weights()[name] for name in names]))
    assert ours >= start
    assert sum(learned.values()) == pytest.approx(1, abs=1e-4)


def test_too_few_returning_customers_keep_the_default_weights() -> None:
    data = learned_from({"ann": [(0, ["a"]), (30, ["b"])]})
    learned = learn(data, horizon_days=28, seed=0, report=lambda _: None)
    assert learned.blend.weights == {model.name: default_weights()[model.name] for model in learned.models}
    assert learned.tuned_on == 1


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


def test_what_strangers_are_shown_is_learned_from_first_orders() -> None:
    old, new = [(float(day), ["old"]) for day in range(3)], ["new"]
    town = {f"a{i:03d}": [(float(i % 60), ["old"])] for i in range(600)} | {"b": old}
    town |= {f"n{i:03d}": [(90.0 + i / 20, new)] for i in range(120)}
    data = learned_from(town)
    split = split_by_time(data, int(data.first_at + 92 * 86_400))
    models = fit_models(split.past, now=split.at, seed=0, report=lambda _: None)
    learned = learn_blend([Fold(models, split)])
    assert (
        learned.for_new["trending"]
        > default_weights()["trending"] / default_weights()["popular"] * (learned.for_new["popular"])
    )
    assert all(learned.for_new.values())


def test_a_blend_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="weight above 0"):
        Blend({}).vector(["als"])


def test_a_small_history_teaches_by_several_stretches_each_told_by_models_that_knew_nothing_of_it() -> None:
    data = learned_from(random_town(150, 15, seed=8))
    split = hold_out(data, 10)
    newest = Fold(fit_models(split.past, now=split.at, seed=0, report=lambda _: None), split)
    course = TrainingPlan(data, 10, 0, lambda _: None)
    folds = _lessons(course, newest, thorough=True)
    assert len(folds) > 2
    for later, fold in pairwise(folds):
        assert fold.split.at < later.split.at
        assert fold.split.past.at.max() < fold.split.at <= later.split.past.at.max()
        assert {target.query.now for target in fold.split.targets} <= set(later.split.past.at.tolist())
        assert 2 * fold.split.past.n_baskets >= data.baskets.n_baskets
    quick = _lessons(course, newest, thorough=False)
    assert [fold.split.at for fold in quick] == [split.at]


def test_without_a_clock_everybody_teaches_once_while_the_last_baskets_of_others_are_known() -> None:
    data = without_clock({f"c{n}": ["a", "b", "c"][: 1 + n % 3] for n in range(60)})
    split = split_last_basket(data)
    newest = Fold(fit_models(split.past, now=split.at, seed=0, report=lambda _: None), split)
    folds = _lessons(TrainingPlan(data, 28, 0, lambda _: None), newest, thorough=True)
    asked = [target.query.row for fold in folds for target in fold.split.targets]
    assert sorted(asked) == sorted(target.query.row for target in split.targets)
    assert all(fold.split.past.n_baskets > split.past.n_baskets for fold in folds)


def test_baskets_without_a_clock_are_four_weeks_apart_and_all_end_now() -> None:
    data = without_clock({"ann": ["a", "b", "c"], "bob": ["a"]})
    ages = (data.last_at - data.baskets.at) / 86_400
    assert ages.tolist() == [56, 28, 0, 0]


def town_of_friends(*, alike: bool):
    """Old customers with one favourite of twelve each, and newcomers they brought, who eat the same or anything."""
    rng = np.random.default_rng(4)
    old = {f"old{n:03d}": f"d{n % 12:02d}" for n in range(180)}
    told = {name: [(float(day), [dish]) for day in range(2, 60, 7)] for name, dish in old.items()}
    friend = {f"new{n:03d}": f"old{rng.integers(180):03d}" for n in range(120)}
    for n, (name, other) in enumerate(friend.items()):
        told[name] = [(62 + n / 5, [old[other] if alike else f"d{rng.integers(12):02d}"])]
    data = learned_from(told)
    names = data.customers.to_list()
    rows = {name: row for row, name in enumerate(names)}
    referrer = np.array([rows[friend[name]] if name in friend else -1 for name in names], np.int32)
    language = np.array([int(old[friend.get(name, name)] < "d06") for name in names], np.int8)
    if not alike:
        language = rng.permutation(language)
    return replace(data, baskets=replace(data.baskets, referrer=referrer, language=language))


@pytest.mark.parametrize("alike", [True, False])
def test_what_friends_and_languages_tell_of_newcomers_is_heard_only_where_they_tell_anything(alike) -> None:
    data = town_of_friends(alike=alike)
    split = split_by_time(data, int((START + timedelta(days=61)).timestamp()))
    assert len(split.targets) == 120
    models = fit_models(split.past, now=split.at, seed=0, report=lambda _: None)
    learned = learn_blend([Fold(models, split)]).for_new
    assert learned["popular"] > 0
    if alike:
        assert learned["referral"] > 0
    else:
        assert learned["referral"] == learned["popular_by_language"] == 0


def test_languages_are_heard_where_they_tell_anything() -> None:
    data = town_of_friends(alike=True)
    data = replace(data, baskets=replace(data.baskets, referrer=np.full(data.baskets.n_customers, -1, np.int32)))
    split = split_by_time(data, int((START + timedelta(days=61)).timestamp()))
    models = fit_models(split.past, now=split.at, seed=0, report=lambda _: None)
    assert "referral" not in [model.name for model in models]
    assert learn_blend([Fold(models, split)]).for_new["popular_by_language"] > 0


def test_models_of_languages_and_friends_are_fitted_only_where_history_knows_any() -> None:
    data = learned_from(random_town(30, 8, seed=1))
    names = [model.name for model in fit_models(data.baskets, now=data.last_at, seed=0, report=lambda _: None)]
    assert not {"referral", "popular_by_language"} & set(names)
    one = replace(data, baskets=replace(data.baskets, language=np.ones(data.baskets.n_customers, np.int8)))
    names = [model.name for model in fit_models(one.baskets, now=data.last_at, seed=0, report=lambda _: None)]
    assert "popular_by_language" not in names
