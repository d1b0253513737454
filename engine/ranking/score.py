"""What the models say of the dishes she may order, as one pool, best first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.models.base import FloatArray, IntArray, Query
from engine.ranking.blend import components
from engine.ranking.filters import Allowed
from engine.ranking.ranker import masked
from engine.ranking.served import Served
from engine.ranking.top import top_k


@dataclass(frozen=True, slots=True)
class Pool:
    """Dishes that passed every hard filter, by falling score.

    `columns` (n) are distinct, `scores` (n) fall, `parts` (n, models) holds what each model of `names` says, 0 where it
    knows nothing of the dish.
    """

    columns: IntArray
    scores: FloatArray
    parts: FloatArray
    names: tuple[str, ...]


def score_pool(served: Served, query: Query, allowed: Allowed, *, size: int) -> Pool:
    """Return the `size` best dishes (fewer where fewer are allowed), those no model knows after all others."""
    mask = allowed.as_mask()
    parts = masked(components(served.models, [query]), mask)
    scores = np.where(mask, served.blend.combine(parts), np.float32(-np.inf))
    if served.ranker is not None:
        scores = served.ranker.rank(parts, scores, [query])
    ranked = top_k(scores, size)[0]
    ranked = ranked[ranked >= 0]
    said = np.stack([np.nan_to_num(part[0, ranked]) for part in parts.values()], axis=1)
    return Pool(ranked, scores[0, ranked], said, tuple(parts))
