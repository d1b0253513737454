"""Loops compiled once per release and kept beside the source; where nothing can be kept, at every start."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Compile `function` to machine code at its first call with each set of types; arguments are arrays and numbers.

    No threads and no changed arithmetic: equal input gives equal bits on one machine.
    """
    try:
        return cast("Function", numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return cast("Function", numba.njit(nogil=True)(function))


def compiled_in_any_order(function: Function) -> Function:
    """Compile as `compiled` does, but let sums be taken in whatever order is fastest: several terms at a time.

    Equal input still gives equal bits on one machine; another kind of processor may round otherwise.
    """
    orders = {"reassoc", "contract", "nsz"}
    try:
        return cast("Function", numba.njit(cache=True, nogil=True, fastmath=orders)(function))
    except RuntimeError:  # see `compiled`
        return cast("Function", numba.njit(nogil=True, fastmath=orders)(function))


def prepare() -> None:
    """Load what numba loads at the first call of any loop, 25 MB: for a process that forks others, which share it."""
    _nothing(0)


@compiled
def _nothing(number: int) -> int:
    return number
