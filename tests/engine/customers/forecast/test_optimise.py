"""The minimum of a smooth function is found from its gradient, and never beyond the bounds."""

from __future__ import annotations

import numpy as np
import pytest

from engine.customers.forecast.optimise import BOUND, Floats, minimise


def test_the_minimum_of_a_bowl_is_found() -> None:
    middle = np.array([1.5, -2.0, 0.25])

    def bowl(at: Floats) -> tuple[float, Floats]:
        return float(((at - middle) ** 2).sum()) + 3.0, 2 * (at - middle)

    found, value = minimise(bowl, np.zeros(3), ftol=1e-14)
    assert found == pytest.approx(middle, abs=1e-6)
    assert value == pytest.approx(3.0)


def test_a_slope_without_end_stops_at_the_bound() -> None:
    found, value = minimise(lambda at: (float(-at.sum()), -np.ones(2)), np.zeros(2), ftol=1e-9)
    assert found.tolist() == [BOUND, BOUND]
    assert value == -2 * BOUND
