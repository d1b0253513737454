"""Maximum likelihood: L-BFGS-B with analytic gradients over log parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

Floats = npt.NDArray[np.float64]
BOUND = 12.0
# Fewer customers leave nothing to fit.
LEAST_CUSTOMERS_TO_FIT = 10
# A fit starts on about so many rows and is finished on all.
SUBSAMPLE = 20_000


def minimise(
    objective: Callable[[Floats], tuple[float, Floats]], start: Floats, *, ftol: float
) -> tuple[Floats, float]:
    """Return the log parameters, each within +-12, where `objective` (value, gradient) is least, and its value."""
    # scipy's stubs know no objective that returns its gradient as an array.
    from scipy import optimize  # noqa: PLC0415 - 25 MB that serving never needs

    scipy_minimize = cast("Callable[..., Any]", optimize.minimize)
    # Vectors of three and four numbers: a second BLAS thread costs more than the whole step, several times over.
    with threadpool_limits(1, "blas"):
        found = scipy_minimize(
            objective,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[(-BOUND, BOUND)] * len(start),
            options={"ftol": ftol, "gtol": 1e-8, "maxiter": 500},
        )
    return np.asarray(found.x, np.float64), float(found.fun)
