"""The learned ranker: boosted trees over what the models say, in LightGBM's text format (no code in it)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from engine.artifact import Pause, no_pause
from engine.models.arrays import Arrays
from engine.models.query import Query
from engine.recommend.scoring.features import ItemFacts
from engine.recommend.scoring.trees import Trees


@dataclass(frozen=True, slots=True)
class Ranker:
    """Re-orders the blend's candidates for those it was shown to serve better: known customers, new ones, or both.

    Burges (2010), From RankNet to LambdaRank to LambdaMART. `text` is LightGBM's and `trees` the same, read.
    Where it `reads_all_models`, models are asked for it that weigh nothing in the blend.
    """

    text: str
    trees: Trees
    facts: ItemFacts
    for_known: bool
    for_new: bool
    reads_all_models: bool = False

    def serves(self, query: Query) -> bool:
        """Say whether it orders the dishes of this query, or leaves them to the blend."""
        return self.for_known if query.known else self.for_new

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the trees as UTF-8 bytes, the item facts and whom it serves."""
        text = np.frombuffer(self.text.encode(), dtype=np.uint8)
        serves = np.array([self.for_known, self.for_new, self.reads_all_models])
        return {"trees": text, "serves": serves, **self.facts.arrays()}

    @classmethod
    def from_arrays(cls, arrays: Arrays, *, pause: Pause = no_pause) -> Self:
        """Rebuild from `arrays()`; `pause` is called between trees. Raises ArtifactBroken when they cannot be read."""
        text = arrays["trees"].tobytes().decode()
        # Yesterday's rankers say nothing of hearing all, and do not.
        trees = Trees.from_text(text, pause=pause)
        return cls(text, trees, ItemFacts.from_arrays(arrays), *map(bool, arrays["serves"]))
