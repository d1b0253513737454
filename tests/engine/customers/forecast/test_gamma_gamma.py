"""Gamma-Gamma: a plain reading of the note, numeric gradients, and customers drawn from it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from engine.customers.forecast import gamma_gamma
from engine.customers.forecast.gamma_gamma import GammaGamma
from engine.errors import NoHistory


def plain_log_likelihood(p: float, q: float, v: float, x: int, mean: float) -> float:
    """Write equation 1a of Fader & Hardie (2013) as it stands there."""
    beta = math.lgamma(p * x) + math.lgamma(q) - math.lgamma(p * x + q)
    share = v / (v + x * mean)
    return -math.log(mean) - beta + q * math.log(share) + p * x * math.log(1 - share)


def drawn(n: int, p: float, q: float, v: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 8, n)
    rate = rng.gamma(q, 1 / v, n)
    total = rng.gamma(np.maximum(p * x, 1e-9), 1 / rate)
    return x, np.where(x > 0, total / np.maximum(x, 1), np.nan)


@settings(max_examples=200, deadline=None)
@given(st.floats(0.3, 20), st.floats(0.3, 20), st.floats(0.5, 50), st.integers(1, 60), st.floats(0.5, 500))
def test_the_likelihood_is_that_of_a_plain_reading_of_the_note(
    p: float, q: float, v: float, x: int, mean: float
) -> None:
    found = gamma_gamma.gamma_gamma_log_likelihoods(GammaGamma(p, q, v, mean), np.array([x]), np.array([mean]))[0]
    assert found == pytest.approx(plain_log_likelihood(p, q, v, x, mean), rel=1e-7, abs=1e-7)


def test_the_gradient_is_that_of_finite_differences() -> None:
    x, mean = drawn(300, 5, 4, 15, seed=1)
    x, mean = x[x > 0], mean[x > 0]
    at = np.log([3.0, 2.0, 9.0])
    slope = gamma_gamma.gamma_gamma_likelihood_and_gradient(at, x, mean)[1]

    def likelihood(logs: npt.NDArray[np.float64]) -> float:
        return float(gamma_gamma.gamma_gamma_likelihood_and_gradient(logs, x, mean)[0].sum())

    numeric = optimize.approx_fprime(at, likelihood, 1e-7)
    np.testing.assert_allclose(slope, numeric, rtol=1e-4, atol=1e-2)


def test_customers_drawn_from_the_model_give_its_parameters_back() -> None:
    x, mean = drawn(20_000, 6.25, 3.74, 15.44, seed=2)
    found = gamma_gamma.fit_gamma_gamma(x, mean)
    assert (found.p, found.q) == pytest.approx((6.25, 3.74), rel=0.08)
    assert found.v == pytest.approx(15.44, rel=0.12)
    used = x > 0
    truth = gamma_gamma.gamma_gamma_log_likelihoods(GammaGamma(6.25, 3.74, 15.44, 1.0), x[used], mean[used]).sum()
    assert found.log_likelihood >= truth


def test_other_money_changes_v_alone() -> None:
    x, mean = drawn(3_000, 6, 4, 15, seed=3)
    dollars, cents = gamma_gamma.fit_gamma_gamma(x, mean), gamma_gamma.fit_gamma_gamma(x, mean * 100)
    assert (cents.p, cents.q) == pytest.approx((dollars.p, dollars.q), rel=1e-4)
    assert cents.v == pytest.approx(dollars.v * 100, rel=1e-4)
    assert gamma_gamma.expected_order_value(cents, x, mean * 100) == pytest.approx(
        gamma_gamma.expected_order_value(dollars, x, mean) * 100, rel=1e-4
    )


def test_a_forecast_lies_between_the_own_mean_and_the_population_s() -> None:
    model = GammaGamma(6.25, 3.74, 15.44, 35.0)
    overall = 6.25 * 15.44 / 2.74
    few, many, none = gamma_gamma.expected_order_value(model, np.array([1, 50, 0]), np.array([100.0, 100.0, np.nan]))
    assert none == pytest.approx(overall)
    assert overall < few < many < 100.0


def test_free_and_unknown_orders_are_left_out_and_still_get_a_forecast() -> None:
    x, mean = drawn(500, 6, 4, 15, seed=4)
    before = gamma_gamma.fit_gamma_gamma(x, mean)
    odd_x, odd = np.concatenate([x, [2, 3, 1]]), np.concatenate([mean, [0.0, np.nan, -5.0]])
    after = gamma_gamma.fit_gamma_gamma(odd_x, odd)
    assert after.p == pytest.approx(before.p, rel=1e-6)
    assert np.isfinite(gamma_gamma.expected_order_value(after, odd_x, odd)).all()


def test_where_the_model_has_no_mean_the_customers_own_or_the_overall_stands_in() -> None:
    model = GammaGamma(0.5, 0.4, 10.0, 20.0)
    found = gamma_gamma.expected_order_value(model, np.array([0, 1, 10]), np.array([np.nan, 7.0, 7.0]))
    assert found[0] == 20.0
    assert found[1] == 7.0
    assert np.isfinite(found[2])


def test_too_few_or_equal_amounts_are_refused_with_a_reason() -> None:
    with pytest.raises(NoHistory, match="at least 10 customers"):
        gamma_gamma.fit_gamma_gamma(np.array([1, 2]), np.array([5.0, 6.0]))
    with pytest.raises(NoHistory, match="differing value"):
        gamma_gamma.fit_gamma_gamma(np.full(50, 2), np.full(50, 9.0))
