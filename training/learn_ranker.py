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

from engine.models.base import FloatArray, Recommender
from engine.ranking.blend import Blend
from engine.ranking.features import ItemFacts, features, names
from engine.ranking.filters import Allowed
from engine.ranking.ranker import Ranker
from engine.ranking.score import CANDIDATES, Scorer
from engine.ranking.trees import DEPTH, Trees
from engine.threads import side_by_side
from training.metrics import judge, paired_interval
from training.split import Lesson, Target, in_chunks

K = 10
NOTHING: Mapping[str, float] = MappingProxyType({})
# Fewer held-out baskets than this teach trees mostly noise.
LEAST_TARGETS = 400
COMPARED = 0.2
# A draw of what was not ordered teaches as well as all of it; drawn evenly, it favours no place in the list.
TAUGHT_OTHERS = 50
SETTINGS: Mapping[str, Any] = {
    "objective": "lambdarank",
    # Deeper trees rank no better, and serving lays every tree out to this depth.
    "max_depth": DEPTH,
    "lambdarank_truncation_level": 50,
    "deterministic": True,
    "force_row_wise": True,
    # One thread: the same trees on every machine, and no spinning where others need the cores.
    "num_threads": 1,
    "verbose": -1,
}


@dataclass(frozen=True, slots=True)
class Growing:
    """How trees grow: how many, what each says, and what holds them back from learning noise."""

    trees: int = 100
    rate: float = 0.09
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

    `facts` are those of the last lesson's past; `whole` says that models spoke that weigh nothing in the blend.
    """

    names: Sequence[str]
    table: FloatArray
    ordered: npt.NDArray[np.int8]
    sizes: Sequence[int]
    facts: ItemFacts
    whole: bool


def learn_ranker(
    lessons: Sequence[Lesson],
    blend: Blend,
    *,
    seed: int,
    repeats: bool = True,
    thorough: bool = False,
    given: Mapping[str, float] = NOTHING,
) -> Ranker | None:
    """Return the ranker, or None where it beats the blend for nobody.

    Four fifths of each lesson's targets teach it; on the rest it must beat the blend's ndcg@10, the 95 % interval of
    the difference above 0, separately for known and for new customers. Where nobody `repeats`, only new dishes are
    ranked. A `thorough` one takes longer to learn and to answer: it has twice as many trees, each saying less, and
    hears models too that weigh nothing in the blend. `given` are settings of the trees (`Growing`), not the defaults.
    """
    if sum(len(lesson.split.targets) for lesson in lessons) < LEAST_TARGETS:
        return None
    taught: list[Lesson] = []
    compared: list[Lesson] = []
    for lesson in lessons:
        targets = lesson.split.targets
        order = np.random.default_rng([seed, 97]).permutation(len(targets))
        cut = int(len(targets) * COMPARED)
        for part, drawn in ((compared, order[:cut]), (taught, order[cut:])):
            part.append(replace(lesson, split=replace(lesson.split, targets=[targets[i] for i in drawn])))
    growing = Growing.of(given, thorough=thorough)

    def teach(some: Sequence[Lesson]) -> Ranker | None:
        examples = examples_of(some, blend, seed=seed, repeats=repeats, whole=thorough)
        return None if examples is None else grow(examples, growing, seed=seed)

    both = teach(taught)
    if both is None:
        return None
    known, new = _better_for(both, compared, blend, seed, repeats=repeats)
    if thorough and (known or new):
        # It has shown that it is worth its place; what served to show it now teaches too.
        both = teach(lessons) or both
    return replace(both, for_known=known, for_new=new) if known or new else None


def examples_of(
    lessons: Sequence[Lesson], blend: Blend, *, seed: int, repeats: bool = True, whole: bool = False
) -> Examples | None:
    """Return what the lessons' targets tell apart, None where that is nothing; `whole` asks every model."""
    drawn, told = np.random.default_rng([seed, 95]), []
    for lesson in lessons:
        facts = ItemFacts.of(lesson.split.past, now=lesson.split.at)
        told += _examples(lesson.models, blend, lesson.split.targets, facts, drawn, repeats=repeats, whole=whole)
    if not told:
        return None
    return Examples(
        names([model.name for model in lessons[0].models]),
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
    booster = lgb.train({**SETTINGS, **growing.as_lightgbm(), "seed": seed}, dataset, growing.trees)
    text = booster.model_to_string(num_iteration=-1)
    trees = Trees.from_text(text)
    return Ranker(text, trees, examples.facts, for_known=True, for_new=True, hears_all=examples.whole)


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

    def look(some: Sequence[Target]) -> list[tuple[FloatArray, npt.NDArray[np.bool_]]]:
        found = []
        for target in some:
            allowed = anything.asked_by(target.query, repeats=repeats)
            board, rows, blended = scorer.candidates(target.query, allowed, most=CANDIDATES, whole=whole)
            ordered = np.isin(board.columns[rows], target.truth)
            if ordered.any():  # otherwise there is nothing to tell apart
                found.append((features(board, rows, blended, target.query, facts), ordered))
        return found

    told = []
    for table, ordered in chain.from_iterable(side_by_side(look, in_chunks(targets))):
        kept = ordered.copy()
        others = np.flatnonzero(~ordered)
        kept[rng.choice(others, min(TAUGHT_OTHERS, len(others)), replace=False)] = True
        told.append((table[kept], ordered[kept].astype(np.int8)))
    return told


def _better_for(
    ranker: Ranker, lessons: Sequence[Lesson], blend: Blend, seed: int, *, repeats: bool
) -> tuple[bool, bool]:
    """Return whether the ranker beats the blend for known and for new customers."""
    ours, theirs = (
        np.concatenate(
            [_ndcg(Scorer(lesson.models, blend, each), lesson.split.targets, repeats=repeats) for lesson in lessons]
        )
        for each in (ranker, None)
    )
    gain = ours - theirs
    known = np.array([target.query.known for lesson in lessons for target in lesson.split.targets])
    rng = np.random.default_rng([seed, 96])

    def better(group: npt.NDArray[np.bool_]) -> bool:
        bounds = paired_interval(gain[group], np.zeros(int(group.sum())), rng)
        return bounds is not None and bounds[0] > 0

    return better(known), better(~known)


def _ndcg(scorer: Scorer, targets: Sequence[Target], *, repeats: bool) -> npt.NDArray[np.float64]:
    anything = Allowed.everything(scorer.models[0].n_items)
    lists = np.full((len(targets), K), -1, dtype=np.int32)
    for i, target in enumerate(targets):
        allowed = anything.asked_by(target.query, repeats=repeats)
        columns = scorer.pool(target.query, allowed, size=K).columns
        lists[i, : len(columns)] = columns
    return judge(lists, targets, K).column(f"ndcg@{K}")
