"""What the newest baskets of one customer count."""

from __future__ import annotations

import numpy as np

from engine.models.arrays import FloatArray, LongArray
from engine.runtime.compiled import compiled


@compiled
def seed_weights(start: LongArray, decay: float) -> FloatArray:
    """Return the weight of every line of these baskets as a starting point; all together sum to 1."""
    weights = np.empty(start[-1] - start[0], dtype=np.float32)
    total, weight = 0.0, 1.0
    for basket in range(len(start) - 2, -1, -1):
        size = start[basket + 1] - start[basket]
        for line in range(start[basket], start[basket + 1]):
            weights[line - start[0]] = weight / size
        total += weight
        weight *= decay
    if total > 0:
        weights /= np.float32(total)
    return weights
