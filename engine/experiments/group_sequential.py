"""One launch, looked at every day: intervals whose bounds are calibrated by re-drawing the arms.

A launch decides all customers at once; what grows afterwards is the window. The level is spent over the window by the
spending function of Lan and DeMets, "Discrete sequential boundaries for clinical trials" (Biometrika 70(3), 1983), of
the O'Brien-Fleming type: little on early days, nearly all at the end. The bounds themselves do not rest on a normal
law: which customers were held out is a known draw, so under no effect the law of the whole path of daily statistics is
had by drawing the arms again (a permutation test in the sense of Pitman; studentised as in Janssen, "Studentized
permutation tests for non-i.i.d. hypotheses", Statistics & Probability Letters 36, 1997). Each side is calibrated apart,
because a small arm with heavy tails errs to one side.

**Promise.** At the plan's looks taken together, the interval misses the truth with a chance of at most 5 %, up to what
1,000 re-draws resolve. It does not cover looks after the window, nor customers who arrive over time
(`engine.experiments.statistics` has the sequence for those).
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ERROR_LEVEL = 0.05
REDRAWS = 2_000
FEWEST_PER_LOOK = 5
RIDGE = 1e-3
# Re-draws held in memory at once.
REDRAW_BATCH = 50


@dataclass(frozen=True, slots=True)
class Look:
    """What a launch has earned per customer up to the end of one day of its window.

    `estimate` is treated minus held-out; `low` to `high` holds the truth at all looks together with 95 %. `enough` is
    False, and the figures are None, while an arm has fewer than FEWEST_PER_LOOK customers with an outcome.
    `plain_half_width` is that of an interval for a single look, in comparison; `variance_kept` is the share of variance
    that the covariates left.
    """

    day: int
    enough: bool
    estimate: float | None
    low: float | None
    high: float | None
    plain_half_width: float | None
    variance_kept: float | None


class _Path(NamedTuple):
    """Statistics by look: difference of means, its standard error, and whether both arms have enough outcomes."""

    difference: Floats
    error: Floats
    enough: Bools


def looks_at(
    outcomes: Floats,
    held_out: Bools,
    *,
    days: int,
    before: Floats | None = None,
    seed: int = 0,
    redraws: int = REDRAWS,
    level: float = ERROR_LEVEL,
) -> tuple[Look, ...]:
    """Return a look per day so far.

    `outcomes` (customers, days so far) holds what each customer did up to the end of day 1, 2, ...: cumulative, 0 where
    nothing. `held_out` (customers) marks the arm left alone. `before` (customers, covariates) was known before the
    decision. `days` is the length of the planned window. Equal input and `seed` give equal looks, and more days leave
    the looks before them as they were.
    Raises ValueError where shapes disagree, a window is shorter than its outcomes, or an arm is empty.
    """
    n, seen = outcomes.shape
    if len(held_out) != n or (before is not None and len(before) != n):
        raise ValueError("outcomes, arms and covariates need one row per customer")
    if not 0 < seen <= days:
        raise ValueError(f"{seen} days of outcomes do not fit a window of {days}")
    held = int(held_out.sum())
    if not 0 < held < n:
        raise ValueError("both arms need customers")
    adjusted, kept = _adjusted(outcomes, held_out, before)
    # Shifting by the mean changes no difference and keeps the sums of squares precise.
    values = np.concatenate([adjusted, adjusted**2, outcomes != 0], axis=1).astype(np.float64)
    observed = _path(values, values.sum(axis=0), csr_array(held_out[np.newaxis].astype(np.float64)), held)
    drawn = _redrawn(values, held, redraws, seed)
    spent = spending(days, level / 2)[:seen]
    upper, lower = (
        calibrated_bounds(_studentised(drawn, sign), spent, level=level / 2, days=days) for sign in (1.0, -1.0)
    )
    plain = NormalDist().inv_cdf(1 - level / 2)
    return tuple(
        _look(day, observed, float(upper[day]), float(lower[day]), plain, float(kept[day])) for day in range(seen)
    )


def spending(days: int, level: float) -> Floats:
    """Return (days,) the share of a one-sided `level` spent up to each day: Lan and DeMets, O'Brien-Fleming type."""
    normal = NormalDist()
    edge = normal.inv_cdf(1 - level / 2)
    return np.array([2 * (1 - normal.cdf(edge / np.sqrt(day / days))) for day in range(1, days + 1)])


def calibrated_bounds(drawn: Floats, spent: Floats, *, level: float, days: int) -> Floats:
    """Return (looks,) the bound of each look, such that a share of at most `spent` of the drawn paths has crossed.

    `drawn` (re-draws, looks) are studentised statistics, -inf where a look makes no statement. Where less than one path
    may cross, the bound is above all paths, and never below what a normal law would ask.
    """
    normal = NormalDist()
    count = len(drawn)
    inside = np.ones(count, dtype=bool)
    bounds = np.empty(drawn.shape[1])
    for look in range(drawn.shape[1]):
        values = np.sort(drawn[inside, look])[::-1]
        crossed = count - len(values)
        may = max(int(np.floor(spent[look] * (count + 1))) - crossed, 0)
        # A path crosses where it lies above the bound, so the bound is the largest value that may not.
        empirical = values[may] if may < len(values) else -np.inf
        if may == 0:
            empirical = max(empirical, normal.inv_cdf(1 - level / 2) / np.sqrt((look + 1) / days))
        bounds[look] = max(empirical, 0.0)
        inside &= drawn[:, look] <= bounds[look]
    return bounds


def _look(day: int, path: _Path, upper: float, lower: float, plain: float, kept: float) -> Look:
    if not path.enough[0, day]:
        return Look(day + 1, False, None, None, None, None, None)
    estimate, error = float(path.difference[0, day]), float(path.error[0, day])
    return Look(day + 1, True, estimate, estimate - upper * error, estimate + lower * error, plain * error, kept)


def _adjusted(outcomes: Floats, held_out: Bools, before: Floats | None) -> tuple[Floats, Floats]:
    """Return outcomes less what the covariates explain (ridge, fitted within arms), and the share of variance left."""
    centred = outcomes - outcomes.mean(axis=0)
    kept = np.ones(outcomes.shape[1])
    if before is None or not before.shape[1]:
        return centred, kept
    spread = before.std(axis=0)
    scaled = (before[:, spread > 0] - before[:, spread > 0].mean(axis=0)) / spread[spread > 0]
    if not scaled.shape[1]:
        return centred, kept
    within, target = scaled.copy(), centred.copy()
    for arm in (held_out, ~held_out):
        within[arm] -= within[arm].mean(axis=0)
        target[arm] -= target[arm].mean(axis=0)
    gram = within.T @ within
    weights = np.linalg.solve(gram + RIDGE * len(within) * np.eye(len(gram)), within.T @ target)
    left = target - within @ weights
    raw, rest = (target**2).sum(axis=0), (left**2).sum(axis=0)
    helps = (rest < raw) & (raw > 0)
    kept[helps] = rest[helps] / raw[helps]
    return centred - np.where(helps, scaled @ weights, 0.0), kept


def _redrawn(values: Floats, held: int, redraws: int, seed: int) -> _Path:
    rng = np.random.default_rng(seed)
    total = values.sum(axis=0)
    paths = []
    for begin in range(0, redraws, REDRAW_BATCH):
        count = min(REDRAW_BATCH, redraws - begin)
        chosen = np.concatenate([rng.choice(len(values), held, replace=False, shuffle=False) for _ in range(count)])
        start = np.arange(0, count * held + 1, held)
        drawn = csr_array((np.ones(len(chosen)), chosen, start), shape=(count, len(values)))
        paths.append(_path(values, total, drawn, held))
    return _Path(*(np.concatenate(parts) for parts in zip(*paths, strict=True)))


def _path(values: Floats, total: Floats, held_out: csr_array, held: int) -> _Path:
    looks = values.shape[1] // 3
    treated = len(values) - held
    in_held: Floats = held_out @ values
    sums = (total - in_held, in_held)
    means = [part[:, :looks] / size for part, size in zip(sums, (treated, held), strict=True)]
    error2 = np.zeros_like(means[0])
    enough = np.ones(means[0].shape, dtype=bool)
    for part, mean, size in zip(sums, means, (treated, held), strict=True):
        error2 += np.maximum(part[:, looks : 2 * looks] / size - mean**2, 0.0) / max(size - 1, 1)
        enough &= np.round(part[:, 2 * looks :]) >= FEWEST_PER_LOOK
    return _Path(means[0] - means[1], np.sqrt(error2), enough & (error2 > 0))


def _studentised(path: _Path, sign: float) -> Floats:
    """Return signed difference over standard error; -inf, which crosses no bound, where a look makes no statement."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(path.enough, sign * path.difference / path.error, -np.inf)
