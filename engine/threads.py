"""One BLAS thread a process: two cost up to fourteen times the CPU under small matrices and under implicit."""

from __future__ import annotations

from threadpoolctl import threadpool_limits


def one_blas_thread() -> None:
    """Limit BLAS in this process, for good; looking its libraries up takes milliseconds, so not once a request."""
    threadpool_limits(1, user_api="blas")
