"""How long and how much memory a simulated city takes, by size, and how both grow.

    python -m benchmarks.city_size            2 k, 100 k and 1 M customers
    python -m benchmarks.city_size --quick    2 k and 20 k, a few seconds

Each size runs in its own process, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy
import polars

from demo.city import write_city

RESULT = Path(__file__).parent / "results" / "city_size.md"
UNTIL = datetime(2026, 3, 1, tzinfo=UTC)
# From a profile of the 100 k city; look again when the shares of the code change.
LIMITS = """\
What limits it (cProfile, 100 k): a fifth of the time is binary search in the cumulative weights of the lotteries that
draw dishes, a sixth is Polars casting and gathering columns and writing Parquet, a tenth each cumulative sums over
shares and finding dishes drawn twice for one order. One process uses one core but for Polars' own threads. Memory is
that of one part (100,000 customers), whatever the size of the city. There is no rival to
measure against: the floor is NumPy's own random draws."""
FULL, QUICK = (2_000, 100_000, 1_000_000), (2_000, 20_000)
TIMES_EACH = {2_000: 5, 20_000: 3, 100_000: 3}


def measure(customers: int) -> dict[str, float]:
    """Write one city in this process; return seconds, rows, bytes and peak memory."""
    with tempfile.TemporaryDirectory(prefix="regulars-city-") as folder:
        started = time.perf_counter()
        cpu = time.process_time()
        written = write_city(Path(folder) / "city", customers, seed=1, until=UNTIL)
        return {
            "customers": customers,
            "seconds": time.perf_counter() - started,
            "cpu_s": time.process_time() - cpu,
            "orders": written.rows["orders"],
            "lines": written.rows["lines"],
            "megabytes": sum(path.stat().st_size for paths in written.files.values() for path in paths) / 1e6,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }


def in_own_process(customers: int) -> dict[str, float]:
    """Run `measure` in a fresh interpreter."""
    command = [sys.executable, "-m", "benchmarks.city_size", "--one", str(customers)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def median(runs: list[dict[str, float]]) -> dict[str, float]:
    """Return the run with the middle wall time."""
    return sorted(runs, key=lambda run: run["seconds"])[len(runs) // 2]


def report(rows: list[dict[str, float]], command: str) -> str:
    """Return the result page."""
    lines = [
        "# How big a simulated city can be",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, commit {_commit()}, {platform.machine()}, {os.cpu_count()} cores shared with "
        f"others, Python {platform.python_version()}, Polars {polars.__version__}, NumPy {numpy.__version__}. "
        f"Command: `{command}`.",
        "",
        "| customers | orders | lines | seconds | CPU s | lines per CPU s | peak RSS MB | files MB |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row['customers']:,} | {row['orders']:,} | {row['lines']:,} | {row['seconds']:.2f} | {row['cpu_s']:.2f} | "
        f"{row['lines'] / row['cpu_s']:,.0f} | {row['peak_mb']:,.0f} | {row['megabytes']:,.1f} |"
        for row in rows
    ]
    low, high = rows[-2], rows[-1]
    growth = math.log(high["cpu_s"] / low["cpu_s"]) / math.log(high["customers"] / low["customers"])
    lines += ["", f"CPU grows with customers to the power {growth:.2f} between the last two sizes.", "", LIMITS]
    return "\n".join(lines) + "\n"


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def main() -> None:
    """Measure, print, and in full keep the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--one", type=int)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one)))
        return
    sizes = QUICK if given.quick else FULL
    rows = [median([in_own_process(size) for _ in range(TIMES_EACH.get(size, 1))]) for size in sizes]
    page = report(rows, "python -m benchmarks.city_size" + (" --quick" if given.quick else ""))
    print(page)
    if not given.quick:
        RESULT.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
