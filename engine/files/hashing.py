"""The SHA-256 of files, in a process of its own: `python engine/files/hashing.py FOLDER`, names on standard input.

The service checks a new version with it while it answers. It takes processor time only when no other process wants it,
and never the GIL, which every request needs many times. Nothing but the standard library, so that it starts at once.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

LOWEST_PRIORITY = 19
IDLE = "SCHED_IDLE"


def hash_of(path: Path) -> str:
    """Return the file's SHA-256 in hexadecimal. Raises OSError when it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_aside(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Return each file's hash, worked out by a process of low priority; a file that cannot be read is left out.

    Raises OSError where no process can be started, or it failed.
    """
    done = subprocess.run(  # noqa: S603 - our own interpreter and file
        [sys.executable, "-I", "-S", __file__, str(folder)],
        input="\n".join(names),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise OSError(f"the process that hashes files ended with {done.returncode}")
    return {name: digest for digest, name in (line.split(" ", 1) for line in done.stdout.splitlines())}


def _lower_priority() -> None:
    """Take the lowest priority: any other process that becomes runnable gets the core at once."""
    os.nice(LOWEST_PRIORITY)
    if hasattr(os, IDLE):
        with suppress(OSError):  # where the system does not allow it
            os.sched_setscheduler(0, getattr(os, IDLE), os.sched_param(0))


def main() -> None:
    """Hash what standard input names."""
    _lower_priority()
    folder = Path(sys.argv[1])
    for name in sys.stdin.read().splitlines():
        try:
            print(hash_of(folder / name), name)
        except OSError:  # it is missing from the answer then
            continue


if __name__ == "__main__":
    main()
