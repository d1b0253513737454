"""Freed memory returns to the system at once."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
# The system zeroes a new mapping page by page: one mapping for every array of 1 MB took a fifth of training's CPU.
LARGE, KEPT = 16 * 2**20, 64 * 2**20


def limit_free_heap() -> None:
    """Give every array of 16 MB or more a mapping of its own in this process, and keep at most 64 MB of free heap.

    The GNU C library raises the first bound with each larger array it frees, up to 32 MB, and keeps what lies below for
    later: at 8 M lines a quarter of the peak. Other C libraries are left as they are.
    """
    try:
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, LARGE)
        library.mallopt(M_TRIM_THRESHOLD, KEPT)
    except (OSError, AttributeError):
        return


def trim_heap() -> None:
    """Return what is free in the heap to the system; a process keeps it otherwise for as long as it lives."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):  # another C library, which has its own ways
        return
