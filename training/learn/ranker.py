"""Learn the ranker on held-out baskets, and keep it only for those it serves better than the blend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from types import MappingProxyType
from typing import Any, Self

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from engine.models.arrays import FloatArray, LongArray
from engine.models.base import Recommender
from engine.recommend.scoring.allowed import Allowed
from engine.recommend.scoring.blend import Blend
from engine.recommend.scoring.features import ItemFacts, features, names
from engine.recommend.scoring.ranker import Ranker
from engine.recommend.scoring.scorer import CANDIDATES, Scorer
from engine.recommend.scoring.trees import DEPTH, Trees
from engine.runtime.threads import parallel_map
from training.data.split import Fold, Target, chunks
from training.kernels.gradients import keep_candidates, lambda_gradients
from training.metrics import judge, paired_interval

K = 10
NOTHING: Mapping[str, float] = MappingProxyType({})
# Fewer held-out baskets than this teach trees mostly noise.
LEAST_TARGETS = 400
COMPARED = 0.2
# A draw of what was not ordered teaches as well as all of it; drawn evenly, it favours no place in the list.
TAUGHT_OTHERS = 50
# Of two dishes one must stand among so many first, or their order is nobody's concern.
TRUNCATION = 50
SAMPLED = 50_000
SETTINGS: Mapping[str, Any] = {
    # Deeper trees rank no better, and serving lays every tree out to this depth.
    "max_depth": DEPTH,
    "deterministic": True,
    "force_col_wise": True,
    # One thread: the same trees on every machine, and no spinning where others need the cores.
    "num_threads": 1,
    "verbose": -1,
}


@dataclass(frozen=True, slots=True)
class Growing:
    """How trees grow: how many, how much each adds, and what holds them back from learning noise."""

    trees: int = 60
    rate: float = 0.14
    leaves: int = 31
    least_in_leaf: int = 100
    l2: float = 10.0
    features: float = 0.5

    @classmethod
    def of(cls, given: Mapping[str, float], *, thorough: bool = False) -> Self:
        """Return the defaults with what is `given` in their place; a `thorough` ranker has more and slower trees."""
        start = cls(trees=200, rate=0.05) if thorough else cls()
        return replace(start, **given)  # type: ignore[arg-type]

    def as_lightgbm(self) -> dict[str, Any]:
        """Return LightGBM's names of all but the number of trees."""
        return {
            "learning_rate": self.rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": self.least_in_leaf,
            "lambda_l2": self.l2,
            "feature_fraction": self.features,
        }


@dataclass(frozen=True, slots=True)
class Examples:
    """What a ranker learns from: float32 (rows, features), int8 (rows) whether ordered, how many rows each target has.

    `facts` are those of the last fold's past; `whole`: models that weigh nothing in the blend score too.
    """

    names: Sequence[str]
    table: FloatArray
    ordered: npt.NDArray[np.int8]
    sizes: Sequence[int]
    facts: ItemFacts
    whole: bool


def learn_ranker(
    folds: Sequence[Fold],
    blend: Blend,
    *,
    seed: int,
    repeats: bool = True,
    thorough: bool = False,
    given: Mapping[str, float] = NOTHING,
) -> Ranker | None:
    """Return the ranker, or None where it beats the blend for nobody.

    Four fifths of each fold's targets teach it; on the rest it must beat the blend's ndcg@10, the 95 % interval of
    the difference above 0, separately for known and for new customers. Where nobody `repeats`, only new dishes are
    ranked. A `thorough` one takes longer to learn and to answer: it has twice as many trees, each saying less, and
    reads models too that weigh nothing in the blend. `given` are settings of the trees (`Growing`), not the defaults.
    """
    if sum(len(fold.split.targets) for fold in folds) < LEAST_TARGETS:
        return None
    taught: list[Fold] = []
    compared: list[Fold] = []
    for fold in folds:
        targets = fold.split.targets
        order = np.random.default_rng([seed, 97]).permutation(len(targets))
        cut = int(len(targets) * COMPARED)
        for part, drawn in ((compared, order[:cut]), (taught, order[cut:])):
            part.append(replace(fold, split=replace(fold.split, targets=[targets[i] for i in drawn])))
    growing = Growing.of(given, thorough=thorough)

    def teach(some: Sequence[Fold]) -> Ranker | None:
        examples = examples_of(some, blend, seed=seed, repeats=repeats, whole=thorough)
        return None if examples is None else grow(examples, growing, seed=seed)

    both = teach(taught)
    if both is None:
        return None
    known, new = _better_for(both, compared, blend, seed, repeats=repeats)
    if thorough and (known or new):
        # It has shown that it is worth its place; what served to show it now teaches too.
        both = teach(folds) or both
    return replace(both, for_known=known, for_new=new) if known or new else None


def examples_of(
    folds: Sequence[Fold], blend: Blend, *, seed: int, repeats: bool = True, whole: bool = False
) -> Examples | None:
    """Return the examples of the folds' targets, None where that is nothing; `whole` asks every model."""
    drawn, told = np.random.default_rng([seed, 95]), []
    for fold in folds:
        facts = ItemFacts.of(fold.split.past, now=fold.split.at)
        told += _examples(fold.models, blend, fold.split.targets, facts, drawn, repeats=repeats, whole=whole)
    if not told:
        return None
    return Examples(
        names([model.name for model in folds[0].models]),
        np.concatenate([rows for rows, _ in told]),
        np.concatenate([ordered for _, ordered in told]),
        [len(rows) for rows, _ in told],
        facts,
        whole,
    )


def grow(examples: Examples, growing: Growing, *, seed: int) -> Ranker:
    """Return a ranker taught by the examples, for everybody and not yet judged."""
    dataset = lgb.Dataset(
        examples.table, examples.ordered, group=list(examples.sizes), feature_name=list(examples.names)
    )
    settings = {**SETTINGS, **growing.as_lightgbm(), "objective": _Lambdas.of(examples).gradients, "seed": seed}
    if not examples.whole:
        # Values fall into the same bins by a part of so many rows.
        settings["bin_construct_sample_cnt"] = SAMPLED
    booster = lgb.train(settings, dataset, growing.trees)
    text = booster.model_to_string(num_iteration=-1)
    trees = Trees.from_text(text)
    return Ranker(text, trees, examples.facts, for_known=True, for_new=True, reads_all_models=examples.whole)


def _examples(
    models: Sequence[Recommender],
    blend: Blend,
    targets: Sequence[Target],
    facts: ItemFacts,
    rng: np.random.Generator,
    *,
    repeats: bool,
    whole: bool,
) -> list[tuple[FloatArray, npt.NDArray[np.int8]]]:
    """Return for each target with something to tell apart features (rows, features) and whether each was ordered."""
    scorer, anything = Scorer(models, blend, None), Allowed.everything(models[0].n_items)
    # Drawn beforehand, so that the order in which threads come to the targets changes nothing.
    draws = rng.random((len(targets), TAUGHT_OTHERS), dtype=np.float32)

    def look(some: range) -> list[tuple[FloatArray, npt.NDArray[np.int8]]]:
        found = []
        for i in some:
            target = targets[i]
            allowed = anything.asked_by(target.query, repeats=repeats)
            board, rows, blended = scorer.candidates(target.query, allowed, most=CANDIDATES, whole=whole)
            ordered = target.ordered(board.columns[rows])
            if ordered.any():  # otherwise there is nothing to tell apart
                kept = keep_candidates(ordered, draws[i])
                table = features(board, rows, blended, target.query, facts)
                found.append((table[kept], ordered[kept].astype(np.int8)))
        return found

    return list(chain.from_iterable(parallel_map(look, chunks(len(targets)))))


def _better_for(ranker: Ranker, folds: Sequence[Fold], blend: Blend, seed: int, *, repeats: bool) -> tuple[bool, bool]:
    """Return whether the ranker beats the blend for known and for new customers."""
    ours, theirs = (
        np.concatenate(figures)
        for figures in zip(*(_ndcgs(fold, blend, ranker, repeats=repeats) for fold in folds), strict=True)
    )
    gain = ours - theirs
    known = np.array([target.query.known for fold in folds for target in fold.split.targets])
    rng = np.random.default_rng([seed, 96])

    def better(group: npt.NDArray[np.bool_]) -> bool:
        bounds = paired_interval(gain[group], np.zeros(int(group.sum())), rng)
        return bounds is not None and bounds[0] > 0

    return better(known), better(~known)


def _ndcgs(
    fold: Fold, blend: Blend, ranker: Ranker, *, repeats: bool
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return (targets,) the ndcg of the ranker and of the blend, both from what the models say once."""
    targets, anything = fold.split.targets, Allowed.everything(fold.models[0].n_items)
    scorers = [Scorer(fold.models, blend, each) for each in (ranker, None)]
    lists = np.full((2, len(targets), K), -1, dtype=np.int32)

    def look(some: range) -> None:
        for i in some:
            query = targets[i].query
            allowed = anything.asked_by(query, repeats=repeats)
            found = scorers[0].candidates(query, allowed, most=CANDIDATES, whole=ranker.reads_all_models)
            for scorer, own in zip(scorers, lists, strict=True):
                columns = scorer.order(query, allowed, found, size=K).columns
                own[i, : len(columns)] = columns

    parallel_map(look, chunks(len(targets)))
    ours, theirs = (judge(own, targets, K).column(f"ndcg@{K}") for own in lists)
    return ours, theirs


@dataclass(frozen=True, slots=True)
class _Lambdas:
    """LightGBM's lambdarank where a dish was ordered or not: its gradients, from the pairs that tell something alone.

    It looks at every pair; here only those of one that was ordered and one that was not are: several times faster.
    Target i has the rows from start[i] to start[i + 1]; `worth` (targets) is 1 over the best gain to be had.
    """

    ordered: npt.NDArray[np.int8]
    start: LongArray
    worth: FloatArray
    discount: FloatArray

    @classmethod
    def of(cls, examples: Examples) -> Self:
        """Prepare what stays the same from tree to tree."""
        start = np.concatenate([[0], np.cumsum(examples.sizes)]).astype(np.int64)
        discount = 1 / np.log2(np.arange(2, max(examples.sizes) + 2))
        best = np.concatenate([[np.inf], np.cumsum(discount)])
        times = np.add.reduceat(examples.ordered.astype(np.int64), start[:-1])
        worth = 1 / best[np.minimum(times, TRUNCATION)]
        return cls(examples.ordered, start, worth.astype(np.float32), discount.astype(np.float32))

    def gradients(self, scores: npt.NDArray[np.float64], _: object) -> tuple[FloatArray, FloatArray]:
        """Return (rows,) gradients and (rows,) second derivatives at `scores` (rows)."""
        near = scores.astype(np.float32)
        # All at once; beyond these bounds the odds of two are certain in any case.
        likely = np.exp(np.clip(near, -40, 40))
        return lambda_gradients(near, likely, self.ordered, self.start, self.worth, self.discount, TRUNCATION)
