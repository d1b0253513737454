"""Training plans: what is held out, what is fitted on it, and which models apply."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from engine.columns import DAY_S
from engine.models.registry import default_weights
from tests.baskets import learned_from, random_town, without_clock
from training.data.split import Fold, split_last_basket
from training.learn.stack import TrainingPlan, fit_models, hold_out, learn, training_folds


def test_a_long_horizon_is_cut_to_a_fifth_of_the_window() -> None:
    data = learned_from({"ann": [(0, ["a"]), (90, ["b"]), (100, ["b"])]})
    assert hold_out(data, 365).at == data.last_at - 20 * DAY_S


def test_a_stray_late_order_does_not_become_all_there_is_to_judge_by() -> None:
    town = random_town(100, 8, seed=2)
    town["late"] = [(700, ["d01"])]
    split = hold_out(learned_from(town), 28)
    assert len(split.targets) > 10


def test_too_few_returning_customers_keep_the_default_weights() -> None:
    data = learned_from({"ann": [(0, ["a"]), (30, ["b"])]})
    learned = learn(data, horizon_days=28, seed=0, report=lambda _: None)
    assert learned.blend.weights == {model.name: default_weights()[model.name] for model in learned.models}
    assert learned.tuned_on == 1


def test_a_small_history_teaches_by_several_stretches_each_told_by_models_that_knew_nothing_of_it() -> None:
    data = learned_from(random_town(150, 15, seed=8))
    split = hold_out(data, 10)
    newest = Fold(fit_models(split.past, now=split.at, seed=0, report=lambda _: None), split)
    plan = TrainingPlan(data, 10, 0, lambda _: None)
    folds = training_folds(plan, newest, thorough=True)
    assert len(folds) > 2
    for later, fold in pairwise(folds):
        assert fold.split.at < later.split.at
        assert fold.split.past.at.max() < fold.split.at <= later.split.past.at.max()
        assert {target.query.now for target in fold.split.targets} <= set(later.split.past.at.tolist())
        assert 2 * fold.split.past.n_baskets >= data.baskets.n_baskets
    quick = training_folds(plan, newest, thorough=False)
    assert [fold.split.at for fold in quick] == [split.at]


def test_without_a_clock_everybody_teaches_once_while_the_last_baskets_of_others_are_known() -> None:
    data = without_clock({f"c{n}": ["a", "b", "c"][: 1 + n % 3] for n in range(60)})
    split = split_last_basket(data)
    newest = Fold(fit_models(split.past, now=split.at, seed=0, report=lambda _: None), split)
    folds = training_folds(TrainingPlan(data, 28, 0, lambda _: None), newest, thorough=True)
    asked = [target.query.row for fold in folds for target in fold.split.targets]
    assert sorted(asked) == sorted(target.query.row for target in split.targets)
    assert all(fold.split.past.n_baskets > split.past.n_baskets for fold in folds)


def test_models_of_languages_and_friends_are_fitted_only_where_history_knows_any() -> None:
    data = learned_from(random_town(30, 8, seed=1))
    names = [model.name for model in fit_models(data.baskets, now=data.last_at, seed=0, report=lambda _: None)]
    assert not {"referral", "popular_by_language"} & set(names)
    one = replace(data, baskets=replace(data.baskets, language=np.ones(data.baskets.n_customers, np.int8)))
    names = [model.name for model in fit_models(one.baskets, now=data.last_at, seed=0, report=lambda _: None)]
    assert "popular_by_language" not in names
