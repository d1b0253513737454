"""What the blend and the ranker climb: ranked gain, LambdaMART's gradients, and the candidates they see."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.models.arrays import FloatArray, LongArray
from engine.runtime.compiled import compiled, compiled_in_any_order


@compiled
def ranked_gains(
    features: npt.NDArray[np.float32],
    relevant: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float32],
    discount: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return (targets,) the gain of the candidates ranked by their weighted sums, of equals the earlier first.

    Only the places of the few relevant ones are looked for, so nothing is sorted.
    """
    n_targets, n_models, n = features.shape
    found, scores = np.zeros(n_targets, dtype=np.float64), np.empty(n, dtype=np.float32)
    for target in range(n_targets):
        scores[:] = 0
        for model in range(n_models):
            own, weight = features[target, model], weights[model]
            for at in range(n):
                scores[at] += weight * own[at]
        for at in range(n):
            if not relevant[target, at]:
                continue
            place, score = 0, scores[at]
            for other in range(n):
                # Without a branch, several are compared at a time.
                place += (scores[other] > score) | ((scores[other] == score) & (other < at))
            if place < len(discount):
                found[target] += discount[place]
    return found


@compiled_in_any_order
def lambda_gradients(
    scores: FloatArray,
    odds: FloatArray,
    ordered: npt.NDArray[np.int8],
    start: LongArray,
    worth: FloatArray,
    discount: FloatArray,
    first: int,
) -> tuple[FloatArray, FloatArray]:
    """Return (rows,) gradient and curvature of each score; `odds` are exp(score), the rest as in `_Lambdas`."""
    gradients, curves = np.zeros(len(scores), np.float32), np.zeros(len(scores), np.float32)
    size = np.diff(start).max()
    counts, gains, other = np.empty((3, size), np.float32)
    for target in range(len(start) - 1):
        own = slice(start[target], start[target + 1])
        score, likely, slope, curve = scores[own], odds[own], gradients[own], curves[own]
        label, total = ordered[own], np.float32(0)
        # The farther apart two scores are, the less a swap costs; while all are equal that says nothing.
        least, per = (np.float32(0.01), np.float32(1)) if score.max() > score.min() else (np.float32(1), np.float32(0))
        for i in range(len(score)):
            place = np.int32(0)
            for j in range(len(score)):
                # Without a branch, several are compared at a time; so below.
                place += np.int32((score[j] > score[i]) | ((score[j] == score[i]) & (j < i)))
            counts[i], gains[i], other[i] = place < first, discount[place], label[i] == 0
        for i in range(len(score)):
            if not label[i]:
                continue
            near, odd, gain, count = score[i], likely[i], gains[i], counts[i]
            pull, bend = np.float32(0), np.float32(0)
            for j in range(len(score)):
                cost = other[j] * max(count, counts[j]) * abs(gain - gains[j]) / (least + per * abs(near - score[j]))
                wrong = likely[j] / (odd + likely[j])
                push, bent = wrong * cost, wrong * (np.float32(1) - wrong) * cost
                slope[j] += push
                curve[j] += bent
                pull += push
                bend += bent
            slope[i] -= pull
            curve[i] += bend
            total += np.float32(2) * pull
        total *= worth[target]
        if total > 0:
            scale = worth[target] * np.log2(np.float32(1) + total) / total
            for i in range(len(score)):
                slope[i] *= scale
                curve[i] *= scale
    return gradients, curves


@compiled
def keep_candidates(ordered: npt.NDArray[np.bool_], draws: FloatArray) -> LongArray:
    """Return the places of what was ordered and of as many others as there are `draws` in [0, 1), all in order."""
    others = np.flatnonzero(~ordered)
    kept, n = ordered.copy(), len(others)
    for i in range(min(len(draws), n)):
        # Fisher and Yates: each draw takes one of those left.
        other = i + min(int(draws[i] * (n - i)), n - i - 1)
        kept[others[other]] = True
        others[other] = others[i]
    return np.flatnonzero(kept)
