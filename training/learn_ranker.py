"""Learn the ranker on held-out baskets, and keep it only for those it serves better than the blend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from engine.models.base import Baskets, FloatArray, Recommender
from engine.ranking.blend import Blend
from engine.ranking.features import ItemFacts, features, names
from engine.ranking.filters import Allowed
from engine.ranking.ranker import Ranker
from engine.ranking.score import CANDIDATES, Scorer
from engine.ranking.trees import DEPTH, Trees
from training.metrics import judge, paired_interval
from training.split import Target

K = 10
# Fewer held-out baskets than this teach trees mostly noise.
LEAST_TARGETS = 400
COMPARED = 0.2
ROUNDS = 100
# A draw of what was not ordered teaches as well as all of it; drawn evenly, it favours no place in the list.
TAUGHT_OTHERS = 50
SETTINGS = {
    "objective": "lambdarank",
    "num_leaves": 31,
    # Deeper trees rank no better, and serving lays every tree out to this depth.
    "max_depth": DEPTH,
    "learning_rate": 0.09,
    "min_data_in_leaf": 100,
    "lambda_l2": 10.0,
    "feature_fraction": 0.5,
    "lambdarank_truncation_level": 50,
    "deterministic": True,
    "force_row_wise": True,
    # One thread: the same trees on every machine, and no spinning where others need the cores.
    "num_threads": 1,
    "verbose": -1,
}


def learn_ranker(
    models: Sequence[Recommender],
    blend: Blend,
    past: Baskets,
    targets: Sequence[Target],
    *,
    now: int,
    seed: int,
    repeats: bool = True,
) -> Ranker | None:
    """Return the ranker, or None where it beats the blend for nobody.

    Four fifths of `targets` teach it; on the rest it must beat the blend's ndcg@10, the 95 % interval of the
    difference above 0, separately for known and for new customers. `models` were fitted on `past`, which ends at `now`.
    Where nobody `repeats`, only new dishes are ranked.
    """
    if len(targets) < LEAST_TARGETS:
        return None
    order = np.random.default_rng([seed, 97]).permutation(len(targets))
    cut = int(len(targets) * COMPARED)
    compared, taught = [targets[i] for i in order[:cut]], [targets[i] for i in order[cut:]]
    both = teach_ranker(models, blend, past, taught, now=now, seed=seed, repeats=repeats)
    if both is None:
        return None
    known, new = _better_for(both, models, blend, compared, seed, repeats=repeats)
    return replace(both, for_known=known, for_new=new) if known or new else None


def teach_ranker(
    models: Sequence[Recommender],
    blend: Blend,
    past: Baskets,
    targets: Sequence[Target],
    *,
    now: int,
    seed: int,
    repeats: bool = True,
) -> Ranker | None:
    """Return a ranker taught by `targets`, for everybody and not yet judged; None where they teach nothing."""
    facts = ItemFacts.of(past, now=now)
    drawn = np.random.default_rng([seed, 95])
    table, relevant, sizes = _examples(models, blend, targets, facts, drawn, repeats=repeats)
    if not relevant.any():
        return None
    dataset = lgb.Dataset(table, relevant, group=sizes, feature_name=names([model.name for model in models]))
    booster = lgb.train({**SETTINGS, "seed": seed}, dataset, ROUNDS)
    text = booster.model_to_string(num_iteration=-1)
    return Ranker(text, Trees.from_text(text), facts, for_known=True, for_new=True)


def _examples(
    models: Sequence[Recommender],
    blend: Blend,
    targets: Sequence[Target],
    facts: ItemFacts,
    rng: np.random.Generator,
    *,
    repeats: bool,
) -> tuple[FloatArray, npt.NDArray[np.int8], list[int]]:
    """Return features (rows, features), whether each row was ordered, and how many rows each target has."""
    rows, relevant, sizes = [], [], []
    scorer, anything = Scorer(models, blend, None), Allowed.everything(models[0].n_items)
    for target in targets:
        allowed = anything.asked_by(target.query, repeats=repeats)
        board, found, blended = scorer.candidates(target.query, allowed, most=CANDIDATES)
        ordered = np.isin(board.columns[found], target.truth)
        if not ordered.any():  # nothing to tell apart
            continue
        kept = ordered.copy()
        others = np.flatnonzero(~ordered)
        kept[rng.choice(others, min(TAUGHT_OTHERS, len(others)), replace=False)] = True
        rows.append(features(board, found, blended, target.query, facts)[kept])
        relevant.append(ordered[kept].astype(np.int8))
        sizes.append(int(kept.sum()))
    if not rows:
        return np.empty((0, 0), np.float32), np.empty(0, np.int8), []
    return np.concatenate(rows), np.concatenate(relevant), sizes


def _better_for(
    ranker: Ranker,
    models: Sequence[Recommender],
    blend: Blend,
    targets: Sequence[Target],
    seed: int,
    *,
    repeats: bool,
) -> tuple[bool, bool]:
    """Return whether the ranker beats the blend for known and for new customers."""
    ours, theirs = (_ndcg(Scorer(models, blend, each), targets, repeats=repeats) for each in (ranker, None))
    gain = ours - theirs
    known = np.array([target.query.known for target in targets])
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
