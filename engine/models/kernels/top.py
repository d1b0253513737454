"""The k best of many, ties to the lower column, so that equal scores give equal lists on every machine."""

from __future__ import annotations

import numpy as np

from engine.models.arrays import FloatArray, IntArray


def top_k(scores: FloatArray, k: int) -> IntArray:
    """Return (rows, k) int32 columns by falling score; -1 where fewer than k have a finite score.

    NaN and -inf are never returned.
    """
    scores = np.where(np.isnan(scores), -np.inf, scores)
    k_here = min(k, scores.shape[1])
    best = _unordered(scores, k_here)
    falling = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
    order = np.take_along_axis(best, falling, axis=1)
    kept = np.where(np.isneginf(np.take_along_axis(scores, order, axis=1)), -1, order)
    padded = np.full((len(scores), k), -1, dtype=np.int32)
    padded[:, :k_here] = kept
    return padded


def _unordered(scores: FloatArray, k: int) -> IntArray:
    """Return the columns of each row's k largest in ascending column order; exactly k a row."""
    n_rows, n_columns = scores.shape
    if k == n_columns:
        return np.broadcast_to(np.arange(n_columns, dtype=np.int32), scores.shape)
    least = np.partition(scores, n_columns - k, axis=1)[:, n_columns - k, None]
    above = scores > least
    # A partition picks among ties at random; the lowest columns are taken instead.
    tied = scores == least
    room = k - above.sum(axis=1, keepdims=True)
    chosen = above | (tied & (np.cumsum(tied, axis=1) <= room))
    return np.nonzero(chosen)[1].reshape(n_rows, k).astype(np.int32)
