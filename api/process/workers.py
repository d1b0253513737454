"""Several processes on one socket: `python -m api.process.workers FD N FOLDER`, what `regulars serve` becomes.

They are forked from one process that has imported everything, and share what it holds for as long as nobody writes to
it. That process then turns into `api/process/supervisor.py`, which holds next to
nothing. N = 0 is a single process in the place of one that ended.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from api.http.coalescing import CoalescingProtocol
from api.process.supervisor import SIGNALS, sign_of_life

APP = "api.app:from_environment"
# Polars' allocator hands memory back by a thread of its own, which a forked process does not have: at once, then.
ALLOCATOR = ("_RJEM_MALLOC_CONF", "background_thread:false,dirty_decay_ms:0,muzzy_decay_ms:0")


def become(bound: socket.socket, workers: int, folder: str) -> None:
    """Turn this process into the supervisor of `workers` processes; `folder` holds their metrics and is removed."""
    os.set_inheritable(bound.fileno(), True)
    os.environ.setdefault(*ALLOCATOR)
    # Its threads would be started before the fork, and limited to one right after.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    command = [sys.executable, "-P", "-m", "api.process.workers", str(bound.fileno()), str(workers), folder]
    os.execv(command[0], command)  # noqa: S606 - our own interpreter and module


def configured(app: ASGIApp | str) -> uvicorn.Config:
    """Return how the service runs, whatever the number of processes; `app` or where its maker is."""
    factory = isinstance(app, str)
    # There are no websockets here, and what speaks them need not be loaded.
    return uvicorn.Config(
        app,
        factory=factory,
        http=CoalescingProtocol,
        ws="none",
        server_header=False,
        log_level="warning",
        access_log=False,
    )


def main() -> None:
    """Fork the workers and make room for the supervisor."""
    descriptor, workers, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    # Metrics look for their folder when they are imported.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    from api.app import from_environment  # noqa: PLC0415
    from api.serving.refresher import compile_ahead  # noqa: PLC0415
    from engine.runtime.compiled import prepare  # noqa: PLC0415
    from engine.settings import Settings  # noqa: PLC0415

    app, settings = from_environment(), Settings.from_environment(os.environ)
    if not workers:
        _serve(app, descriptor, folder)
        return
    # They wait until the supervisor waits for them.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    prepare()
    os.waitpid(_forked(lambda: compile_ahead(settings)), 0)
    gc.collect()
    # A collection writes to every object it looks at, and what is written to is shared no longer.
    gc.freeze()
    started = [str(_forked(lambda: _serve(app, descriptor, folder))) for _ in range(workers)]
    # What this process has counted itself, which is nothing, would be counted for as long as the service runs.
    for file in Path(folder).glob(f"*_{os.getpid()}.db"):
        file.unlink()
    supervisor = str(Path(__file__).with_name("supervisor.py"))
    command = [sys.executable, "-I", "-S", supervisor, str(descriptor), folder, *started]
    os.execv(command[0], command)  # noqa: S606 - our own interpreter and file


class Alive(uvicorn.Server):
    """A server that touches its file every second, for as long as its loop turns."""

    def __init__(self, config: uvicorn.Config, folder: str) -> None:
        super().__init__(config)
        self._sign = Path(sign_of_life(folder, os.getpid()))

    async def on_tick(self, counter: int) -> bool:
        """Do what is done ten times a second."""
        if counter % 10 == 0:
            # Where the folder was cleared away nobody looks; that is no reason to stop.
            with suppress(OSError):
                self._sign.touch()
        return await super().on_tick(counter)


def _serve(app: ASGIApp, descriptor: int, folder: str) -> None:
    Alive(configured(app), folder).run(sockets=[socket.socket(fileno=descriptor)])


def _forked(work: Callable[[], None]) -> int:
    """Begin `work` in a process of its own and return its id; that process ends with it."""
    if process := os.fork():
        return process
    status = 1
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        work()
        status = 0
    except SystemExit as told:
        status = told.code if isinstance(told.code, int) else 1
    except Exception:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Whatever this process's parent meant to do at its own end is none of its business.
        os._exit(status)


if __name__ == "__main__":
    main()
