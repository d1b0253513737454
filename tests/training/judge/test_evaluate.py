"""What an evaluation says of models, blend and ranker on held-out baskets."""

from __future__ import annotations

import numpy as np
import pytest

from tests.baskets import learned_from, random_town
from training.data.matrices import TrainingSet
from training.data.split import Split
from training.judge.evaluate import BLEND, Evaluation, evaluate, lists_of
from training.learn.stack import Learned, TrainingPlan, hold_out, learn


@pytest.fixture(scope="module")
def town() -> tuple[TrainingSet, Split, Learned]:
    data = learned_from(random_town(120, 15, seed=8))
    split = hold_out(data, 28)
    past = TrainingPlan(data, 28, 0, lambda _: None).before(split)
    return data, split, learn(past.data, horizon_days=28, seed=0, report=lambda _: None)


def judged(town: tuple[TrainingSet, Split, Learned], *, most_alone: int | None = None) -> Evaluation:
    data, split, learned = town
    return evaluate(
        learned, data, split.past, split.targets, k=5, seed=0, advance=lambda _: None, most_alone=most_alone
    )


def test_every_model_and_the_blend_are_judged_on_the_same_customers(town: tuple[TrainingSet, Split, Learned]) -> None:
    found = judged(town).as_dict()
    assert set(found["models"]) >= {model.name for model in town[2].models} | {BLEND}
    assert found["customers"] == found["returning"] + found["new"] == len(town[1].targets)
    for figures in found["models"].values():
        assert 0 <= figures["ndcg@5"] <= 1


def test_judging_models_on_fewer_customers_leaves_the_blend_as_it_is(town: tuple[TrainingSet, Split, Learned]) -> None:
    whole, fewer = judged(town).as_dict(), judged(town, most_alone=20).as_dict()
    assert fewer["customers_alone"] == 20
    assert fewer["models"][BLEND] == pytest.approx(whole["models"][BLEND], rel=0.5)
    assert fewer["models"][BLEND]["ndcg@5"] == whole["models"][BLEND]["ndcg@5"]


def test_lists_hold_each_dish_once(town: tuple[TrainingSet, Split, Learned]) -> None:
    data, split, learned = town
    for chosen in lists_of(learned, data, split.targets, 5):
        shown = chosen[chosen >= 0]
        assert len(np.unique(shown)) == len(shown)
