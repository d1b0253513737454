"""How good a probability is: AUC with its interval, Brier score, reliability; and isotonic calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
ISOTONIC_BINS = 40


@dataclass(frozen=True, slots=True)
class Auc:
    """Area under the ROC curve and its 95 % interval (DeLong, DeLong & Clarke-Pearson 1988)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One row of a reliability table: mean forecast and observed share of `n` customers."""

    forecast: float
    observed: float
    n: int


@dataclass(frozen=True, slots=True)
class Isotonic:
    """A rising curve from raw score to probability; straight between its points, flat beyond them."""

    score: Floats
    probability: Floats

    def __call__(self, score: Floats) -> Floats:
        """Return the calibrated probability of each score."""
        return np.interp(score, self.score, self.probability)


def auc(score: Floats, happened: Bools) -> Auc:
    """Return the chance that one it happened to scores above one it did not; equal scores count half.

    NaN throughout where it happened to none or to all.
    """
    good, bad = score[happened], score[~happened]
    if not len(good) or not len(bad):
        return Auc(float("nan"), float("nan"), float("nan"))
    from scipy import stats  # noqa: PLC0415 - 25 MB that serving never needs

    ranks = stats.rankdata(score)
    over = (ranks[happened] - stats.rankdata(good)) / len(bad)
    under = 1 - (ranks[~happened] - stats.rankdata(bad)) / len(good)
    value = float(over.mean())
    error = float(np.sqrt(_spread(over) / len(good) + _spread(under) / len(bad)))
    return Auc(value, max(0.0, value - 1.96 * error), min(1.0, value + 1.96 * error))


def brier(probability: Floats, happened: Bools) -> float:
    """Return the mean squared error of the probabilities; 0 is best, and the base rate's p(1-p) is no skill."""
    return float(((probability - happened) ** 2).mean())


def reliability(probability: Floats, happened: Bools, *, bins: int = 10) -> tuple[ReliabilityBin, ...]:
    """Return forecast against outcome in up to `bins` groups of equal size, lowest forecast first."""
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return tuple(ReliabilityBin(float(probability[p].mean()), float(happened[p].mean()), len(p)) for p in parts)


def fit_isotonic(score: Floats, happened: Bools) -> Isotonic:
    """Fit the rising curve from score to probability by pool-adjacent-violators over groups of equal size.

    Groups, not single customers: no probability rests on a handful and none is 0 or 1. Each pooled block lies at its
    centre (Oron & Flournoy 2017), so that the curve rises throughout and equal probabilities do not undo the ranking.
    """
    order = np.argsort(score, kind="stable")
    parts = [part for part in np.array_split(order, min(ISOTONIC_BINS, max(1, len(order) // 25))) if len(part)]
    middle = np.array([score[part].mean() for part in parts])
    weight = np.array([len(part) for part in parts], np.float64)
    share = np.array([(happened[part].sum() + 0.5) / (len(part) + 1) for part in parts])
    from scipy import optimize  # noqa: PLC0415 - 25 MB that serving never needs

    rising = np.asarray(optimize.isotonic_regression(share, weights=weight).x, np.float64)
    level, block = np.unique(rising, return_inverse=True)
    centre = np.bincount(block, middle * weight) / np.bincount(block, weight)
    return Isotonic(np.concatenate(([score.min()], centre, [score.max()])), _ended(level, centre, score))


def _ended(level: Floats, centre: Floats, score: Floats) -> Floats:
    """Return the levels with one more at each end: the outer blocks keep half their step, so that nothing is flat."""
    if len(level) < 2:
        return np.concatenate((level, level, level))
    low = level[0] - (level[1] - level[0]) * min(0.5, (centre[0] - score.min()) / max(centre[1] - centre[0], 1e-12))
    high = level[-1] + (level[-1] - level[-2]) * min(
        0.5, (score.max() - centre[-1]) / max(centre[-1] - centre[-2], 1e-12)
    )
    return np.concatenate(([max(low, level[0] / 2)], level, [min(high, (1 + level[-1]) / 2)]))


def _spread(values: Floats) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0
