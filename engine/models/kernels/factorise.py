"""Customers and items as factors whose products come near who ordered what: alternating least squares."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from engine.models.arrays import FloatArray, IntArray, LongArray
from engine.runtime.compiled import compiled_in_any_order
from engine.runtime.threads import parallel_map

# Conjugate-gradient steps a round: Takács, Pilászy and Tikk (2011) find that two or three do as well as solving.
STEPS = 3
# Parts a side is cut into, so that threads end together; a part's work is its entries and its rows.
PARTS, ROW_WORK = 64, 32
# Factors that are copied together; more would not stay in the cache.
CLOSE = 4_096
SOLVED = np.float32(1e-20)
FIRST_GUESS = np.float32(0.01)


def factorise(
    counts: sparse.csr_matrix,
    start: tuple[FloatArray, FloatArray],
    *,
    regularization: float,
    alpha: float,
    rounds: int,
) -> tuple[FloatArray, FloatArray]:
    """Return float32 customer and item factors, after `rounds` from those of `start`.

    `counts` is (customers, items), its values times `alpha` the confidence that a customer likes an item, 1 where there
    is none (Hu, Koren and Volinsky 2008). Every row is solved alone, by conjugate gradient from where the round before
    left it, so any number of threads gives equal bits.
    """
    users, items = (factors.copy() for factors in start)
    by_user, by_item = _side(counts), _side(counts.T.tocsr())
    ridge = np.float32(regularization) * np.eye(users.shape[1], dtype=np.float32)
    # The parts are threads of their own; a threaded BLAS beside them costs up to ten times as much.
    with threadpool_limits(1, user_api="blas"):
        for _ in range(rounds):
            _round(by_user, users, items, ridge, np.float32(alpha))
            _round(by_item, items, users, ridge, np.float32(alpha))
    return users, items


def first_guess(rows: int, factors: int, rng: np.random.Generator) -> FloatArray:
    """Return (rows, factors) of small random numbers to start from."""
    return rng.random((rows, factors), dtype=np.float32) * FIRST_GUESS


def _side(counts: sparse.csr_matrix) -> tuple[LongArray, IntArray, FloatArray, list[int]]:
    """Return the matrix by rows, and where parts of equal work begin and end."""
    start = counts.indptr.astype(np.int64)
    work = start + ROW_WORK * np.arange(len(start))
    cuts = np.searchsorted(work, np.linspace(0, work[-1], PARTS + 1))
    return start, counts.indices.astype(np.int32), counts.data.astype(np.float32), cuts.tolist()


def _round(
    side: tuple[LongArray, IntArray, FloatArray, list[int]],
    mine: FloatArray,
    theirs: FloatArray,
    ridge: FloatArray,
    alpha: np.float32,
) -> None:
    """Solve every row of `mine` anew, given `theirs`."""
    start, columns, counts, cuts = side
    gram = (theirs.T @ theirs + ridge).astype(np.float32)

    def solve(part: int) -> None:
        _solve(gram, theirs, start, columns, counts, alpha, mine, cuts[part], cuts[part + 1])

    parallel_map(solve, range(PARTS))


@compiled_in_any_order
def _solve(
    gram: FloatArray,
    theirs: FloatArray,
    start: LongArray,
    columns: IntArray,
    counts: FloatArray,
    alpha: np.float32,
    mine: FloatArray,
    first: int,
    end: int,
) -> None:
    """Take STEPS of conjugate gradient for the rows from `first` to `end`; a row without entries becomes zeros."""
    n = len(gram)
    close = np.empty((CLOSE, n), dtype=np.float32)
    residual, direction, image = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.float32)
    for row in range(first, end):
        x, at = mine[row], start[row]
        own, times = columns[at : start[row + 1]], counts[at : start[row + 1]]
        if not len(own):
            x[:] = 0
            continue
        _copy(theirs, own[:CLOSE], close)
        _apply(gram, theirs, close, own, times, alpha, x, np.float32(-1), np.float32(1), residual)
        direction[:] = residual
        left = _square(residual)
        for _ in range(STEPS):
            if left < SOLVED:
                break
            _apply(gram, theirs, close, own, times, alpha, direction, np.float32(1), np.float32(0), image)
            length = np.float32(0)
            for j in range(n):
                length += direction[j] * image[j]
            step = left / length
            for j in range(n):
                x[j] += step * direction[j]
                residual[j] -= step * image[j]
            before, left = left, _square(residual)
            turn = left / before
            for j in range(n):
                direction[j] = residual[j] + turn * direction[j]


@compiled_in_any_order
def _copy(theirs: FloatArray, own: IntArray, close: FloatArray) -> None:
    """Lay scattered rows side by side: they are looked at once a step."""
    for entry in range(len(own)):
        source, target = theirs[own[entry]], close[entry]
        for j in range(len(source)):
            target[j] = source[j]


@compiled_in_any_order
def _apply(
    gram: FloatArray,
    theirs: FloatArray,
    close: FloatArray,
    own: IntArray,
    times: FloatArray,
    alpha: np.float32,
    x: FloatArray,
    sign: np.float32,
    wanted: np.float32,
    image: FloatArray,
) -> None:
    """Write `sign` (gram + sum of (c - 1) f f') x + `wanted` (sum of c f) into `image`; c is `alpha` times the count.

    `close` holds the rows f of the first entries already, of all where there are no more than fit.
    """
    n = len(gram)
    for i in range(n):
        row, total = gram[i], np.float32(0)
        for j in range(n):
            total += row[j] * x[j]
        image[i] = sign * total
    for first in range(0, len(own), CLOSE):
        part = own[first : first + CLOSE]
        if len(own) > CLOSE:
            _copy(theirs, part, close)
        for entry in range(len(part)):
            other, total = close[entry], np.float32(0)
            for j in range(n):
                total += other[j] * x[j]
            confidence = alpha * times[first + entry]
            total = sign * (confidence - np.float32(1)) * total + wanted * confidence
            for j in range(n):
                image[j] += total * other[j]


@compiled_in_any_order
def _square(values: FloatArray) -> np.float32:
    total = np.float32(0)
    for value in values:
        total += value * value
    return total
