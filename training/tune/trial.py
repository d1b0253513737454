"""What are settings worth? Tried on an inner split of the training window, by customers of three kinds.

The window ends where `regulars train` starts to judge. Of those who came back in its own last stretch one part teaches
blend and ranker, one judges each trial, and one, which no trial sees, confirms the best found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from engine.errors import NoHistory
from engine.models.base import Recommender
from engine.recommend.scoring.blend import Blend
from training.data.matrices import TrainingSet
from training.data.split import Fold, Split, Target, sample
from training.judge.evaluate import lists_of
from training.learn.blend_weights import learn_blend
from training.learn.ranker import Examples, Growing, examples_of, grow
from training.learn.settings import RANKER, ModelSettings
from training.learn.stack import MOST_THOROUGH, Learned, hold_out, models_of
from training.metrics import judge, mean_and_error, t_interval

K = 10
LEAST_TARGETS = 200
# Enough to tell settings apart, few enough for hundreds of trials.
MOST_TAUGHT, MOST_JUDGED, MOST_CONFIRMED = 8_000, 3_000, 10_000
# The blend has few weights to learn.
MOST_FOR_BLEND = 2_000


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The best found against the defaults on customers no trial saw: paired ndcg@10, its interval at 1 - `level`."""

    customers: int
    default: float
    found: float
    difference: float
    interval: tuple[float, float]
    level: float

    @property
    def better(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.interval[0] > 0


@dataclass(slots=True)
class Field:
    """Where settings are tried: the inner split of the window, and who teaches, judges and confirms.

    The models of the last call are kept, so that a trial fits only the model it changes.
    """

    window: TrainingSet
    split: Split
    taught: Sequence[Target]
    judged: Sequence[Target]
    confirming: Sequence[Target]
    seed: int
    _fitted: dict[str, tuple[Mapping[str, float], Recommender]] = field(default_factory=dict)
    _told: dict[tuple[str, int], tuple[Blend, Examples | None]] = field(default_factory=dict)

    def value(self, settings: ModelSettings) -> float:
        """Return the mean ndcg@10 of the learned blend for the judging customers."""
        _, mean, _ = mean_and_error(self._by_blend(settings, self.taught[:MOST_FOR_BLEND], self.judged))
        return mean or 0.0

    def ranked_value(self, settings: ModelSettings) -> float:
        """Return the mean ndcg@10 of the ranker for the judging customers."""
        _, mean, _ = mean_and_error(self._by_ranker(settings, self.taught, self.judged))
        return mean or 0.0

    def confirm(self, settings: ModelSettings, *, level: float) -> Confirmed:
        """Compare `settings` with the defaults for the confirming customers; everybody else teaches the blend."""
        others = [*self.taught[:MOST_FOR_BLEND], *self.judged]
        return _compared(
            *(self._by_blend(each, others, self.confirming) for each in (settings, ModelSettings())), level=level
        )

    def confirm_ranker(self, settings: ModelSettings, *, level: float) -> Confirmed:
        """Compare the ranker of `settings` with the default one over the same models; everybody else teaches both."""
        others = [*self.taught, *self.judged]
        plain = settings.with_model(RANKER, {})
        return _compared(*(self._by_ranker(each, others, self.confirming) for each in (settings, plain)), level=level)

    def _by_blend(
        self, settings: ModelSettings, taught: Sequence[Target], judged: Sequence[Target]
    ) -> npt.NDArray[np.float64]:
        fold = self._fold(settings, taught)
        blend = learn_blend([fold], repeats=self.window.repeats)
        return self._ndcg(Learned(fold.models, blend, None, 0), judged)

    def _by_ranker(
        self, settings: ModelSettings, taught: Sequence[Target], judged: Sequence[Target]
    ) -> npt.NDArray[np.float64]:
        fold, growing = self._fold(settings, taught), Growing.of(settings.of(RANKER), thorough=self.thorough)
        # Trials differ in the trees alone: what they learn from is worked out once.
        key = repr(settings.with_model(RANKER, {}).as_dict()), len(taught)
        if key not in self._told:
            blend = learn_blend([fold], repeats=self.window.repeats)
            self._told[key] = (
                blend,
                examples_of([fold], blend, seed=self.seed, repeats=self.window.repeats, whole=self.thorough),
            )
        blend, examples = self._told[key]
        ranker = None if examples is None else grow(examples, growing, seed=self.seed)
        return self._ndcg(Learned(fold.models, blend, ranker, 0), judged)

    @property
    def thorough(self) -> bool:
        """Whether the window is small enough for the ranker to take its time."""
        return self.window.baskets.n_baskets <= MOST_THOROUGH

    def _fold(self, settings: ModelSettings, taught: Sequence[Target]) -> Fold:
        unfitted = models_of(settings, repeats=self.window.repeats, baskets=self.window.baskets)
        models = [self._fit(number, model, settings) for number, model in enumerate(unfitted)]
        return Fold(models, replace(self.split, targets=taught))

    def _ndcg(self, learned: Learned, judged: Sequence[Target]) -> npt.NDArray[np.float64]:
        return judge(lists_of(learned, self.window, judged, K), judged, K).column(f"ndcg@{K}")

    def _fit(self, number: int, model: Recommender, settings: ModelSettings) -> Recommender:
        own = dict(settings.of(model.name))
        kept = self._fitted.get(model.name)
        if kept is None or kept[0] != own:
            rng = np.random.default_rng([self.seed, number])
            kept = (own, model.fit(self.split.past, now=self.split.at, rng=rng))
            self._fitted[model.name] = kept
        return kept[1]


def field_of(data: TrainingSet, *, horizon_days: float, seed: int) -> Field:
    """Return where settings of `data` are tried; nothing at or after its own held-out stretch is in it.

    Raises NoHistory with fewer than 200 customers to share out.
    """
    window = replace(data, baskets=hold_out(data, horizon_days).past)
    inner = hold_out(window, horizon_days) if window.baskets.n_baskets else None
    targets = inner.targets if inner is not None else []
    if inner is None or len(targets) < LEAST_TARGETS or not inner.past.n_baskets:
        raise NoHistory(
            f"{len(targets)} customers came back in the stretch to tune by, and {LEAST_TARGETS} are needed; "
            "import more history, or choose a longer --horizon"
        )
    some = sample(targets, MOST_TAUGHT + MOST_JUDGED + MOST_CONFIRMED, np.random.default_rng([seed, 93]))
    mixed = [some[i] for i in np.random.default_rng([seed, 92]).permutation(len(some))]
    taught = min(MOST_TAUGHT, len(mixed) // 4)
    judged = min(MOST_JUDGED, (len(mixed) - taught) // 2)
    return Field(window, inner, mixed[:taught], mixed[taught : taught + judged], mixed[taught + judged :], seed)


def _compared(ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64], *, level: float) -> Confirmed:
    n, difference, error = mean_and_error(ours - theirs)
    gap = difference or 0.0
    bounds = t_interval(gap, error or 0.0, n, level)
    return Confirmed(n, float(np.nanmean(theirs)), float(np.nanmean(ours)), gap, bounds, level)
