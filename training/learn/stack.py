"""Fit every model, learn how to blend them, and judge the whole on what it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from engine.columns import DAY_S
from engine.models.base import Recommender
from engine.models.baskets import Baskets, user_items
from engine.models.registry import REGISTRY
from engine.recommend.scoring.blend import Blend
from engine.recommend.scoring.features import ItemFacts
from engine.recommend.scoring.ranker import Ranker
from engine.runtime.threads import TaskPool, parallel_map
from training.data.matrices import TrainingSet
from training.data.split import Fold, Split, Target, sample, split_by_time, split_last_basket
from training.learn.blend_weights import learn_blend
from training.learn.ranker import learn_ranker
from training.learn.settings import RANKER, ModelSettings

MOST_TUNING = 10_000
FOLDS, EARLIER, ENOUGH_TARGETS = 5, 3, 5_000
# In larger histories learning takes its time and each model its time of every request; smaller ones can afford more.
MOST_THOROUGH = 100_000
# Of more lines one model at a time is fitted: at 50 M lines two of them beside the judging took 16.5 GiB.
MOST_AT_ONCE = 20_000_000
# A horizon longer than this share of the window would leave too little to learn from.
LARGEST_HELD_OUT = 0.2
# Fewer held-out baskets than both of these are no stretch to judge by.
FEW_BASKETS, FEW_SHARE = 500, 0.05
DEFAULTS = ModelSettings()

Report = Callable[[str], None]
Judged = TypeVar("Judged")


@dataclass(frozen=True, slots=True)
class Learned:
    """Models fitted on one past, and how they are blended and ranked, learned on `tuned_on` held-out baskets."""

    models: Sequence[Recommender]
    blend: Blend
    ranker: Ranker | None
    tuned_on: int

    @property
    def served(self) -> str:
        """The name under which the served ranking is judged."""
        return "ranker" if self.ranker else "blend"


@dataclass(frozen=True, slots=True)
class TunedStack:
    """What is learned of models before they are fitted anew."""

    blend: Blend
    ranker: Ranker | None
    tuned_on: int

    def on(self, models: Sequence[Recommender]) -> Learned:
        """Return it with the models it is used on."""
        return Learned(models, self.blend, self.ranker, self.tuned_on)


def models_of(settings: ModelSettings, *, repeats: bool = False, baskets: Baskets | None = None) -> list[Recommender]:
    """Return the models of a training run on `baskets`, unfitted, with `settings` in place of their defaults.

    `Recommender.applies_to` decides which do.
    """
    models = [kind() for kind in REGISTRY if kind.applies_to(baskets, repeats=repeats)]
    for model in models:
        for name, value in settings.of(model.name).items():
            setattr(model, name, value)
    return models


def fit_models(
    baskets: Baskets,
    *,
    now: int,
    seed: int,
    report: Report,
    settings: ModelSettings = DEFAULTS,
    repeats: bool = True,
    earlier: Sequence[Recommender] = (),
) -> list[Recommender]:
    """Fit every model on `baskets`; each gets its own random stream, so adding one changes no other.

    `earlier` were fitted on a part of `baskets`; what can go on from them does.
    """
    before = {model.name: model for model in earlier}
    # Counted here, before several models ask for it at once.
    user_items(baskets)

    def fit(numbered: tuple[int, Recommender]) -> Recommender:
        number, model = numbered
        report(f"fit {model.name}")
        if model.name in before:
            model.warm_start(before[model.name])
        return model.fit(baskets, now=now, rng=np.random.default_rng([seed, number]))

    models = list(enumerate(models_of(settings, repeats=repeats, baskets=baskets)))
    return parallel_map(fit, models, threads=None if fits_at_once(baskets) else 1)


def fits_at_once(baskets: Baskets) -> bool:
    """Return whether several models may be fitted and judged at the same time, each with its share of memory."""
    return len(baskets.items) <= MOST_AT_ONCE


def hold_out(data: TrainingSet, horizon_days: float) -> Split:
    """Hold out the last `horizon_days` (at most a fifth of the window), or each last basket where there is no clock."""
    if data.clock == "basket":
        return split_last_basket(data)
    window_s = data.last_at - data.first_at
    horizon_s = min(horizon_days * DAY_S, window_s * LARGEST_HELD_OUT)
    at = int(data.last_at - horizon_s)
    instants = data.baskets.at
    if (instants >= at).sum() < min(FEW_BASKETS, FEW_SHARE * len(instants)):
        # A few stray orders long after all others must not be all there is to judge by.
        at = int(np.quantile(instants, 1 - FEW_SHARE))
    return split_by_time(data, at)


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How one run learns: from `data`, held out by `horizon_days`, with `settings` in place of models' defaults."""

    data: TrainingSet
    horizon_days: float
    seed: int
    report: Report
    settings: ModelSettings = DEFAULTS

    def before(self, split: Split) -> TrainingPlan:
        """Return the same plan on the split's past alone."""
        return replace(self, data=replace(self.data, baskets=split.past))

    def hold_out(self) -> Split | None:
        """Hold out what is to teach blend and ranker; None where that leaves nothing to learn from or to teach by."""
        self.report("hold out the last stretch to learn the blend and the ranker")
        split = hold_out(self.data, self.horizon_days)
        return split if split.past.n_baskets and split.targets else None

    def fit(self, split: Split | None = None, *, earlier: Sequence[Recommender] = ()) -> list[Recommender]:
        """Fit the models on the split's past, on everything where there is none."""
        baskets, now = (self.data.baskets, self.data.last_at) if split is None else (split.past, split.at)
        return fit_models(
            baskets,
            now=now,
            seed=self.seed,
            report=self.report,
            settings=self.settings,
            repeats=self.data.repeats,
            earlier=earlier,
        )

    def fit_blend_and_ranker(self, fitted: Sequence[Recommender], split: Split | None) -> TunedStack:
        """Learn blend and ranker from what models `fitted` on the split's past score of what came next.

        What the ranker knows of items is computed anew from all of `data`, like the models it will read.
        """
        data, seed, repeats = self.data, self.seed, self.data.repeats
        if split is None:
            return TunedStack(learn_blend([Fold(self._unfitted(), Split(data.baskets, [], data.last_at))]), None, 0)
        thorough = data.baskets.n_baskets <= MOST_THOROUGH
        folds = training_folds(self, Fold(fitted, split), thorough=thorough)
        self.report("learn the blend")
        blend = learn_blend(folds, repeats=repeats, quick=not thorough)
        self.report("learn the ranker")
        given = self.settings.of(RANKER)
        ranker = learn_ranker(folds, blend, seed=seed, repeats=repeats, thorough=thorough, given=given)
        tuned_on = sum(len(fold.split.targets) for fold in folds)
        return TunedStack(
            blend, ranker and replace(ranker, facts=ItemFacts.of(data.baskets, now=data.last_at)), tuned_on
        )

    def _unfitted(self) -> list[Recommender]:
        return models_of(self.settings, repeats=self.data.repeats, baskets=self.data.baskets)


def learn(
    data: TrainingSet, *, horizon_days: float, seed: int, report: Report, settings: ModelSettings = DEFAULTS
) -> Learned:
    """Learn from all of `data`: weights on its last stretch by models that never saw it, then models on everything."""
    plan = TrainingPlan(data, horizon_days, seed, report, settings)
    split = plan.hold_out()
    fitted = plan.fit(split) if split else []
    # Neither needs the other, and the trees grow in one thread.
    with TaskPool(at_once=fits_at_once(data.baskets)) as tasks:
        weighed = tasks.submit(lambda: plan.fit_blend_and_ranker(fitted, split))
        models = plan.fit(earlier=fitted)
        return weighed().on(models)


def learn_and_judge(plan: TrainingPlan, split: Split, judge: Callable[[Learned], Judged]) -> tuple[Learned, Judged]:
    """Learn from all of the plan's data; `judge` gets what is learned from `split.past` alone.

    The models fitted for judging serve a second time: what is returned has its blend and ranker from the same stretch.
    Judging, both folds and the last fit wait only for what they need.
    """
    past = plan.before(split)
    inner = past.hold_out()
    first = past.fit(inner) if inner else []
    with TaskPool(at_once=fits_at_once(plan.data.baskets)) as tasks:
        weighed_before = tasks.submit(lambda: past.fit_blend_and_ranker(first, inner))
        second = past.fit(earlier=first)
        weighed = tasks.submit(lambda: plan.fit_blend_and_ranker(second, split))
        judged = tasks.submit(lambda: judge(weighed_before().on(second)))
        plan.report("learn again with the newest orders")
        models = plan.fit(earlier=second)
        return weighed().on(models), judged()


def training_folds(plan: TrainingPlan, newest: Fold, *, thorough: bool) -> list[Fold]:
    """Return what to learn blend and ranker from: the newest stretch and, where that is little, those before it too.

    A few hundred held-out baskets of one month are little evidence for seven weights and less for trees; the months
    before are as much again, each scored by models that had not seen it. Without a clock nobody knows whose last basket
    is the newer, and a query would be put while the last baskets of others are already known: there every fifth
    customer's last basket is held out in turn, by models that know all others, so that what has just become liked can
    be learned to count. At most 10,000 targets of each.
    """
    data = plan.data
    splits = _folds(data) if data.clock == "basket" else _earlier(data, newest.split) if thorough else []
    folds = [] if data.clock == "basket" else [newest]
    for split in splits:
        plan.report(f"fit for {len(split.targets):,} more held-out baskets")
        folds.append(Fold(replace(plan, report=lambda _: None).fit(split), split))
    return [
        replace(fold, split=replace(fold.split, targets=tuning_sample(fold.split.targets, plan.seed))) for fold in folds
    ]


def _folds(data: TrainingSet) -> Iterator[Split]:
    for fold in range(FOLDS):
        yield split_last_basket(data, fold=fold, of=FOLDS)


def _earlier(data: TrainingSet, newest: Split) -> Iterator[Split]:
    """Yield the stretches before the newest, as long as it, until there are targets enough.

    No more than three, and only while more than half of all baskets lie before them.
    """
    length_s, at, past, targets = data.last_at - newest.at, newest.at, newest.past, len(newest.targets)
    for _ in range(EARLIER):
        if targets >= ENOUGH_TARGETS:
            return
        at -= length_s
        split = split_by_time(replace(data, baskets=past), at)
        if 2 * split.past.n_baskets < data.baskets.n_baskets or not split.targets:
            return
        yield split
        past, targets = split.past, targets + len(split.targets)


def train_on_past(
    data: TrainingSet,
    split: Split,
    *,
    horizon_days: float,
    seed: int,
    report: Report,
    settings: ModelSettings = DEFAULTS,
) -> Learned:
    """Learn only from `split.past`, as if its instant were now: what an honest evaluation judges."""
    past = replace(data, baskets=split.past)
    return learn(past, horizon_days=horizon_days, seed=seed, report=report, settings=settings)


def tuning_sample(targets: Sequence[Target], seed: int) -> list[Target]:
    """Return the baskets that blend and ranker are learned on, at most 10,000, fixed by `seed`."""
    return sample(targets, MOST_TUNING, np.random.default_rng([seed, 99]))
