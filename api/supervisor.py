"""Keeps the service's processes alive: `python api/supervisor.py FD FOLDER PID...`, what forked them turns into.

It holds nothing but the standard library, so that it costs next to no memory. A process that ends is replaced by one
that imports for itself. SIGTERM, SIGINT and SIGHUP end all of them.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass

# One that ends sooner than this after its start is not replaced at once: whatever ended it may still hold.
SOON_S = 5.0
PAUSE_S = 1.0
SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}


@dataclass(slots=True)
class Supervisor:
    """The processes by id, with the instant (monotonic seconds) each began; they serve on `descriptor`."""

    descriptor: int
    folder: str
    began: dict[int, float]
    stopping: bool = False

    def run(self) -> None:
        """Replace whatever ends, until told to end; then wait for all. SIGNALS are blocked already."""
        while self.began:
            if signal.sigwait(SIGNALS) != signal.SIGCHLD:
                self.stopping = True
                for process in self.began:
                    os.kill(process, signal.SIGTERM)
            # Several that end at once are told of once.
            while self.began and (process := os.waitpid(-1, os.WNOHANG)[0]):
                began = self.began.pop(process, None)
                if began is not None and not self.stopping:
                    self._replace(began)

    def _replace(self, began: float) -> None:
        if time.monotonic() - began < SOON_S:
            time.sleep(PAUSE_S)
        command = [sys.executable, "-m", "api.workers", str(self.descriptor), "0", self.folder]
        self.began[os.posix_spawn(sys.executable, command, os.environ, setsigmask=())] = time.monotonic()


def main() -> None:
    """Supervise until stopped, then remove the folder."""
    now = time.monotonic()
    try:
        Supervisor(int(sys.argv[1]), sys.argv[2], {int(process): now for process in sys.argv[3:]}).run()
    finally:
        shutil.rmtree(sys.argv[2], ignore_errors=True)


if __name__ == "__main__":
    main()
