"""Fit every model, learn how to blend them, and say how good the whole is on what it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.models.als import Als
from engine.models.base import Baskets, Recommender
from engine.models.item_knn import ItemKnn
from engine.models.next_item import NextItem
from engine.models.popular import Popular
from engine.models.repeat import Repeat
from engine.models.user_knn import UserKnn
from engine.ranking.blend import Blend
from training.learn_blend import learn_blend
from training.matrices import DAY_S, TrainingSet
from training.split import Split, Target, sample, split_by_time, split_last_basket

MOST_TUNING = 5_000
# A horizon longer than this share of the window would leave too little to learn from.
LARGEST_HELD_OUT = 0.2

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Learned:
    """Models fitted on one past and the blend of them, whose weights were learned on `tuned_on` held-out baskets."""

    models: Sequence[Recommender]
    blend: Blend
    tuned_on: int


def default_models() -> list[Recommender]:
    """Return the models of a training run, unfitted."""
    return [Popular(), Repeat(), Als(), ItemKnn(), NextItem(), UserKnn()]


def fit_models(baskets: Baskets, *, now: int, seed: int, report: Report) -> list[Recommender]:
    """Fit every model on `baskets`; each gets its own random stream, so adding one changes no other."""
    fitted = []
    for number, model in enumerate(default_models()):
        report(f"fit {model.name}")
        fitted.append(model.fit(baskets, now=now, rng=np.random.default_rng([seed, number])))
    return fitted


def hold_out(data: TrainingSet, horizon_days: float) -> Split:
    """Hold out the last `horizon_days` (at most a fifth of the window), or each last basket where there is no clock."""
    if data.clock == "basket":
        return split_last_basket(data)
    window_s = data.last_at - data.first_at
    horizon_s = min(horizon_days * DAY_S, window_s * LARGEST_HELD_OUT)
    return split_by_time(data, int(data.last_at - horizon_s))


def learn(data: TrainingSet, *, horizon_days: float, seed: int, report: Report) -> Learned:
    """Learn from all of `data`: weights on its last stretch by models that never saw it, then models on everything."""
    report("hold out the last stretch for the blend")
    inner = hold_out(data, horizon_days)
    targets = tuning_sample(inner.targets, seed)
    if inner.past.n_baskets and targets:
        blend = learn_blend(fit_models(inner.past, now=inner.at, seed=seed, report=report), targets)
    else:
        blend = learn_blend(default_models(), [])
    models = fit_models(data.baskets, now=data.last_at, seed=seed, report=report)
    return Learned(models, blend, len(targets))


def learn_before(data: TrainingSet, split: Split, *, horizon_days: float, seed: int, report: Report) -> Learned:
    """Learn only from `split.past`, as if its instant were now: what an honest evaluation judges."""
    past = replace(data, baskets=split.past)
    return learn(past, horizon_days=horizon_days, seed=seed, report=report)


def tuning_sample(targets: list[Target], seed: int) -> list[Target]:
    """Return the baskets weights are learned on: returning customers' first, at most 5,000, fixed by `seed`."""
    returning = [target for target in targets if target.query.baskets]
    return sample(returning, MOST_TUNING, np.random.default_rng([seed, 99]))
