"""What an order day of a customer is worth: the Gamma-Gamma model, by exact maximum likelihood.

Each order day's value is gamma with shape p and a rate of the customer's own, itself gamma (shape q, rate v) over
customers (Fader & Hardie, "The Gamma-Gamma Model of Monetary Value", 2013). As published, it is fitted on customers
with x > 0 repeats and the mean value of those repeats, the first order left out. Values, and v, are in major units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from engine.customers.forecast.optimise import LEAST_CUSTOMERS_TO_FIT, SUBSAMPLE, minimise
from engine.errors import NoHistory

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
START = (2.0, 3.0, 3.0)


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """A fitted model; `overall` is the mean value of a repeat, used where q <= 1 leaves the model without a mean."""

    p: float
    q: float
    v: float
    overall: float
    log_likelihood: float | None = None


def fit_gamma_gamma(x: Ints, value: Floats) -> GammaGamma:
    """Find the parameters of greatest likelihood from repeats and their mean value (major units).

    Customers with no repeat, or whose mean is unknown (NaN), zero or negative, are left out: a gamma has no such value.
    Raises NoHistory where fewer than 10 remain or all spend the same.
    """
    used = (x > 0) & np.isfinite(value) & (value > 0)
    x, value = x[used], value[used]
    if len(x) < LEAST_CUSTOMERS_TO_FIT or np.ptp(value) == 0:
        raise NoHistory(
            f"the value of orders needs at least {LEAST_CUSTOMERS_TO_FIT} customers with repeats of known, differing "
            f"value, found {len(x)}; import order amounts"
        )
    overall = float((x * value).sum() / x.sum())
    scaled = value / overall
    step = max(1, len(x) // SUBSAMPLE)
    first, _ = _maximise(np.log(START), x[::step], scaled[::step], 1e-9)
    found, least = _maximise(first, x, scaled, 1e-14)
    p, q, v = (float(each) for each in np.exp(found))
    likelihood = -len(x) * (least + float(np.log(overall)))
    return GammaGamma(p, q, v * overall, overall, likelihood)


def gamma_gamma_log_likelihoods(model: GammaGamma, x: Ints, value: Floats) -> Floats:
    """Return each customer's log likelihood; `x` > 0 repeats of mean `value` > 0."""
    return gamma_gamma_likelihood_and_gradient(np.log([model.p, model.q, model.v]), x, value)[0]


def expected_order_value(model: GammaGamma, x: Ints, value: Floats) -> Floats:
    """Return what an order day of each customer is expected to be worth, in major units.

    The customer's own mean shrunk to the population's; the population's without a repeat of known, positive value.
    """
    known = (x > 0) & np.isfinite(value) & (value > 0)
    weight = np.where(known, x, 0)
    own = np.where(known, value, 0.0)
    below = model.p * weight + model.q - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = model.p * (model.v + weight * own) / below
    return np.where((below > 1e-9) & ((model.q > 1) | known), mean, np.where(known, own, model.overall))


def _maximise(start: Floats, x: Ints, value: Floats, ftol: float) -> tuple[Floats, float]:
    def objective(logs: Floats) -> tuple[float, Floats]:
        values, slope = gamma_gamma_likelihood_and_gradient(logs, x, value)
        return -float(values.mean()), -slope / len(x)

    return minimise(objective, start, ftol=ftol)


def gamma_gamma_likelihood_and_gradient(logs: Floats, x: Ints, value: Floats) -> tuple[Floats, Floats]:
    """Return each customer's log likelihood, and the gradient of their sum in log parameters."""
    p, q, v = (float(each) for each in np.exp(logs))
    xs = np.arange(1, int(x.max()) + 1)
    spent = x * value
    log_spent, log_all = np.log(spent), np.log(spent + v)
    both = special.gammaln(p * xs + q) - special.gammaln(p * xs)
    at = x - 1
    values = both[at] - special.gammaln(q) + q * np.log(v) + p * x * (log_spent - log_all) - q * log_all - np.log(value)
    n = np.bincount(at, minlength=len(xs))
    sums = special.digamma(p * xs + q)
    dp = n @ (xs * (sums - special.digamma(p * xs))) + x @ (log_spent - log_all)
    dq = n @ sums + len(x) * (np.log(v) - special.digamma(q)) - log_all.sum()
    dv = len(x) * q / v - ((p * x + q) / (spent + v)).sum()
    return values, np.array([dp * p, dq * q, dv * v])
