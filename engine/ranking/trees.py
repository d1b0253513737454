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
from engine.models.board import FloatArray, IntArray, sealed

CATEGORICAL, DEFAULT_LEFT, MISSING_NAN = 1, 2, 8
MISSING = 12


@dataclass(frozen=True, slots=True)
class Trees:
    """All trees' nodes end to end.

    Node i sends a row left when its `feature[i]` is at most `threshold[i]`, or is NaN and `nan_left[i]`. `left` and
    `right` name the next node, or the leaf ~x below 0; `roots` are the trees' first nodes, or single leaves.
    """

    roots: IntArray
    feature: IntArray
    threshold: FloatArray
    nan_left: npt.NDArray[np.bool_]
    left: IntArray
    right: IntArray
    leaves: npt.NDArray[np.float64]

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read LightGBM's model text. Raises ArtifactBroken for what cannot be read or uses categories."""
        roots, parts, leaves = [], [], []
        n_nodes = n_leaves = 0
        try:
            for block in text.split("\nTree=")[1:]:
                told = dict(line.split("=", 1) for line in block.split("\n\n", 1)[0].splitlines() if "=" in line)
                leaves.append(np.array(told["leaf_value"].split(), dtype=np.float64))
                if int(told["num_leaves"]) == 1:
                    roots.append(~n_leaves)
                else:
                    roots.append(n_nodes)
                    parts.append(_nodes(told, n_nodes, n_leaves))
                    n_nodes += len(parts[-1][0])
                n_leaves += len(leaves[-1])
        except (KeyError, ValueError) as error:
            raise ArtifactBroken(f"the ranker's trees cannot be read ({error}); train again") from error
        if not roots:
            raise ArtifactBroken("the ranker has no trees; train again")
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)] or [np.empty(0, np.int32)] * 5
        feature, threshold, nan_left, left, right = columns
        return cls(
            sealed(np.array(roots, dtype=np.int32)),
            sealed(feature.astype(np.int32)),
            sealed(threshold.astype(np.float32)),
            sealed(nan_left.astype(np.bool_)),
            sealed(left.astype(np.int32)),
            sealed(right.astype(np.int32)),
            sealed(np.concatenate(leaves)),
        )

    def predict(self, table: FloatArray) -> FloatArray:
        """Return (rows,) float32: the sum of each row's leaves over all trees; `table` is (rows, features)."""
        return _predict(
            table, self.roots, self.feature, self.threshold, self.nan_left, self.left, self.right, self.leaves
        )


def _nodes(told: dict[str, str], n_nodes: int, n_leaves: int) -> tuple[npt.NDArray[np.generic], ...]:
    kinds = np.array(told["decision_type"].split(), dtype=np.int64)
    if (kinds & CATEGORICAL).any() or not np.isin(kinds & MISSING, (0, MISSING_NAN)).all():
        raise ValueError("splits by category or with zero as missing")
    exact = np.array(told["threshold"].split(), dtype=np.float64)
    # Rows are float32: x <= t in float64 says the same as x <= the largest float32 that is not above t.
    threshold = exact.astype(np.float32)
    threshold = np.where(threshold > exact, np.nextafter(threshold, np.float32(-np.inf)), threshold)
    # Where a split saw no NaN in training, LightGBM reads NaN as 0.
    nan_left = np.where(kinds & MISSING == MISSING_NAN, kinds & DEFAULT_LEFT != 0, exact >= 0)
    children = []
    for side in ("left_child", "right_child"):
        child = np.array(told[side].split(), dtype=np.int64)
        children.append(np.where(child >= 0, child + n_nodes, child - n_leaves))
    return np.array(told["split_feature"].split(), dtype=np.int32), threshold, nan_left, *children


@compiled
def _predict(
    table: FloatArray,
    roots: IntArray,
    feature: IntArray,
    threshold: FloatArray,
    nan_left: npt.NDArray[np.bool_],
    left: IntArray,
    right: IntArray,
    leaves: npt.NDArray[np.float64],
) -> FloatArray:
    total = np.zeros(len(table), dtype=np.float64)
    for root in roots:
        for row in range(len(table)):
            node = root
            while node >= 0:
                x = table[row, feature[node]]
                goes_left = x <= threshold[node] or (np.isnan(x) and nan_left[node])
                node = left[node] if goes_left else right[node]
            total[row] += leaves[~node]
    return total.astype(np.float32)
