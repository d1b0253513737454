"""Several models' scores to one: a weighted sum on scales that mean the same for every customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.models.arrays import FloatArray

# Where too few customers came back to learn weights from, these serve; repeats first.
DEFAULT_WEIGHTS = {
    "repeat": 1.0,
    "item_knn": 0.2,
    "next_item": 0.1,
    "user_knn": 0.1,
    "popular": 0.1,
    "trending": 0.05,
    "popular_by_daypart": 0.05,
    "repeat_by_daypart": 0.05,
    "popular_by_language": 0.05,
    # A friend's share of a dish is many times a zone's.
    "referral": 0.01,
    "als": 0.05,
    # Fitted only where nobody orders a dish again; there repeat has nothing to say.
    "ease": 1.0,
}
NEAR_TIE = 1e-6
# What can be said to somebody without an order.
IMPERSONAL = ("popular", "trending", "popular_by_daypart", "popular_by_language", "referral")
# What says something of every dish, so that nothing ties.
OF_EVERYTHING = ("popular", "popular_by_daypart")
FOR_NEW = {name: DEFAULT_WEIGHTS[name] for name in IMPERSONAL}


@dataclass(frozen=True, slots=True)
class Blend:
    """Weights (>= 0) by model name; all models score shares or preferences of about 0 to 1, so sums make sense.

    `weights` hold for customers with an order, `for_new` for those without: what she herself orders may leave no weight
    to what everybody does, which is all there is to go by for a stranger.
    """

    weights: Mapping[str, float]
    for_new: Mapping[str, float] = field(default_factory=lambda: FOR_NEW)

    def vector(self, names: Sequence[str], *, known: bool = True) -> FloatArray:
        """Return each model's weight; near ties are broken by `popular` where no popularity has a say.

        Raises ValueError when no model weighs anything.
        """
        chosen = self.weights if known else self.for_new
        weights = [chosen.get(name, 0.0) for name in names]
        if "popular" in names and not any(chosen.get(name) for name in OF_EVERYTHING if name in names):
            weights[list(names).index("popular")] = NEAR_TIE
        if known and not any(weights):
            raise ValueError("a blend needs at least one model with a weight above 0")
        return np.array(weights, dtype=np.float32)
