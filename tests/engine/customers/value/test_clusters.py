"""Groups that are there are found, k is where the silhouette is largest, and names say what is unusual."""

from __future__ import annotations

import numpy as np
import pytest

from engine.customers.config import Groups
from engine.customers.value.clusters import CLUSTER_FEATURES, find_clusters, nearest_centre, silhouette

NAMES = [name for name, _, _, _ in CLUSTER_FEATURES]


def town(seed: int = 0) -> np.ndarray:
    """300 frequent lunchers, 300 one-time weekenders with big baskets, 300 silent discount users."""
    rng = np.random.default_rng(seed)
    centres = [
        [20, 5, 1500, 0.1, 0.9, 0.1, 12],
        [1, 20, 6000, 0.1, 0.0, 0.9, 2],
        [3, 200, 2000, 0.9, 0.1, 0.2, 3],
    ]
    return np.vstack([rng.normal(c, np.array(c) * 0.08 + 0.01, (300, 7)) for c in centres])


def test_the_groups_that_are_there_are_found_and_named() -> None:
    found = find_clusters(town(), Groups(), np.random.default_rng(1))
    assert found is not None
    assert len(found.clusters) == 3
    assert max(found.silhouette, key=lambda k: found.silhouette[k]) == 3
    for part in range(3):
        assert len(set(found.member[part * 300 : (part + 1) * 300])) == 1
    names = {cluster.name for cluster in found.clusters}
    assert len(names) == 3
    lunch = found.clusters[found.member[0]]
    assert any(word in lunch.name for word in ("lunch", "frequent", "adventurous"))
    assert lunch.means["lunch_share"] == pytest.approx(0.9, abs=0.03)
    assert sum(cluster.share for cluster in found.clusters) == pytest.approx(1)


def test_unknown_and_constant_features_do_no_harm() -> None:
    features = town()
    features[:, NAMES.index("distinct_items")] = np.nan
    features[:, NAMES.index("discounted_orders")] = 0.5
    found = find_clusters(features, Groups(), np.random.default_rng(1))
    assert found is not None
    assert "distinct_items" not in found.clusters[0].means
    identical = find_clusters(np.ones((80, 7)), Groups(), np.random.default_rng(1))
    assert identical is not None
    assert identical.clusters[0].share == 1.0


def test_too_few_customers_are_not_grouped() -> None:
    assert find_clusters(town()[:49], Groups(), np.random.default_rng(1)) is None


def test_the_silhouette_is_its_definition() -> None:
    Z = np.random.default_rng(3).normal(size=(40, 2))
    member = np.arange(40) % 3
    plain = []
    for i in range(40):
        distance = np.sqrt(((Z - Z[i]) ** 2).sum(axis=1))
        own = distance[(member == member[i]) & (np.arange(40) != i)].mean()
        other = min(distance[member == g].mean() for g in range(3) if g != member[i])
        plain.append((other - own) / max(own, other))
    assert silhouette(Z, member) == pytest.approx(np.mean(plain))
    assert silhouette(Z, np.zeros(40, int)) == -1.0


def test_each_goes_to_the_nearest_centre() -> None:
    centres = np.array([[0.0, 0.0], [10.0, 0.0]])
    assert nearest_centre(np.array([[1.0, 1.0], [9.0, 3.0], [5.0, 0.0]]), centres).tolist() == [0, 1, 0]
