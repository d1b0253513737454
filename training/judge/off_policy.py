"""What would other lists have earned? Estimated from lists that were shown with a known probability.

Horvitz and Thompson (1952) weights, self-normalised (Swaminathan and Joachims 2015) and doubly robust (Dudik, Langford
and Li 2011), slot by slot (the item-position model of Li et al. 2018): what a dish earns in a slot is taken not to
depend on its neighbours in the list.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Slots:
    """One row for each slot that was shown; all arrays align.

    `customer` numbers who saw it; `propensity` in (0, 1] and `probability` in [0, 1] are with which chance the logged
    and the judged policy put this dish there, both given the slots above it or both not; `taken` is 1 where it was
    ordered after, else 0. `predicted` is a reward model's chance of taking this dish, `expected` its mean over what the
    judged policy puts there; None: no model.
    """

    customer: npt.NDArray[np.integer]
    propensity: Floats
    probability: Floats
    taken: Floats
    predicted: Floats | None = None
    expected: Floats | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share of slots whose dish is ordered, with its 95 % interval; bounds None below two customers."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class OffPolicy:
    """Estimates of the judged policy, and `logged`: what the lists as shown earned.

    `effective_slots` is how many slots of the judged policy the log is worth (Kong 1992); `support` estimates the share
    of the judged policy's slots that the log could have shown: below 1, `ips` counts the rest as never taken and
    `self_normalised` as like those it saw. Weights above `clip` count as `clip`: `clipped` is the share of them.
    """

    slots: int
    customers: int
    logged: Estimate
    ips: Estimate
    self_normalised: Estimate
    doubly_robust: Estimate | None
    effective_slots: float
    support: float
    clip: float
    clipped: float

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def estimate(shown: Slots, *, clip: float | None = None) -> OffPolicy:
    """Return what the judged policy would have earned a slot, from slots that the logged policy chose.

    Weights are clipped at `clip`, by default the square root of the number of slots, which keeps the variance finite
    and whose bias vanishes as the log grows (Ionides 2008). Customers are independent, their slots are not: intervals
    are Student's over customers, linearised (Cochran 1977).
    Raises ValueError for an empty log, or chances outside their bounds.
    """
    n = len(shown.taken)
    if not n:
        raise ValueError("an empty log says nothing")
    if not ((shown.propensity > 0) & (shown.propensity <= 1)).all():
        raise ValueError("a propensity lies outside (0, 1]")
    if not ((shown.probability >= 0) & (shown.probability <= 1)).all():
        raise ValueError("a probability lies outside [0, 1]")
    most = float(np.sqrt(n)) if clip is None else clip
    whole = shown.probability / shown.propensity
    weight = np.minimum(whole, most)
    _, who = np.unique(shown.customer, return_inverse=True)
    ones = np.ones(n)
    robust = None
    if shown.predicted is not None and shown.expected is not None:
        robust = _ratio(shown.expected + weight * (shown.taken - shown.predicted), ones, who)
    return OffPolicy(
        slots=n,
        customers=int(who.max()) + 1,
        logged=_ratio(shown.taken, ones, who),
        ips=_ratio(weight * shown.taken, ones, who),
        self_normalised=_ratio(weight * shown.taken, weight, who),
        doubly_robust=robust,
        effective_slots=float(weight.sum() ** 2 / (weight**2).sum()) if weight.any() else 0.0,
        support=float(whole.mean()),
        clip=most,
        clipped=float((whole > most).mean()),
    )


def _ratio(above: Floats, below: Floats, who: npt.NDArray[np.intp]) -> Estimate:
    """Return sum(above) / sum(below) with its interval over customers; 0 without bounds where nothing is below."""
    total = float(below.sum())
    if total <= 0:
        return Estimate(0.0, None, None)
    value = float(above.sum()) / total
    n = int(who.max()) + 1
    if n < 2:
        return Estimate(value, None, None)
    apart = np.bincount(who, above - value * below, minlength=n)
    error = float(np.sqrt(n / (n - 1) * (apart**2).sum())) / total
    half = float(special.stdtrit(n - 1, 0.975)) * error
    return Estimate(value, value - half, value + half)
