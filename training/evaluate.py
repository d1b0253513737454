"""Judge models and their blend on held-out baskets: all, repeat and explore parts, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.models.base import Baskets, FloatArray, IntArray, user_items
from engine.ranking.blend import components
from engine.ranking.ranker import masked
from engine.ranking.top import top_k
from training.learn import Learned
from training.matrices import TrainingSet
from training.metrics import Judged, coverage, judge, novelty, paired_interval
from training.metrics import intervals as resampled
from training.split import Target

BLEND, RANKER = "blend", "ranker"
# Popularity scores every dish, so where it is NaN the dish was filtered out.
ALWAYS_SCORED = "popular"
CHUNK = 256
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Every model's lists judged against the same targets at k; `judged[name]` aligns with the targets."""

    k: int
    targets: Sequence[Target]
    judged: Mapping[str, Judged]
    beyond: Mapping[str, Mapping[str, float | None]]
    served: str
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form: figures and intervals by model, and the blend against the best single model."""
        rng = np.random.default_rng([self.seed, 7])
        models = {name: {**judged.means(), **self.beyond[name]} for name, judged in self.judged.items()}
        intervals = {
            name: dict(zip(judged.metrics, resampled(judged.values, rng), strict=True))
            for name, judged in self.judged.items()
        }
        returning = sum(1 for target in self.targets if target.query.baskets)
        return {
            "customers": len(self.targets),
            "returning": returning,
            "new": len(self.targets) - returning,
            "k": self.k,
            "served": self.served,
            "models": models,
            "intervals": intervals,
            "against_best_single": self.against_best_single(),
        }

    def against_best_single(self) -> dict[str, Any]:
        """Return what is served minus the best single model on the same customers, by ndcg@k, with its interval."""
        metric = f"ndcg@{self.k}"
        singles = {
            name: judged.means()[metric] or 0.0 for name, judged in self.judged.items() if name not in {BLEND, RANKER}
        }
        best = max(singles, key=lambda name: singles[name])
        ours, theirs = self.judged[self.served].column(metric), self.judged[best].column(metric)
        rng = np.random.default_rng([self.seed, 8])
        return {
            "model": best,
            "metric": metric,
            "difference": float(np.nanmean(ours - theirs)) if len(ours) else None,
            "interval": paired_interval(ours, theirs, rng),
        }


def evaluate(
    learned: Learned,
    data: TrainingSet,
    past: Baskets,
    targets: Sequence[Target],
    *,
    k: int,
    seed: int,
    advance: Advance,
) -> Evaluation:
    """Judge every model, the blend and the ranker on `targets`, all items being candidates.

    Where a target says the vendor, only dishes of that vendor are, for every model alike. `past` is what the models
    were fitted on (for novelty); `advance` hears how many targets are done.
    """
    allowed = _items_by_vendor(data)
    ranked: dict[str, list[IntArray]] = {}
    for first in range(0, len(targets), CHUNK):
        some = targets[first : first + CHUNK]
        queries = [target.query for target in some]
        parts = _filtered(components(learned.models, queries), some, allowed)
        blended = learned.blend.combine(parts)
        blended[np.isnan(parts[ALWAYS_SCORED])] = -np.inf  # a blend counts NaN as 0, and filtered dishes must not show
        scores = {**parts, BLEND: blended}
        if learned.ranker is not None:
            scores[RANKER] = learned.ranker.rank(parts, blended, queries)
        for name, part in scores.items():
            ranked.setdefault(name, []).append(top_k(part, k))
        advance(len(some))
    lists = {name: np.concatenate(parts) for name, parts in ranked.items()}
    matrix = user_items(past)
    customers_with = np.bincount(matrix.indices, minlength=past.n_items)
    active = int((np.diff(past.customer_start) > 0).sum())
    return Evaluation(
        k=k,
        targets=targets,
        judged={name: judge(part, targets, k) for name, part in lists.items()},
        beyond={
            name: {
                f"coverage@{k}": coverage(part, k, past.n_items),
                f"novelty@{k}": novelty(part, k, customers_with, active),
            }
            for name, part in lists.items()
        },
        served=learned.served,
        seed=seed,
    )


def _items_by_vendor(data: TrainingSet) -> dict[int, npt.NDArray[np.int32]]:
    pairs = data.vendor_items.partition_by("vendor", as_dict=True)
    return {int(key[0]): part["item"].to_numpy() for key, part in pairs.items()}


def _filtered(
    parts: dict[str, FloatArray], targets: Sequence[Target], allowed: Mapping[int, npt.NDArray[np.int32]]
) -> dict[str, FloatArray]:
    """Return the scores with NaN for dishes of other vendors, where a target says the vendor."""
    if all(target.query.place.vendor < 0 for target in targets):
        return parts
    keep = np.ones((len(targets), next(iter(parts.values())).shape[1]), dtype=bool)
    for i, target in enumerate(targets):
        if target.query.place.vendor in allowed:
            keep[i] = False
            keep[i, allowed[target.query.place.vendor]] = True
    return masked(parts, keep)
