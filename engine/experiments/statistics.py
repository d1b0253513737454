"""What customers who arrive over time show: a difference of means, with an interval that holds at every arrival.

**Interval.** The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform
central limit theory and asymptotic confidence sequences" (Annals of Statistics 52(6), 2024; arXiv 2103.06476, 2021).
With n customers, standard deviation s of the estimator's per-customer influence and a fixed rho > 0,

    estimate +- s * sqrt( 2 (n rho^2 + 1) / (n^2 rho^2) * log( sqrt(n rho^2 + 1) / alpha ) )

covers the truth at ALL n at once with probability 1 - alpha (two-sided, asymptotically). For a difference of two means

    s^2 = n * (variance_treated / n_treated + variance_held / n_held),

so that s / sqrt(n) is the usual standard error. rho is chosen by the paper's eq. (22) to make the interval tightest at
n* customers, rho^2 = (-2 log alpha + log(-2 log alpha + 1)) / n*. n* must not depend on the data: it is a constant.
The guarantee is over customers in order of entry, each with a full window: triggers, recurring campaigns, journeys.
It is void for one launch, where all customers are decided at once and what grows is the window: there daily looks
at small campaigns raised 20 to 35 % false alarms. `engine.experiments.group_sequential` is for those.

**CUPED.** Deng, Xu, Kohavi and Walker, "Improving the sensitivity of online controlled experiments by utilizing
pre-experiment data" (WSDM 2013): outcomes minus theta * (covariate - its mean), theta pooled within arms.

**Sample ratio.** Fabijan et al., "Diagnosing sample ratio mismatch" (KDD 2019): chi-square with one degree of freedom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ALPHA = 0.05
TIGHTEST_AT = 2_000  # customers, as a win-back campaign of a mid-sized city has
FEWEST_WITH_OUTCOME = 100  # below it the central limit theorem does not hold well enough
SRM_ALARM = 0.001


@dataclass(frozen=True, slots=True)
class Difference:
    """Treated minus held-out per customer; `low` to `high` is the 95 % interval, valid however often one looks.

    `variance_kept` is the share of variance that CUPED left, 1 where it could not help.
    """

    estimate: float
    low: float
    high: float
    treated: int
    held_out: int
    variance_kept: float


@dataclass(frozen=True, slots=True)
class NotEnoughData:
    """Too few customers or outcomes for an estimate; `reason` is what is missing."""

    reason: str


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Whether the arms have the sizes they were drawn with; an `alarm` means the comparison cannot be trusted."""

    treated: int
    held_out: int
    expected_held_share: float
    p_value: float
    alarm: bool


def compare_arms(
    treated: Floats,
    held_out: Floats,
    *,
    treated_before: Floats | None = None,
    held_out_before: Floats | None = None,
    fewest_with_outcome: int = FEWEST_WITH_OUTCOME,
) -> Difference | NotEnoughData:
    """Compare outcomes per customer by intention to treat: (treated,) against (held_out,), everyone decided counts.

    Who did nothing has outcome 0; the `_before` arrays align with them and hold the same figure before the decision,
    for CUPED. Returns NotEnoughData where an arm has fewer than `fewest_with_outcome` customers with an outcome,
    or no outcome varies.
    """
    for name, arm in (("treated", treated), ("held-out", held_out)):
        found = int(np.count_nonzero(arm))
        if len(arm) < 2 or found < fewest_with_outcome:
            return NotEnoughData(
                f"not enough data: {found} {name} customers with an outcome, at least {fewest_with_outcome} are needed"
            )
    raw = _variance_of_difference(treated, held_out)
    if raw == 0:
        return NotEnoughData("not enough data: every customer has the same outcome so far")
    if treated_before is not None and held_out_before is not None:
        adjusted = cuped(treated, held_out, treated_before, held_out_before)
        if 0 < _variance_of_difference(*adjusted) < raw:
            treated, held_out = adjusted
    variance = _variance_of_difference(treated, held_out)
    n = len(treated) + len(held_out)
    half = math.sqrt(variance * n) * sequence_radius(n)
    estimate = float(treated.mean() - held_out.mean())
    return Difference(estimate, estimate - half, estimate + half, len(treated), len(held_out), variance / raw)


def sequence_radius(n: int, *, alpha: float = ALPHA, tightest_at: int = TIGHTEST_AT) -> float:
    """Return the half width of the confidence sequence after `n` customers for a standard deviation of 1."""
    rho2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / tightest_at
    scaled = n * rho2 + 1
    return math.sqrt(2 * scaled / (n * n * rho2) * math.log(math.sqrt(scaled) / alpha))


def cuped(treated: Floats, held_out: Floats, treated_before: Floats, held_out_before: Floats) -> tuple[Floats, Floats]:
    """Return both arms' outcomes with what the time before explains taken out; the overall mean stays.

    Where the covariate does not vary the outcomes come back as they are.
    """
    centred_before = np.concatenate([treated_before - treated_before.mean(), held_out_before - held_out_before.mean()])
    centred = np.concatenate([treated - treated.mean(), held_out - held_out.mean()])
    spread = float(centred_before @ centred_before)
    if spread == 0:
        return treated, held_out
    theta = float(centred @ centred_before) / spread
    middle = float(np.concatenate([treated_before, held_out_before]).mean())
    return treated - theta * (treated_before - middle), held_out - theta * (held_out_before - middle)


def sample_ratio(treated: int, held_out: int, *, expected_held_share: float) -> SampleRatio | None:
    """Check the arms' sizes against the share they were drawn with; None where there is nothing to check."""
    n = treated + held_out
    if n == 0 or not 0 < expected_held_share < 1:
        return None
    held_expected, treated_expected = n * expected_held_share, n * (1 - expected_held_share)
    chi_square = (held_out - held_expected) ** 2 / held_expected + (treated - treated_expected) ** 2 / treated_expected
    p_value = math.erfc(math.sqrt(chi_square / 2))  # the tail of chi-square with one degree of freedom
    return SampleRatio(treated, held_out, expected_held_share, p_value, p_value < SRM_ALARM)


def _variance_of_difference(treated: Floats, held_out: Floats) -> float:
    return float(treated.var(ddof=1) / len(treated) + held_out.var(ddof=1) / len(held_out))
