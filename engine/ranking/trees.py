"""LightGBM's trees as flat arrays: a request has a few hundred rows, and the library takes a millisecond to begin.

The artifact keeps LightGBM's own text, which anybody can read and which holds no code; this reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from engine.compiled import compiled
from engine.errors import ArtifactBroken
from engine.models.board import FloatArray, sealed

DEPTH = 6
LEAVES = 2**DEPTH
CATEGORICAL = 1
MOST_FEATURES = 255


@dataclass(frozen=True, slots=True)
class Trees:
    """Every tree as a complete binary tree of depth 6, so that a step down needs no look at where it leads.

    Node k sends a row to 2k + 1 when its `feature` (trees, 63) is at most `threshold`, else to 2k + 2; `leaves`
    (trees, 64) hold what the row gets. Shallow branches are drawn out to the full depth. `names` are the features'.
    """

    names: tuple[str, ...]
    feature: npt.NDArray[np.uint8]
    threshold: FloatArray
    leaves: npt.NDArray[np.float64]

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read LightGBM's model text.

        Raises ArtifactBroken for what cannot be read, is deeper, or splits by category.
        """
        try:
            head, *blocks = text.split("\nTree=")
            names = _told(head)["feature_names"].split()
            trees = [_complete(_told(block.split("\n\n", 1)[0])) for block in blocks]
        except (KeyError, ValueError, IndexError) as error:
            raise ArtifactBroken(f"the ranker's trees cannot be read ({error}); train again") from error
        if not trees:
            raise ArtifactBroken("the ranker has no trees; train again")
        feature, threshold, leaves = (sealed(np.stack(part)) for part in zip(*trees, strict=True))
        return cls(tuple(names), feature, threshold, leaves)

    def predict(self, table: FloatArray) -> FloatArray:
        """Return (rows,) float32: the sum of each row's leaves; `table` is (rows, features) without NaN."""
        return _predict(table, self.feature, self.threshold, self.leaves)


def _told(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _complete(
    told: dict[str, str],
) -> tuple[npt.NDArray[np.uint8], FloatArray, npt.NDArray[np.float64]]:
    """Return feature (63), threshold (63) and leaves (64) of one tree."""
    feature, threshold = np.zeros(LEAVES - 1, np.uint8), np.full(LEAVES - 1, np.inf, np.float32)
    values = np.array(told["leaf_value"].split(), dtype=np.float64)
    level = [~0]
    if int(told["num_leaves"]) > 1:
        level = [0]
        if (np.array(told["decision_type"].split(), dtype=np.int64) & CATEGORICAL).any():
            raise ValueError("a split by category")
        split = np.array(told["split_feature"].split(), dtype=np.int64)
        bound = _below(np.array(told["threshold"].split(), dtype=np.float64))
        left, right = (np.array(told[f"{side}_child"].split(), dtype=np.int64) for side in ("left", "right"))
        if split.max() > MOST_FEATURES:
            raise ValueError("too many features")
    for depth in range(DEPTH):
        below: list[int] = []
        for place, node in enumerate(level, start=2**depth - 1):
            if node < 0:  # a leaf already: everything goes left to the same one
                below += [node, node]
            else:
                feature[place], threshold[place] = split[node], bound[node]
                below += [int(left[node]), int(right[node])]
        level = below
    if max(level) >= 0:
        raise ValueError(f"a tree deeper than {DEPTH}")
    return feature, threshold, values[[~leaf for leaf in level]]


def _below(exact: npt.NDArray[np.float64]) -> FloatArray:
    """Return the largest float32 that is not above: rows are float32, and x <= t must say the same of them."""
    near = exact.astype(np.float32)
    return np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near)


@compiled
def _predict(
    table: FloatArray,
    feature: npt.NDArray[np.uint8],
    threshold: FloatArray,
    leaves: npt.NDArray[np.float64],
) -> FloatArray:
    n = len(table)
    total = np.zeros(n, dtype=np.float64)
    for tree in range(len(feature)):
        split, bound, leaf = feature[tree], threshold[tree], leaves[tree]
        row = 0
        # Four rows at a time: each waits for its own loads, not for those of the others.
        while row + 4 <= n:
            a, b, c, d = 0, 0, 0, 0
            for _ in range(DEPTH):
                a = 2 * a + 1 + (table[row, split[a]] > bound[a])
                b = 2 * b + 1 + (table[row + 1, split[b]] > bound[b])
                c = 2 * c + 1 + (table[row + 2, split[c]] > bound[c])
                d = 2 * d + 1 + (table[row + 3, split[d]] > bound[d])
            total[row] += leaf[a - (LEAVES - 1)]
            total[row + 1] += leaf[b - (LEAVES - 1)]
            total[row + 2] += leaf[c - (LEAVES - 1)]
            total[row + 3] += leaf[d - (LEAVES - 1)]
            row += 4
        while row < n:
            a = 0
            for _ in range(DEPTH):
                a = 2 * a + 1 + (table[row, split[a]] > bound[a])
            total[row] += leaf[a - (LEAVES - 1)]
            row += 1
    return total.astype(np.float32)
