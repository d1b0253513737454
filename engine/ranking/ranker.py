"""The learned ranker: boosted trees over what the models say, in LightGBM's text format (no code in it)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from engine.models.base import Arrays, FloatArray, Query
from engine.ranking.features import ItemFacts, candidates, features

# Places kept free below the candidates for everything else, which the blend orders.
BELOW = 2.0


@dataclass(frozen=True, slots=True)
class Ranker:
    """Re-orders the blend's candidates for those it was shown to serve better: known customers, new ones, or both.

    Burges (2010), From RankNet to LambdaRank to LambdaMART.
    """

    booster: lgb.Booster
    facts: ItemFacts
    for_known: bool
    for_new: bool

    def rank(self, parts: Mapping[str, FloatArray], blended: FloatArray, queries: Sequence[Query]) -> FloatArray:
        """Return (queries, items) float32 scores; NaN and -inf of `blended` stay out, non-candidates follow all others.

        Where the ranker does not serve a query, its row is the blend's.
        """
        scores = np.array(blended, dtype=np.float32)
        chosen = [i for i, query in enumerate(queries) if (self.for_known if query.baskets else self.for_new)]
        if not chosen:
            return scores
        own = {name: part[chosen] for name, part in parts.items()}
        columns = candidates(own, blended[chosen])
        rows = [features(own, blended[chosen], n, queries[i], columns[n], self.facts) for n, i in enumerate(chosen)]
        # Two threads cost twenty times one here: a request has a few hundred rows.
        predicted = np.asarray(self.booster.predict(np.concatenate(rows), num_threads=1), dtype=np.float32)
        bounds = np.cumsum([0, *(len(own_columns) for own_columns in columns)])
        for n, i in enumerate(chosen):
            found = predicted[bounds[n] : bounds[n + 1]]
            floor = float(found.min(initial=0.0)) - BELOW
            scores[i] = np.where(np.isfinite(scores[i]), floor + np.clip(scores[i], 0, 1), scores[i])
            scores[i, columns[n]] = found
        return scores

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the trees as UTF-8 bytes, the item facts and whom it serves."""
        text = np.frombuffer(self.booster.model_to_string(num_iteration=-1).encode(), dtype=np.uint8)
        serves = np.array([self.for_known, self.for_new])
        return {"trees": text, "serves": serves, **self.facts.arrays()}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Rebuild from `arrays()`."""
        booster = lgb.Booster(model_str=arrays["trees"].tobytes().decode())
        for_known, for_new = (bool(value) for value in arrays["serves"])
        return cls(booster, ItemFacts.from_arrays(arrays), for_known, for_new)


def masked(parts: Mapping[str, FloatArray], allowed: npt.NDArray[np.bool_]) -> dict[str, FloatArray]:
    """Return the scores with what may not be shown as NaN; `allowed` is (items,) or (queries, items)."""
    return {name: np.where(allowed, part, np.float32(np.nan)) for name, part in parts.items()}
