"""Several models' scores to one: a weighted sum on scales that mean the same for every customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.models.board import FloatArray

# Where too few customers came back to learn weights from, these serve; repeats first.
DEFAULT_WEIGHTS = {
    "repeat": 1.0,
    "item_knn": 0.2,
    "next_item": 0.1,
    "user_knn": 0.1,
    "popular": 0.1,
    "trending": 0.05,
    "als": 0.05,
    # Fitted only where nobody orders a dish again; there repeat has nothing to say.
    "ease": 1.0,
}
NEAR_TIE = 1e-6


@dataclass(frozen=True, slots=True)
class Blend:
    """Weights (>= 0) by model name; all models score shares or preferences of about 0 to 1, so sums make sense."""

    weights: Mapping[str, float]

    def vector(self, names: Sequence[str]) -> FloatArray:
        """Return each model's weight, near ties broken by `popular`.

        Raises ValueError when no model weighs anything.
        """
        weights = [self.weights.get(name, 0.0) + (NEAR_TIE if name == "popular" else 0.0) for name in names]
        if not any(weights):
            raise ValueError("a blend needs at least one model with a weight above 0")
        return np.array(weights, dtype=np.float32)
