"""Memory that is let go of goes back to the system at once."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
# A new mapping is filled with zeros page by page: where each array of a megabyte was one, that and other work of the
# system took a fifth of training's CPU.
LARGE, KEPT = 16 * 2**20, 64 * 2**20


def trim_heap() -> None:
    """Let every array of 16 MB or more be a mapping of its own in this process, and 64 MB be kept, from now on.

    The GNU C library raises the first bound with each larger array it frees, up to 32 MB, and keeps what lies below for
    later: at 8 M lines a quarter of the peak. Other C libraries are left as they are.
    """
    try:
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, LARGE)
        library.mallopt(M_TRIM_THRESHOLD, KEPT)
    except (OSError, AttributeError):
        return
