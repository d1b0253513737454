"""LightGBM's trees as flat arrays: a request has a few hundred rows, and the library takes a millisecond to begin.

The artifact keeps LightGBM's own text, which anybody can read and which holds no code; this reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from engine.artifact import Pause, no_pause
from engine.errors import ArtifactBroken
from engine.models.arrays import FloatArray, LongArray, read_only
from engine.recommend.kernels.trees import sum_leaves

# How deep trees are taught; any depth is read.
DEPTH = 6
MOST_LEAVES = 64
CATEGORICAL = 1
MOST_FEATURES = 255
# Trees read between two pauses: about half a millisecond.
PAUSE_EVERY = 10
# Rows are looked at in whole strides of the widest vectors.
STRIDE = 32
ALL_LEAVES = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Trees:
    """Every tree as its splits and, for each, the leaves that are left to a row that goes right (QuickScorer).

    Split k sends a row to the right when its `feature` lies above `threshold`; then only the leaves whose bits stand in
    `keep` are left, counted from the left. The first leaf left of all splits of a tree is the row's. So every row takes
    the same steps, and many rows take each at once. Tree t has the splits from start[t] to start[t + 1] and the row t
    of `leaves`. `keep` is int32, int64 where a tree has more than 32 leaves. `names` are the features'.

    Lucchese et al. (2015), QuickScorer: a fast algorithm to rank documents with additive ensembles of regression trees.
    """

    names: tuple[str, ...]
    feature: npt.NDArray[np.uint8]
    threshold: FloatArray
    keep: npt.NDArray[np.signedinteger[Any]]
    start: LongArray
    leaves: npt.NDArray[np.float64]

    @classmethod
    def from_text(cls, text: str, *, pause: Pause = no_pause) -> Self:
        """Read LightGBM's model text; `pause` is called every few trees.

        Raises ArtifactBroken for what cannot be read, has more than 64 leaves, or splits by category.
        """
        try:
            head, *blocks = text.split("\nTree=")
            names = _told(head)["feature_names"].split()
            trees = []
            for number, block in enumerate(blocks):
                if number % PAUSE_EVERY == 0:
                    pause()
                trees.append(_splits(_told(block.split("\n\n", 1)[0])))
        except (KeyError, ValueError, IndexError) as error:
            raise ArtifactBroken(f"the ranker's trees cannot be read ({error}); train again") from error
        if not trees:
            raise ArtifactBroken("the ranker has no trees; train again")
        width = max(len(values) for *_, values in trees)
        leaves = np.zeros((len(trees), width), np.float64)
        for tree, (*_, values) in enumerate(trees):
            leaves[tree, : len(values)] = values
        feature, threshold, keep = (np.concatenate([each[part] for each in trees]) for part in range(3))
        start = np.cumsum([0, *(len(each[0]) for each in trees)]).astype(np.int64)
        keep = keep.view(np.int64) if width > 32 else keep.astype(np.uint32).view(np.int32)
        return cls(tuple(names), *(read_only(array) for array in (feature, threshold, keep, start, leaves)))

    def predict(self, table: FloatArray) -> FloatArray:
        """Return (rows,) float32: the sum of each row's leaves; `table` is (rows, features) without NaN."""
        size = -(-len(table) // STRIDE) * STRIDE
        exact, mantissa = (np.float32, 23) if self.keep.dtype == np.int32 else (np.float64, 52)
        first: npt.NDArray[np.floating[Any]] = np.empty(size, exact)
        return sum_leaves(
            table,
            self.feature,
            self.threshold,
            self.keep,
            self.start,
            self.leaves,
            np.empty(size, self.keep.dtype),
            first,
            first.view(self.keep.dtype),
            mantissa,
        )


def _told(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _splits(
    told: dict[str, str],
) -> tuple[npt.NDArray[np.uint8], FloatArray, npt.NDArray[np.uint64], npt.NDArray[np.float64]]:
    """Return feature, threshold and what is kept of each split of one tree, and its leaves from left to right."""
    values = np.array(told["leaf_value"].split(), dtype=np.float64)
    if len(values) > MOST_LEAVES:
        raise ValueError(f"a tree of more than {MOST_LEAVES} leaves")
    if int(told["num_leaves"]) == 1:
        return np.empty(0, np.uint8), np.empty(0, np.float32), np.empty(0, np.uint64), values
    if (np.array(told["decision_type"].split(), dtype=np.int64) & CATEGORICAL).any():
        raise ValueError("a split by category")
    split = np.array(told["split_feature"].split(), dtype=np.int64)
    bound = _below(np.array(told["threshold"].split(), dtype=np.float64))
    if split.max() > MOST_FEATURES:
        raise ValueError("too many features")
    left, right = ([int(node) for node in told[f"{side}_child"].split()] for side in ("left", "right"))
    order: list[int] = []
    keep = np.zeros(len(split), dtype=np.uint64)

    def walk(node: int) -> int:
        """Number the leaves below `node` and return their bits."""
        if node < 0:
            order.append(~node)
            return 1 << (len(order) - 1)
        below = walk(left[node])
        keep[node] = ~below & ALL_LEAVES
        return below | walk(right[node])

    walk(0)
    return split.astype(np.uint8), bound, keep, values[order]


def _below(exact: npt.NDArray[np.float64]) -> FloatArray:
    """Return the largest float32 that is not above: rows are float32, and x <= t must say the same of them."""
    near = exact.astype(np.float32)
    return np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near)
