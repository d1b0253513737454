"""Learn the blend's weights: coordinate ascent on NDCG over held-out baskets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from engine.models.base import Recommender
from engine.models.registry import REGISTRY, default_weights, impersonal_models
from engine.recommend.scoring.allowed import Allowed
from engine.recommend.scoring.blend import Blend
from engine.recommend.scoring.scorer import CANDIDATES, Scorer
from engine.runtime.threads import parallel_map
from training.data.split import Fold, Target, chunks
from training.kernels.gradients import ranked_gains

LEAST_TARGETS = 50
# More held-out baskets move the weights by less than they move from day to day.
MOST_TARGETS = 4_000
K = 10
LEAST_GAIN = 0.25
# What may be given up to ask fewer models: every one takes its time of every request, more where history is large.
LEAST_WORTH, LEAST_WORTH_QUICK = 0.0005, 0.0015
# Multiples tried for one weight while the others stand; 0 drops the model.
STEPS = (0.0, 0.25, 0.5, 0.7, 0.85, 1.2, 1.5, 2.0, 4.0)
# For what is never dropped.
FEW_STEPS = (0.25, 0.5, 2.0, 4.0)
ROUNDS = 4


def learn_blend(folds: Sequence[Fold], *, repeats: bool = True, quick: bool = False) -> Blend:
    """Return the weights that rank the targets of the folds best by ndcg@10, starting from the default ones.

    Those of customers with orders teach the weights, those without what strangers are shown, each by itself. Metzler
    and Croft (2007): coordinate ascent optimises the figure itself and needs no gradient. With fewer than 50 targets
    the defaults are kept, because noise would choose. Where nobody `repeats`, only new dishes are ranked. Models that
    together add less than .0005 to the figure are left out, or .0015 where answers should be `quick`.
    """
    worth = LEAST_WORTH_QUICK if quick else LEAST_WORTH
    names = [model.name for model in folds[0].models]
    # What is known of strangers is little, and next month's first orders are not last month's: nothing of what
    # everybody orders is left out of it. Whether language or friends tell anything differs from place to place.
    return Blend(
        _learn(names, _asked_by(folds, names, known=True), repeats=repeats, worth=worth, may_drop=names),
        _learn(
            [name for name in names if name in impersonal_models()],
            _asked_by(folds, impersonal_models(), known=False),
            repeats=True,
            worth=worth,
            may_drop=tuple(kind.name for kind in REGISTRY if kind.must_earn),
        ),
    )


def _asked_by(folds: Sequence[Fold], names: Collection[str], *, known: bool) -> list[Fold]:
    """Return the folds of customers with orders, or of strangers, with the named models; at most 4,000 targets."""
    found = []
    for fold in folds:
        targets = [target for target in fold.split.targets if target.query.known == known]
        models = [model for model in fold.models if model.name in names]
        found.append(Fold(models, replace(fold.split, targets=targets[: MOST_TARGETS // len(folds)])))
    return found


def _learn(
    names: Sequence[str], folds: Sequence[Fold], *, repeats: bool, worth: float, may_drop: Collection[str]
) -> dict[str, float]:
    start = np.array([default_weights().get(name, 0.05) for name in names])
    if sum(len(fold.split.targets) for fold in folds) < LEAST_TARGETS:
        return dict(zip(names, start.tolist(), strict=True))
    told = [_candidates(fold.models, fold.split.targets, repeats=repeats) for fold in folds]
    features, relevant, ideal = (np.concatenate(part) for part in zip(*told, strict=True))
    widest = int(np.flatnonzero(features.any(axis=(0, 1))).max(initial=0)) + 1
    features, relevant = np.ascontiguousarray(features[:, :, :widest]), relevant[:, :widest]
    best, best_value = start, _ndcg(features, relevant, ideal, start)
    # A step must gain more than luck gives on this many baskets, or small shops would be taught noise.
    least_gain = LEAST_GAIN / len(features)
    for _ in range(ROUNDS if len(may_drop) == len(names) else 1):
        before = best_value
        for i, name in enumerate(names):
            for step in STEPS if name in may_drop else FEW_STEPS:
                tried = best.copy()
                tried[i] = tried[i] * step if tried[i] > 0 else step * start[i]
                value = _ndcg(features, relevant, ideal, tried)
                if value > best_value + least_gain:
                    best, best_value = tried, value
        if best_value - before < 1e-4:
            break
    for i in np.argsort(best, kind="stable").tolist():
        if names[i] not in may_drop:
            continue
        tried = best.copy()
        tried[i] = 0
        if tried.any() and (value := _ndcg(features, relevant, ideal, tried)) >= best_value - worth:
            best, best_value = tried, max(best_value, value)
    if not repeats:
        # A model without a score for any dish (own ones are left out) would only seem to weigh something.
        best = np.where(features.any(axis=(0, 2)), best, 0)
    best = best / best.sum()
    return {name: round(float(weight), 6) for name, weight in zip(names, best, strict=True)}


def _candidates(
    models: Sequence[Recommender], targets: Sequence[Target], *, repeats: bool = True
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Return features (targets, models, candidates), relevance (targets, candidates), ideal DCG (targets)."""
    features = np.zeros((len(targets), len(models), CANDIDATES), dtype=np.float32)
    relevant = np.zeros((len(targets), CANDIDATES), dtype=bool)
    ideal = np.ones(len(targets))
    discount = 1 / np.log2(np.arange(2, K + 2))
    scorer = Scorer(models, Blend(default_weights()), None)
    anything = Allowed.everything(models[0].n_items)

    def look(some: range) -> None:
        for i in some:
            target = targets[i]
            allowed = anything.asked_by(target.query, repeats=repeats)
            board, rows, _ = scorer.candidates(target.query, allowed, most=CANDIDATES, whole=True)
            # As lists break ties. By the order they come in, equals would be told apart by the models tried without.
            rows = rows[np.argsort(board.columns[rows])]
            features[i, :, : len(rows)] = board.model_scores[rows].T
            relevant[i, : len(rows)] = target.ordered(board.columns[rows])
            ideal[i] = discount[: max(1, min(K, len(target.truth) + target.unseen))].sum()

    parallel_map(look, chunks(len(targets)))
    return features, relevant, ideal


def _ndcg(
    features: npt.NDArray[np.float32],
    relevant: npt.NDArray[np.bool_],
    ideal: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
) -> float:
    discount = 1 / np.log2(np.arange(2, K + 2))
    return float((ranked_gains(features, relevant, weights.astype(np.float32), discount) / ideal).mean())
