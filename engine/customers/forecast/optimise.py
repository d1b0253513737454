"""The way to the greatest likelihood: L-BFGS-B with analytic gradients over log parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

Floats = npt.NDArray[np.float64]
BOUND = 12.0


def climb(down: Callable[[Floats], tuple[float, Floats]], start: Floats, *, ftol: float) -> tuple[Floats, float]:
    """Return the log parameters where `down` (value and gradient) is least, each within +-12, and its value there."""
    # scipy's stubs know no objective that returns its gradient as an array.
    from scipy import optimize  # noqa: PLC0415 - 25 MB that serving never needs

    minimise = cast("Callable[..., Any]", optimize.minimize)
    # Vectors of three and four numbers: a second BLAS thread costs more than the whole step, several times over.
    with threadpool_limits(1, "blas"):
        found = minimise(
            down,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[(-BOUND, BOUND)] * len(start),
            options={"ftol": ftol, "gtol": 1e-8, "maxiter": 500},
        )
    return np.asarray(found.x, np.float64), float(found.fun)
