"""Ranking quality at k, one place for every figure the product prints.

recall@k = hits / |truth|; hit@k = any hit; ndcg@k has its ideal cut at min(k, |truth|), ndcg_full@k over all truth
(the Ta-Feng protocol). All items are candidates and repeats are allowed; ties go to the lower column; models
avoid them by breaking them themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.models.base import IntArray
from training.split import Target

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Judged:
    """One figure per target and metric: `values` is float64 (targets, metrics), NaN where a metric does not apply."""

    metrics: tuple[str, ...]
    values: npt.NDArray[np.float64]

    def means(self) -> dict[str, float | None]:
        """Return each metric's mean over the targets it applies to; None where it applies to none."""
        return {name: _mean(self.values[:, i]) for i, name in enumerate(self.metrics)}

    def column(self, metric: str) -> npt.NDArray[np.float64]:
        """Return one metric's figures."""
        return self.values[:, self.metrics.index(metric)]


def judge(ranked: IntArray, targets: Sequence[Target], k: int) -> Judged:
    """Return the figures of `ranked` (targets, >= k) against each target's truth."""
    names = ("recall", "ndcg", "ndcg_full", "hit", "repeat_recall", "explore_recall", "repeat_hit", "explore_hit")
    discount = 1 / np.log2(np.arange(2, k + 2))
    values = np.full((len(targets), len(names)), np.nan)
    for i, target in enumerate(targets):
        size = len(target.truth) + target.unseen
        if not size:
            continue
        hits = np.isin(ranked[i, :k], target.truth)
        gain = float(discount[hits].sum())
        ideal_full = float((1 / np.log2(np.arange(2, size + 2))).sum())
        values[i, :4] = (
            hits.sum() / size,
            gain / discount[: min(k, size)].sum(),
            gain / ideal_full,
            float(hits.any()),
        )
        known = np.unique(np.concatenate(target.query.baskets)) if target.query.baskets else np.empty(0, np.int32)
        again = np.isin(target.truth, known)
        hit = np.isin(target.truth, ranked[i, :k])
        if again.any():
            values[i, 4], values[i, 6] = hit[again].mean(), float(hit[again].any())
        new = int((~again).sum()) + target.unseen
        if new:
            values[i, 5], values[i, 7] = hit[~again].sum() / new, float(hit[~again].any())
    return Judged(tuple(f"{name}@{k}" for name in names), values)


def coverage(ranked: IntArray, k: int, n_items: int) -> float:
    """Return the share of all items that at least one list shows."""
    shown = np.unique(ranked[:, :k])
    return float((shown >= 0).sum() / n_items) if n_items else 0.0


def novelty(ranked: IntArray, k: int, customers_with: npt.NDArray[np.integer], n_customers: int) -> float | None:
    """Return the mean of -log2(share of customers who ordered the shown item), in bits.

    An item nobody ordered counts as ordered by one customer; None where nothing is shown.
    """
    shown = ranked[:, :k][ranked[:, :k] >= 0]
    if not len(shown) or not n_customers:
        return None
    share = np.maximum(customers_with, 1) / n_customers
    return float(-np.log2(share[shown]).mean())


def interval(values: npt.NDArray[np.float64], rng: np.random.Generator) -> tuple[float, float] | None:
    """Return the bootstrap 95 % interval of the mean over customers (percentile, 1,000 resamples); None below two."""
    kept = values[~np.isnan(values)]
    if len(kept) < 2:
        return None
    means = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        means[i] = kept[rng.integers(0, len(kept), len(kept))].mean()
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def paired_interval(
    ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64], rng: np.random.Generator
) -> tuple[float, float] | None:
    """Return the bootstrap 95 % interval of the mean difference ours - theirs on the same customers."""
    return interval(ours - theirs, rng)


def _mean(values: npt.NDArray[np.float64]) -> float | None:
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if len(kept) else None
