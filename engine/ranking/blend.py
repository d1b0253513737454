"""Several models' scores to one: a weighted sum on scales that mean the same for every customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.models.base import FloatArray, Query, Recommender

# Where too few customers came back to learn weights from, these serve; repeats first.
DEFAULT_WEIGHTS = {
    "repeat": 1.0,
    "item_knn": 0.2,
    "next_item": 0.1,
    "user_knn": 0.1,
    "popular": 0.1,
    "trending": 0.05,
    "als": 0.05,
}
NEAR_TIE = 1e-6


@dataclass(frozen=True, slots=True)
class Blend:
    """Weights (>= 0) by model name; all models score shares or preferences of about 0 to 1, so sums make sense."""

    weights: Mapping[str, float]

    def combine(self, components: Mapping[str, FloatArray]) -> FloatArray:
        """Return (queries, items) float32: the weighted sum, NaN counting 0, near ties broken by `popular`."""
        total: FloatArray | None = None
        for name, scores in components.items():
            weight = self.weights.get(name, 0.0) + (NEAR_TIE if name == "popular" else 0.0)
            if weight:
                part = np.float32(weight) * np.nan_to_num(scores, nan=0.0)
                total = part if total is None else total + part
        if total is None:
            raise ValueError("a blend needs at least one model with a weight above 0")
        return total


def components(models: Sequence[Recommender], queries: Sequence[Query]) -> dict[str, FloatArray]:
    """Return each model's (queries, items) scores by model name."""
    return {model.name: model.score(queries) for model in models}
