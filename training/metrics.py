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
from scipy import special

from engine.models.arrays import IntArray, LongArray
from training.data.split import Target
from training.kernels.hits import among_by_target, hits_of

RESAMPLES = 1000
RESAMPLES_AT_ONCE = 100
# How often a customer is taken, for 65,536 equally likely draws: Poisson's law of mean 1 to four digits, looked up
# because drawing by it takes ten times as long.
TIMES = np.searchsorted(special.pdtr(np.arange(12), 1.0), (np.arange(2**16) + 0.5) / 2**16).astype(np.float64)


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


NAMES = ("recall", "ndcg", "ndcg_full", "hit", "repeat_recall", "explore_recall", "repeat_hit", "explore_hit")


@dataclass(frozen=True, slots=True)
class Truth:
    """What was ordered, by target: `size` and `size_again` (targets) count dishes, and those ordered before too.

    Target i ordered `items` from start[i] to start[i + 1], `again` which of them the customer had had; dishes no model
    knows count in `size` alone.
    """

    size: LongArray
    size_again: LongArray
    start: LongArray
    items: IntArray
    again: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, targets: Sequence[Target]) -> Truth:
        """Read it from the targets, once for every ranking that is judged by it."""
        start, items = _laid([target.truth for target in targets])
        again = among_by_target(start, items, *_laid([target.query.items for target in targets]))
        unseen = np.array([target.unseen for target in targets], dtype=np.int64)
        before = np.concatenate([[0], np.cumsum(again)])[start]
        return cls(np.diff(start) + unseen, np.diff(before), start, items, again)


def _laid(parts: Sequence[IntArray]) -> tuple[LongArray, IntArray]:
    """Return the parts one after the other, and where each begins and the last ends."""
    start = np.concatenate([[0], np.cumsum([len(part) for part in parts], dtype=np.int64)])
    return start, np.concatenate([np.empty(0, np.int32), *parts]).astype(np.int32)


def judge(ranked: IntArray, targets: Sequence[Target], k: int) -> Judged:
    """Return the figures of `ranked` (targets, >= k) against each target's truth; NaN for a target without truth."""
    return judge_by(ranked, Truth.of(targets), k)


def judge_by(ranked: IntArray, truth: Truth, k: int) -> Judged:
    """Return what `judge` does, of a truth read before."""
    ranked, size, n_again = np.ascontiguousarray(ranked[:, :k], dtype=np.int32), truth.size, truth.size_again
    hits, hits_again = hits_of(ranked, truth.start, truth.items, truth.again)
    hits_new = hits.sum(axis=1) - hits_again
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[np.nan], np.cumsum(1 / np.log2(np.arange(2, max(int(size.max(initial=1)), k) + 2)))])
    gain = hits @ discount[: ranked.shape[1]]
    values = np.full((len(size), len(NAMES)), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        values[:, 0] = hits.sum(axis=1) / size
        values[:, 1] = gain / ideal[np.minimum(size, k)]
        values[:, 2] = gain / ideal[size]
        values[:, 3] = np.where(size > 0, hits.any(axis=1), np.nan)
        values[:, 4] = hits_again / n_again
        values[:, 5] = hits_new / (size - n_again)
        values[:, 6] = np.where(n_again > 0, hits_again > 0, np.nan)
        values[:, 7] = np.where(size > n_again, hits_new > 0, np.nan)
    return Judged(tuple(f"{name}@{k}" for name in NAMES), values)


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


def exposure(ranked: IntArray, k: int, n_items: int) -> LongArray:
    """Return int64 (items): in how many lists each item is shown."""
    shown = ranked[:, :k]
    return np.bincount(shown[shown >= 0], minlength=n_items)


def gini(counts: npt.NDArray[np.integer]) -> float | None:
    """Return the Gini coefficient of `counts` over all items, never shown ones included.

    0: every item is shown equally often; near 1: one takes it all. None where nothing is shown.
    """
    total = int(counts.sum())
    if not total:
        return None
    n = len(counts)
    places = 2 * np.arange(1, n + 1) - n - 1
    return float((places * np.sort(counts)).sum() / (n * total))


def lorenz(counts: npt.NDArray[np.integer], points: int = 51) -> list[float] | None:
    """Return which share of all showing the least shown 0 %, ..., 100 % of items have; None where nothing is shown.

    Lorenz (1905); between two items the curve is straight. The Gini coefficient is how far it hangs below the diagonal.
    """
    total = int(counts.sum())
    if not total:
        return None
    summed = np.concatenate([[0.0], np.cumsum(np.sort(counts)) / total])
    at = np.linspace(0, 1, points)
    return [float(share) for share in np.interp(at, np.linspace(0, 1, len(summed)), summed)]


def popularity_percentiles(customers_with: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """Return each item's place among all by how many customers ordered it: 0 least, 1 most, equals share the middle."""
    ascending = np.sort(customers_with)
    below = np.searchsorted(ascending, customers_with, side="left")
    through = np.searchsorted(ascending, customers_with, side="right")
    return (below + through) / (2 * max(len(customers_with), 1))


def popularity(items: npt.NDArray[np.integer], percentiles: npt.NDArray[np.float64]) -> float | None:
    """Return the mean popularity percentile of `items` (any shape, -1 is none); None where there is none.

    Shown above ordered means that the lists lean towards what is popular anyway.
    """
    kept = items[items >= 0]
    return float(percentiles[kept].mean()) if len(kept) else None


def mean_and_error(values: npt.NDArray[np.float64]) -> tuple[int, float | None, float | None]:
    """Return how many figures there are, their mean, and its standard error (None below two); NaN does not count."""
    kept = values[~np.isnan(values)]
    if not len(kept):
        return 0, None, None
    error = float(kept.std(ddof=1) / np.sqrt(len(kept))) if len(kept) > 1 else None
    return len(kept), float(kept.mean()), error


def t_interval(mean: float, error: float, n: int, level: float) -> tuple[float, float]:
    """Return Student's interval of a mean from its standard error; it misses the truth with probability `level`.

    For levels so small that 1,000 resamples have no quantile there (many groups compared at once).
    """
    half = float(special.stdtrit(max(n - 1, 1), 1 - level / 2)) * error
    return mean - half, mean + half


def intervals(values: npt.NDArray[np.float64], rng: np.random.Generator) -> list[tuple[float, float] | None]:
    """Return the bootstrap 95 % interval of each column's mean over customers; None where fewer than two apply.

    Poisson bootstrap (Chamandy et al. 2012), percentile, 1,000 resamples shared by all columns; NaN does not apply.
    """
    applies = ~np.isnan(values)
    filled = np.where(applies, values, 0.0)
    means = np.empty((RESAMPLES, values.shape[1]))
    for first in range(0, RESAMPLES, RESAMPLES_AT_ONCE):
        weights = TIMES[rng.integers(0, len(TIMES), (RESAMPLES_AT_ONCE, len(values)), dtype=np.uint16)]
        with np.errstate(invalid="ignore", divide="ignore"):
            means[first : first + RESAMPLES_AT_ONCE] = (weights @ filled) / (weights @ applies)
    found: list[tuple[float, float] | None] = []
    for column in range(values.shape[1]):
        drawn = means[:, column][~np.isnan(means[:, column])]
        if applies[:, column].sum() < 2 or not len(drawn):
            found.append(None)
            continue
        low, high = np.quantile(drawn, [0.025, 0.975])
        found.append((float(low), float(high)))
    return found


def interval(values: npt.NDArray[np.float64], rng: np.random.Generator) -> tuple[float, float] | None:
    """Return the bootstrap 95 % interval of one figure's mean; None below two customers."""
    return intervals(values[:, None], rng)[0]


def paired_interval(
    ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64], rng: np.random.Generator
) -> tuple[float, float] | None:
    """Return the bootstrap 95 % interval of the mean difference ours - theirs on the same customers."""
    return interval(ours - theirs, rng)


def _mean(values: npt.NDArray[np.float64]) -> float | None:
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if len(kept) else None
