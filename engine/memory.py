"""Memory that is let go of goes back to the system at once."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGE = 2**20


def give_memory_back() -> None:
    """Let every array of a megabyte or more be a mapping of its own in this process, from now on.

    The GNU C library raises that bound with each larger array it frees, up to 32 MB, and keeps what lies below for
    later: at 8 M lines a fifth of the peak. Other C libraries are left as they are.
    """
    try:
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, LARGE)
        library.mallopt(M_TRIM_THRESHOLD, LARGE)
    except (OSError, AttributeError):
        return
