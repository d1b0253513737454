"""Clusters of customers: k-means over habits and value, each cluster with a readable name.

k is the one with the largest mean silhouette (Rousseeuw 1987) on a sample; seeds follow k-means++ (Arthur &
Vassilvitskii 2007). Figures are standardised, skewed ones by their logarithm, and cut at three deviations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from engine.customers.config import Groups

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CLUSTER_SAMPLE, SILHOUETTE_SAMPLE = 20_000, 1_500
LLOYD_STEPS = 60
LEAST_CUSTOMERS_TO_CLUSTER = 50
# Column of the table, logarithm or not, and the words for a high and a low value.
CLUSTER_FEATURES = (
    ("orders", True, "frequent", "one-time"),
    ("recency_days", True, "long silent", "recent"),
    ("average_order_cents", True, "big baskets", "small baskets"),
    ("discounted_orders", False, "discount users", "full price"),
    ("lunch_share", False, "lunch", "not at lunch"),
    ("weekend_share", False, "weekend", "weekday"),
    ("distinct_items", True, "adventurous", "few dishes"),
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster: its name, share of customers, and mean of every feature in its own units."""

    name: str
    share: float
    means: dict[str, float]


@dataclass(frozen=True, slots=True)
class Clustering:
    """The clusters found; `member` is each customer's, `silhouette` the mean for every k tried."""

    clusters: tuple[Cluster, ...]
    member: Ints
    silhouette: dict[int, float]


def find_clusters(features: Floats, config: Groups, rng: np.random.Generator) -> Clustering | None:
    """Group customers by `features` (customers, len(FEATURES)), NaN unknown; None with fewer than 50 of them."""
    if len(features) < LEAST_CUSTOMERS_TO_CLUSTER:
        return None
    # Products of thin matrices: more BLAS threads only wait for each other.
    with threadpool_limits(1, "blas"):
        return _find(features, config, rng)


def _find(features: Floats, config: Groups, rng: np.random.Generator) -> Clustering:
    logged = np.column_stack(
        [
            np.log1p(np.maximum(features[:, i], 0)) if log else features[:, i]
            for i, (_, log, _, _) in enumerate(CLUSTER_FEATURES)
        ]
    )
    with np.errstate(invalid="ignore"):
        centre = np.array([np.nanmean(c) if np.isfinite(c).any() else 0.0 for c in logged.T])
        width = np.array([np.nanstd(c) if np.isfinite(c).any() else 0.0 for c in logged.T])
    Z = np.clip(np.nan_to_num((logged - centre) / np.where(width > 0, width, 1.0)), -3, 3)
    sample = Z[np.sort(rng.choice(len(Z), min(CLUSTER_SAMPLE, len(Z)), replace=False))]
    judged = sample[np.sort(rng.choice(len(sample), min(SILHOUETTE_SAMPLE, len(sample)), replace=False))]
    tried: dict[int, float] = {}
    best: tuple[float, Floats] | None = None
    for k in range(config.k_min, config.k_max + 1):
        centres = _centres(sample, k, rng)
        tried[k] = silhouette(judged, nearest_centre(judged, centres))
        if best is None or tried[k] > best[0]:
            best = tried[k], centres
    assert best is not None  # noqa: S101 - k_min <= k_max is checked where the configuration is read
    member = nearest_centre(Z, best[1])
    # The largest group first, so that numbers are stable from build to build as far as they can be.
    used = np.argsort(-np.bincount(member, minlength=len(best[1])), kind="stable")
    place = np.empty(len(used), np.int64)
    place[used] = np.arange(len(used))
    return Clustering(_named(features, best[1][used], place[member]), place[member], tried)


def nearest_centre(Z: Floats, centres: Floats) -> Ints:
    """Return the nearest centre of each row; the first of equals."""
    distance: Floats = (centres**2).sum(axis=1) - 2 * Z @ centres.T
    found: Ints = np.argmin(distance, axis=1).astype(np.int64)
    return found


def silhouette(Z: Floats, member: Ints) -> float:
    """Return the mean silhouette: how much nearer the own cluster is than the next; -1 for one cluster."""
    squares = (Z**2).sum(axis=1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * Z @ Z.T, 0))
    groups, member = np.unique(member, return_inverse=True)
    if len(groups) < 2:
        return -1.0
    inside = np.eye(len(groups))[member]
    n = inside.sum(axis=0)
    to_group = distance @ inside
    rows = np.arange(len(Z))
    own = to_group[rows, member] / np.maximum(n[member] - 1, 1)
    mean = to_group / n
    mean[rows, member] = np.inf
    other = mean.min(axis=1)
    score = (other - own) / np.maximum(np.maximum(other, own), 1e-12)
    return float(np.where(n[member] > 1, score, 0.0).mean())


def _centres(Z: Floats, k: int, rng: np.random.Generator) -> Floats:
    centres = Z[[int(rng.integers(len(Z)))]]
    for _ in range(1, k):
        far = np.maximum(((Z[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2).min(axis=1), 1e-12)
        centres = np.vstack([centres, Z[int(rng.choice(len(Z), p=far / far.sum()))]])
    for _ in range(LLOYD_STEPS):
        member = nearest_centre(Z, centres)
        n = np.bincount(member, minlength=k)
        sums = np.column_stack([np.bincount(member, column, minlength=k) for column in Z.T])
        moved = np.where(n[:, None] > 0, sums / np.maximum(n[:, None], 1), centres)
        if np.allclose(moved, centres, atol=1e-6):
            break
        centres = moved
    return centres


def _named(features: Floats, centres: Floats, member: Ints) -> tuple[Cluster, ...]:
    found, seen = [], set()
    for i, centre in enumerate(centres):
        strong = [j for j in np.argsort(-np.abs(centre), kind="stable")[:3] if abs(centre[j]) >= 0.4]
        words = [CLUSTER_FEATURES[j][2] if centre[j] > 0 else CLUSTER_FEATURES[j][3] for j in strong]
        name = ", ".join(words) or "average"
        name = f"{name} ({i + 1})" if name in seen else name
        seen.add(name)
        own = features[member == i]
        known = [np.isfinite(own[:, j]) for j in range(len(CLUSTER_FEATURES))]
        means = {CLUSTER_FEATURES[j][0]: float(own[k, j].mean()) for j, k in enumerate(known) if k.any()}
        found.append(Cluster(name, float((member == i).mean()), means))
    return tuple(found)
