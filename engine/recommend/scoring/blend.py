"""Several models' scores to one: a weighted sum on scales that mean the same for every customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.models.arrays import FloatArray
from engine.models.registry import REGISTRY, default_weights, impersonal_models

NEAR_TIE = 1e-6


def weights_for_new() -> dict[str, float]:
    """Return the weights for customers without an order, where none could be learned."""
    weights = default_weights()
    return {name: weights[name] for name in impersonal_models()}


@dataclass(frozen=True, slots=True)
class Blend:
    """Weights (>= 0) by model name; all models score shares or preferences of about 0 to 1, so sums make sense.

    `weights` hold for customers with an order, `for_new` for those without: what a customer orders may leave no weight
    to what everybody orders, which is all there is to go by for a stranger.
    """

    weights: Mapping[str, float]
    for_new: Mapping[str, float] = field(default_factory=weights_for_new)

    def vector(self, names: Sequence[str], *, known: bool = True) -> FloatArray:
        """Return each model's weight; where no model that scores everything weighs anything, popularity breaks ties.

        Raises ValueError when no model weighs anything.
        """
        chosen = self.weights if known else self.for_new
        weights = [chosen.get(name, 0.0) for name in names]
        complete = [name for name in names if name in {kind.name for kind in REGISTRY if kind.scores_everything}]
        if complete and not any(chosen.get(name) for name in complete):
            # The first of them is popularity itself.
            weights[list(names).index(complete[0])] = NEAR_TIE
        if known and not any(weights):
            raise ValueError("a blend needs at least one model with a weight above 0")
        return np.array(weights, dtype=np.float32)
