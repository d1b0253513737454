"""Several processes of the service on one socket: `python -m api.workers FD N FOLDER`, what `regulars serve` becomes.

Nothing is imported here but the supervisor: the processes are spawned anew, and what the command line had loaded would
only lie beside them.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys

import uvicorn
from uvicorn.supervisors import Multiprocess

APP = "api.app:from_environment"


def become(bound: socket.socket, workers: int, folder: str) -> None:
    """Turn this process into the supervisor of `workers` processes; `folder` holds their metrics and is removed."""
    os.set_inheritable(bound.fileno(), True)
    command = [sys.executable, "-m", "api.workers", str(bound.fileno()), str(workers), folder]
    os.execv(command[0], command)  # noqa: S606 - our own interpreter and module


def configured(workers: int) -> uvicorn.Config:
    """Return how the service runs, whatever the number of processes."""
    return uvicorn.Config(APP, factory=True, workers=workers, log_level="warning", access_log=False)


def main() -> None:
    """Supervise until stopped."""
    descriptor, workers, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    try:
        Multiprocess(configured(workers), sockets=[socket.socket(fileno=descriptor)]).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
