"""How many threads work at once: one for BLAS, and for learning as many as the process may use cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from threadpoolctl import threadpool_limits

# What waits for another lane holds its own: there must be one for each thing that is begun.
MOST_LANES = 8
Part = TypeVar("Part")
Found = TypeVar("Found")
Other = TypeVar("Other")


def one_blas_thread() -> None:
    """Limit BLAS in this process, for good; looking its libraries up takes milliseconds, so not once a request.

    Two BLAS threads cost up to fourteen times the CPU under small matrices and under implicit.
    """
    threadpool_limits(1, user_api="blas")


def cores() -> int:
    """Return how many cores this process may use: what `taskset` or a container's cpuset leaves it."""
    return len(os.sched_getaffinity(0))


def parallel_map(work: Callable[[Part], Found], parts: Sequence[Part], *, threads: int | None = None) -> list[Found]:
    """Return `work` of each part, in the order of the parts, done by `threads` at a time (None: one a core).

    Only what lets go of Python's lock gains by it: compiled loops, Polars, NumPy on large arrays. The first fault is
    raised once all parts are done.
    """
    threads = min(cores() if threads is None else threads, len(parts))
    if threads <= 1:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, parts))


def run_both(one: Callable[[], Found], other: Callable[[], Other], *, at_once: bool = True) -> tuple[Found, Other]:
    """Return what both give, done `at_once` where there are two cores; a fault of `one` comes before one of `other`."""
    if cores() == 1 or not at_once:
        return one(), other()
    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(other)
        return one(), later.result()


class TaskPool:
    """Work that is begun and fetched later: each begun thing runs in a thread of its own where there are two cores.

    With one core, or not `at_once`, each is done when it is begun. Leaving the block waits for all.
    """

    def __init__(self, *, at_once: bool = True) -> None:
        self._pool = ThreadPoolExecutor(MOST_LANES) if at_once and cores() > 1 else None

    def begin(self, work: Callable[[], Found]) -> Callable[[], Found]:
        """Begin `work`; what is returned waits for what it gives, and raises its fault."""
        if self._pool is None:
            found = work()
            return lambda: found
        begun: Future[Found] = self._pool.submit(work)
        return begun.result

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        """Wait for what was begun."""
        if self._pool is not None:
            self._pool.shutdown()
