"""What a command costs: seconds, CPU seconds and peak memory, with its children; and how two rivals compare."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

# A process inherits the peak memory of the one that starts it, so a bare interpreter starts what is measured.
LAUNCHER = """
import json, resource, subprocess, sys, time
started = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE)
wall, used = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({
    "code": done.returncode, "said": done.stdout.decode(), "seconds": wall, "cpu_s": used.ru_utime + used.ru_stime,
    "peak_mb": used.ru_maxrss / 1024,
}))
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall seconds, CPU seconds of all its processes, and the peak memory of the largest of them in MiB."""

    seconds: float
    cpu_s: float
    peak_mb: float


def run(command: Sequence[str]) -> tuple[Cost, str]:
    """Run a command and return what it cost and what it wrote to standard output.

    Raises RuntimeError when it fails; its complaints stand on standard error.
    """
    told = subprocess.run(
        [sys.executable, "-c", LAUNCHER, *command], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    found = json.loads(told)
    if found["code"]:
        raise RuntimeError(f"ended with {found['code']}: {' '.join(command)}")
    return Cost(found["seconds"], found["cpu_s"], found["peak_mb"]), found["said"]


def median(costs: Sequence[Cost]) -> Cost:
    """Return the medians of each figure; of memory the largest."""
    return Cost(
        statistics.median(cost.seconds for cost in costs),
        statistics.median(cost.cpu_s for cost in costs),
        max(cost.peak_mb for cost in costs),
    )


def ratios(over: Sequence[float], under: Sequence[float]) -> str:
    """Return the median of the ratios, turn by turn, with the least and the greatest."""
    found = [one / other for one, other in zip(over, under, strict=True)]
    return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"


def circumstances(command: str, *packages: str) -> str:
    """Return one sentence or two: date, commit, machine, versions, command."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, commit {commit.stdout.strip() or 'unknown'}, {platform.machine()}, "
        f"{os.cpu_count()} cores shared with others, Python {platform.python_version()}, {versions}. "
        f"Command: `{command}`."
    )
