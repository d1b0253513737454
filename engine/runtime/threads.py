"""How many threads work at once: one for BLAS, and for learning as many as the process may use cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from threadpoolctl import threadpool_limits

# A task that waits for another keeps its thread: there must be one thread per submitted task.
MAX_TASKS = 8
Item = TypeVar("Item")
Result = TypeVar("Result")
Other = TypeVar("Other")


def one_blas_thread() -> None:
    """Limit BLAS in this process, for good; looking its libraries up takes milliseconds, so not once a request.

    Two BLAS threads cost up to fourteen times the CPU under small matrices and under implicit.
    """
    threadpool_limits(1, user_api="blas")


def cores() -> int:
    """Return how many cores this process may use: what `taskset` or a container's cpuset leaves it."""
    return len(os.sched_getaffinity(0))


def parallel_map(work: Callable[[Item], Result], items: Sequence[Item], *, threads: int | None = None) -> list[Result]:
    """Return `work` of each item, in the order of the items, done by `threads` at a time (None: one a core).

    Only work that releases the GIL gains by it: compiled loops, Polars, NumPy on large arrays. The first exception is
    raised once all items are done.
    """
    threads = min(cores() if threads is None else threads, len(items))
    if threads <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))


def run_both(one: Callable[[], Result], other: Callable[[], Other], *, at_once: bool = True) -> tuple[Result, Other]:
    """Return both results, run `at_once` where there are two cores; an exception of `one` is raised first."""
    if cores() == 1 or not at_once:
        return one(), other()
    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(other)
        return one(), later.result()


class TaskPool:
    """Tasks submitted now and fetched later: each runs in a thread of its own where there are two cores.

    With one core, or not `at_once`, each is done when it is submitted. Leaving the block waits for all.
    """

    def __init__(self, *, at_once: bool = True) -> None:
        self._pool = ThreadPoolExecutor(MAX_TASKS) if at_once and cores() > 1 else None

    def submit(self, work: Callable[[], Result]) -> Callable[[], Result]:
        """Start `work` and return a function that waits for its result, or raises its exception."""
        if self._pool is None:
            found = work()
            return lambda: found
        submitted: Future[Result] = self._pool.submit(work)
        return submitted.result

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        """Wait for every submitted task."""
        if self._pool is not None:
            self._pool.shutdown()
