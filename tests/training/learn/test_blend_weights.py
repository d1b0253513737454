"""Learned weights: no worse than the defaults, and newcomers by what tells of newcomers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from engine.models.registry import default_weights
from tests.baskets import START, learned_from, random_town
from training.data.matrices import TrainingSet
from training.data.split import Fold, split_by_time
from training.learn.blend_weights import learn_blend
from training.learn.stack import fit_models, hold_out, tuning_sample


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


def town_of_friends(*, alike: bool) -> TrainingSet:
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
def test_friends_and_languages_weigh_only_where_they_predict_newcomers(alike: bool) -> None:
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


def test_languages_weigh_where_they_predict_newcomers() -> None:
    data = town_of_friends(alike=True)
    data = replace(data, baskets=replace(data.baskets, referrer=np.full(data.baskets.n_customers, -1, np.int32)))
    split = split_by_time(data, int((START + timedelta(days=61)).timestamp()))
    models = fit_models(split.past, now=split.at, seed=0, report=lambda _: None)
    assert "referral" not in [model.name for model in models]
    assert learn_blend([Fold(models, split)]).for_new["popular_by_language"] > 0
