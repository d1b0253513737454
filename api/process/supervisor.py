"""Keeps the service's processes alive: `python api/process/supervisor.py FD FOLDER PID...`.

It holds nothing but the standard library, so that it costs next to no memory. A process that ends is replaced by one
that imports for itself, and so is one that hangs: each touches a file of FOLDER every second. SIGTERM, SIGINT and
SIGHUP (a terminal that was closed) end all of them.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field

# One that ends sooner than this after its start is not replaced at once: whatever ended it may still hold.
SOON_S = 5.0
PAUSE_S = 1.0
# How often they are looked at, and after how long without a sign of life one is given up.
LOOK_S = 5.0
HUNG_S = 30.0
SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGALRM}


@dataclass(slots=True)
class Supervisor:
    """The processes by id, with the instant (monotonic seconds) each began; they serve on `descriptor`."""

    descriptor: int
    folder: str
    began: dict[int, float]
    stopping: bool = False
    # By process its newest sign of life, and since when (monotonic seconds) there was no other.
    seen: dict[int, tuple[int, float]] = field(default_factory=dict)

    def run(self) -> None:
        """Replace whatever ends, until told to end; then wait for all. SIGNALS are blocked already."""
        # Not every system can wait for signals and for a time at once; all have an alarm.
        signal.setitimer(signal.ITIMER_REAL, LOOK_S, LOOK_S)
        while self.began:
            told = signal.sigwait(SIGNALS)
            if told == signal.SIGALRM:
                self.look(time.monotonic())
            elif told != signal.SIGCHLD:
                self.stopping = True
                for process in self.began:
                    os.kill(process, signal.SIGTERM)
            # Several that end at once are told of once.
            while self.began and (process := os.waitpid(-1, os.WNOHANG)[0]):
                began = self.began.pop(process, None)
                self._gone(process)
                if began is not None and not self.stopping:
                    self._replace(began)

    def look(self, now: float) -> None:
        """Kill what has given no sign of life for so long; whoever has given none yet is still starting."""
        for process in self.began:
            with suppress(FileNotFoundError):
                sign = os.stat(sign_of_life(self.folder, process)).st_mtime_ns  # noqa: PTH116 - no more than is needed
                last, since = self.seen.get(process, (0, now))
                if sign != last:
                    self.seen[process] = (sign, now)
                elif now - since > HUNG_S:
                    print(f"worker {process} has hung for {now - since:.0f} s: killed", file=sys.stderr, flush=True)
                    os.kill(process, signal.SIGKILL)

    def _gone(self, process: int) -> None:
        self.seen.pop(process, None)
        with suppress(FileNotFoundError):
            os.unlink(sign_of_life(self.folder, process))  # noqa: PTH108 - no more than is needed

    def _replace(self, began: float) -> None:
        if time.monotonic() - began < SOON_S:
            time.sleep(PAUSE_S)
        command = [sys.executable, "-P", "-m", "api.process.workers", str(self.descriptor), "0", self.folder]
        self.began[os.posix_spawn(sys.executable, command, os.environ, setsigmask=())] = time.monotonic()


def sign_of_life(folder: str, process: int) -> str:
    """Return the file that a process touches every second."""
    return os.path.join(folder, f"alive_{process}")  # noqa: PTH118 - no more than is needed


def main() -> None:
    """Supervise until stopped, then remove the folder."""
    now = time.monotonic()
    try:
        Supervisor(int(sys.argv[1]), sys.argv[2], {int(process): now for process in sys.argv[3:]}).run()
    finally:
        shutil.rmtree(sys.argv[2], ignore_errors=True)


if __name__ == "__main__":
    main()
