"""Cadence: how long a customer's gaps are, when a silence means something, and the lifecycle that follows.

Logarithms of gaps between order days are normal around the customer's own mean, and those means normal around the
population's: the classic two-level model (Efron & Morris 1975). Its variances come from the analysis of variance of
unequal groups (Searle), so a customer with one gap is judged mostly by the others and one with twenty by their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from engine.customers.behaviour.purchases import OrderDays
from engine.customers.config import Cadence

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.str_]

LEAST_GAPS = 20
LONGEST_DAYS = 3_650.0


@dataclass(frozen=True, slots=True)
class PopulationCadence:
    """The population: mean of log gaps, variance within and between customers, and how many gaps it was fitted on."""

    mean: float
    within: float
    between: float
    gaps: int


# Used until 20 gaps are known: a month, give or take a factor of two or three.
DEFAULT_CADENCE = PopulationCadence(float(np.log(30.0)), 0.6, 0.4, 0)


@dataclass(frozen=True, slots=True)
class Gaps:
    """Per customer: how many gaps, the sum of their logs, the sum in days, and the latest one (0 where none)."""

    n: Ints
    log_sum: Floats
    day_sum: Floats
    latest: Ints


def gaps_of(days: OrderDays) -> Gaps:
    """Return every customer's gaps between distinct order days."""
    same = days.customer[1:] == days.customer[:-1]
    gap = np.diff(days.day)
    # Where each order counts, two of one day are no gap.
    used = np.flatnonzero(same & (gap > 0))
    owner = days.customer[1:][used]
    logs = np.log(gap[used].astype(np.float64))
    latest = np.zeros(days.n, np.int64)
    latest[owner] = gap[used]  # ascending days: the last one written stays
    return Gaps(
        np.bincount(owner, minlength=days.n).astype(np.int64),
        np.bincount(owner, logs, minlength=days.n).astype(np.float64),
        np.bincount(owner, gap[used].astype(np.float64), minlength=days.n).astype(np.float64),
        latest,
    )


def fit_population_cadence(days: OrderDays) -> PopulationCadence:
    """Estimate the population's gaps; DEFAULT_CADENCE below 20 gaps."""
    same = days.customer[1:] == days.customer[:-1]
    gap = np.diff(days.day)
    used = np.flatnonzero(same & (gap > 0))
    if len(used) < LEAST_GAPS:
        return DEFAULT_CADENCE
    logs = np.log(gap[used].astype(np.float64))
    owner = days.customer[1:][used]
    group = np.cumsum(np.concatenate(([0], owner[1:] != owner[:-1])))
    n = np.bincount(group).astype(np.float64)
    means = np.bincount(group, logs) / n
    total, groups = float(n.sum()), len(n)
    grand = float(logs.mean())
    around = float(((logs - means[group]) ** 2).sum())
    within = around / (total - groups) if total > groups else DEFAULT_CADENCE.within
    within = max(within, 1e-3)
    spread = float((n * (means - grand) ** 2).sum()) - (groups - 1) * within
    even = total - float((n**2).sum()) / total
    between = max(spread / even, 0.0) if even > 0 else 0.0
    weight = 1 / (between + within / n)
    return PopulationCadence(float((weight * means).sum() / weight.sum()), within, between, int(total))


def posterior_log_gap(population: PopulationCadence, n: Ints, log_sum: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of the logarithm of each customer's next gap, given `n` past ones."""
    precision = n / population.within + (1 / population.between if population.between > 0 else 1e12)
    prior = population.mean * (1 / population.between if population.between > 0 else 1e12)
    mean = (log_sum / population.within + prior) / precision
    return mean, np.sqrt(population.within + 1 / precision)


def gap_quantile(mean: Floats, spread: Floats, share: float, config: Cadence) -> Floats:
    """Return the days that `share` of each customer's gaps would not exceed, within the configured least and most."""
    return np.clip(np.exp(mean + spread * special.ndtri(share)), config.min_days, config.max_days)


def median_next_gap(mean: Floats, spread: Floats, elapsed_days: Floats) -> Floats:
    """Return the median of the current gap, in days from the last order, given `elapsed_days` without one so far."""
    so_far = np.clip((np.log(np.maximum(elapsed_days, 0.25)) - mean) / spread, -30, 30)
    gap = np.exp(mean - spread * special.ndtri(special.ndtr(-so_far) / 2))
    return np.minimum(np.maximum(gap, elapsed_days), np.maximum(LONGEST_DAYS, elapsed_days))


def was_won_back(population: PopulationCadence, gaps: Gaps, config: Cadence) -> npt.NDArray[np.bool_]:
    """Return whose latest order ended a lapse: its gap was a lapse by what was known before it."""
    n = np.maximum(gaps.n - 1, 0)
    log_sum = np.where(gaps.n > 0, gaps.log_sum - np.log(np.maximum(gaps.latest, 1)), 0.0)
    return (gaps.n > 0) & (
        gaps.latest > gap_quantile(*posterior_log_gap(population, n, log_sum), config.lapsed, config)
    )


def lifecycles(
    elapsed_days: Floats,
    age_days: Ints,
    dates: tuple[Floats, Floats, Floats],
    won_back: npt.NDArray[np.bool_],
    config: Cadence,
) -> Words:
    """Return the lifecycle of customers who ordered.

    `elapsed_days` since the last order, `age_days` since the first; `dates` are the silences that mean slowing, likely
    lapsed and lapsed. A new customer is new for `new_days` whatever the silence; won back lasts until slowing.
    """
    slowing, likely, lapsed = dates
    return np.select(
        [age_days < config.new_days, elapsed_days >= lapsed, elapsed_days >= likely, elapsed_days >= slowing, won_back],
        ["new", "lapsed", "likely_lapsed", "slowing", "won_back"],
        "active",
    )
