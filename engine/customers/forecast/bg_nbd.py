"""How often customers order until they drop out: BG/NBD and MBG/NBD, by exact maximum likelihood.

While a customer is alive their order days come at random with rate lambda (gamma over customers, shape r, rate alpha);
after each they drop out with probability p (beta over customers, a and b). BG/NBD (Fader, Hardie & Lee 2005) has
dropout only after a repeat; MBG/NBD (Batislam, Denizel & Filiztekin 2007) after the first order too. Both are one
formula with b shifted by one, which is how they are written here. Time is in weeks, data in whole days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from engine.customers.forecast.optimise import LEAST_CUSTOMERS_TO_FIT, SUBSAMPLE, minimise
from engine.errors import NoHistory

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
BgNbdVariant = Literal["bg_nbd", "mbg_nbd"]
BG_NBD_VARIANTS: tuple[BgNbdVariant, ...] = ("bg_nbd", "mbg_nbd")
WEEK = 7.0
STARTS = ((0.5, 5.0, 0.5, 2.0), (1.0, 4.0, 1.0, 1.0), (0.3, 1.0, 2.0, 8.0))


@dataclass(frozen=True, slots=True)
class Summaries:
    """Distinct (x, tx, T) and how many customers share each: x repeats, tx and T days from the first order day."""

    x: Ints
    tx_days: Ints
    t_days: Ints
    customers: Floats

    @property
    def total(self) -> float:
        """How many customers."""
        return float(self.customers.sum())


@dataclass(frozen=True, slots=True)
class BgNbd:
    """A model with its parameters; `log_likelihood` is that of the data it was fitted on, None where taken as given."""

    model: BgNbdVariant
    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float | None = None

    @property
    def shift(self) -> int:
        """1 where a customer may drop out after the first order, 0 where only after a repeat."""
        return 1 if self.model == "mbg_nbd" else 0


def summarise(x: Ints, tx_days: Ints, t_days: Ints) -> tuple[Summaries, Ints]:
    """Return the distinct summaries and, which of them each customer has."""
    span = int(t_days.max(initial=0)) + 1
    key = (x.astype(np.int64) * span + tx_days) * span + t_days
    distinct, first, which, n = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    del distinct
    return Summaries(x[first], tx_days[first], t_days[first], n.astype(np.float64)), which.astype(np.int64)


def bg_nbd_log_likelihoods(model: BgNbd, data: Summaries) -> Floats:
    """Return each summary's log likelihood (one customer's)."""
    return bg_nbd_likelihood_and_gradient(np.log([model.r, model.alpha, model.a, model.b]), data, model.shift)[0]


def fit_bg_nbd(name: BgNbdVariant, data: Summaries) -> BgNbd:
    """Find the parameters of greatest likelihood.

    Several starts on a first look at the data, then the best is carried to the end on all of it.
    Raises NoHistory where fewer than 10 customers, or none who came back, leave nothing to fit.
    """
    if data.total < LEAST_CUSTOMERS_TO_FIT or not (data.x > 0).any():
        raise NoHistory(
            f"lifetime value needs at least {LEAST_CUSTOMERS_TO_FIT} customers with an order and one who came back, "
            f"found {data.total:.0f} and {float(data.customers[data.x > 0].sum()):.0f}; import a longer history"
        )
    shift = 1 if name == "mbg_nbd" else 0
    # A stride keeps the first look free of chance and spread over all summaries, which are sorted.
    step = max(1, len(data.x) // SUBSAMPLE)
    look = Summaries(data.x[::step], data.tx_days[::step], data.t_days[::step], data.customers[::step])
    starts = [np.log(start) for start in STARTS]
    best, _ = min((_maximise(start, look, shift, 1e-9) for start in starts), key=lambda found: found[1])
    found, value = _maximise(best, data, shift, 1e-14)
    r, alpha, a, b = (float(each) for each in np.exp(found))
    return BgNbd(name, r, alpha, a, b, -value * data.total)


def p_alive(model: BgNbd, data: Summaries) -> Floats:
    """Return the probability that each has not dropped out yet (1 without a repeat under BG/NBD: do not rank by it)."""
    alive: Floats = special.expit(-_dropout_log_odds(model, data))
    return alive


def expected_orders(model: BgNbd, data: Summaries, days: float) -> Floats:
    """Return the expected repeats in the next `days`: equation 10 of Fader, Hardie & Lee (2005), b shifted for MBG.

    Euler's transformation keeps the hypergeometric's upper parameters free of x, so heavy buyers stay exact.
    """
    r, alpha, a, b = model.r, model.alpha, model.a, model.b + model.shift
    # The formula is smooth but divides by zero at a = 1, and at a + b = 1 for who has no repeat.
    if abs(a - 1) < 1e-6:
        a = 1 + 1e-6
    if abs(a + b - 1) < 1e-6:
        b += 2e-6
    t, age = days / WEEK, data.t_days / WEEK
    z = t / (alpha + age + t)
    lower = a + b + data.x - 1
    with np.errstate(over="ignore", invalid="ignore"):
        left = np.exp((a - 1) * np.log1p(-z)) * special.hyp2f1(a + b - 1 - r, a - 1, lower, z)
    # With a in the thousands everybody leaves with nearly the same chance, and the series overflows into its limit.
    stays = np.clip((b + data.x) / lower, 0.0, 1.0)
    left = np.where(np.isfinite(left), left, ((1 - z) / (1 - stays * z)) ** (r + data.x))
    expected: Floats = np.maximum(lower / (a - 1) * (1 - left), 0.0) * p_alive(model, data)
    return expected


def p_no_order(model: BgNbd, data: Summaries, days: float) -> Floats:
    """Return the probability of no order in the next `days`: dropped out, or alive and silent."""
    age = data.t_days / WEEK
    silent = np.exp(-(model.r + data.x) * np.log1p((days / WEEK) / (model.alpha + age)))
    chance: Floats = 1 - p_alive(model, data) * (1 - silent)
    return chance


def _dropout_log_odds(model: BgNbd, data: Summaries) -> Floats:
    """Return log odds of a dropout right after the last order; -inf where there can be none."""
    ages = _log_table(model.alpha, data)
    odds = _log_ratio(data.x, model.a, model.b, model.shift)
    return odds + (model.r + data.x) * (ages[data.t_days] - ages[data.tx_days])


def _log_ratio(x: Ints, a: float, b: float, shift: int) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.log(a) - np.log(b + x + shift - 1.0)
    return np.where((x > 0) | (shift == 1), ratio, -np.inf)


def _log_table(alpha: float, data: Summaries) -> Floats:
    """Return log(alpha + days / 7) for every day count there is: a look-up is cheaper than a logarithm each."""
    return np.log(alpha + np.arange(int(data.t_days.max(initial=0)) + 1) / WEEK)


def _maximise(start: Floats, data: Summaries, shift: int, ftol: float) -> tuple[Floats, float]:
    total = data.total

    def objective(logs: Floats) -> tuple[float, Floats]:
        value, slope = bg_nbd_likelihood_and_gradient(logs, data, shift, slope=True)
        return -float(value @ data.customers) / total, -slope / total

    return minimise(objective, start, ftol=ftol)


def bg_nbd_likelihood_and_gradient(
    logs: Floats, data: Summaries, shift: int, *, slope: bool = False
) -> tuple[Floats, Floats]:
    """Return each summary's log likelihood, and the gradient of their weighted sum in log parameters (or zeros)."""
    r, alpha, a, b = (float(each) for each in np.exp(logs))
    n, x = data.customers, data.x
    xs = np.arange(int(x.max(initial=0)) + 1)
    ages = _log_table(alpha, data)
    alive = (
        special.gammaln(r + xs) - special.gammaln(r) + r * np.log(alpha)
        + special.gammaln(a + b) + special.gammaln(b + xs + shift)
        - special.gammaln(b) - special.gammaln(a + b + xs + shift)
    )  # fmt: skip
    log_t, log_tx = ages[data.t_days], ages[data.tx_days]
    rx = r + x
    odds = _log_ratio(xs, a, b, shift)[x] + rx * (log_t - log_tx)
    # log(1 + e^odds) without overflow, sharing its exponential with the weight of having left.
    shrunk = np.exp(-np.abs(odds))
    values = alive[x] - rx * log_t + np.maximum(odds, 0.0) + np.log1p(shrunk)
    if not slope:
        return values, np.zeros(4)
    left = n * np.where(odds > 0, 1.0, shrunk) / (1.0 + shrunk)
    at_x = np.bincount(x, n, minlength=len(xs))
    left_at_x = np.bincount(x, left, minlength=len(xs))
    by_t = np.bincount(data.t_days, (n - left), minlength=len(ages))
    by_tx = np.bincount(data.tx_days, left, minlength=len(ages))
    rate_t = np.bincount(data.t_days, (n - left) * rx, minlength=len(ages))
    rate_tx = np.bincount(data.tx_days, left * rx, minlength=len(ages))
    total = n.sum()
    fall = special.digamma(a + b) - special.digamma(a + b + xs + shift)
    counts = b + xs + shift - 1.0
    per_b = np.divide(left_at_x, counts, out=np.zeros(len(xs)), where=left_at_x > 0)
    dr = at_x @ special.digamma(r + xs) + total * (np.log(alpha) - special.digamma(r)) - (by_t + by_tx) @ ages
    dalpha = total * r / alpha - (rate_t + rate_tx) @ np.exp(-ages)
    da = at_x @ fall + left.sum() / a
    db = at_x @ (fall + special.digamma(b + xs + shift)) - total * special.digamma(b) - per_b.sum()
    return values, np.array([dr * r, dalpha * alpha, da * a, db * b])
