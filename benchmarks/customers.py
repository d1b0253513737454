"""How long the customer table takes, and the lifetime-value fit beside the `lifetimes` package.

    python -m benchmarks.customers            a simulated city of 1 M customers, 20 M lines; needs minutes and 6 GiB
    python -m benchmarks.customers --quick    5 k customers, under a minute
    python -m benchmarks.customers --peer P   also fit with the `lifetimes` package of the interpreter P
                                              (benchmarks/peers/lifetimes.lock), interleaved with ours

The table of each size runs in its own process, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from demo.city import write_city
from engine.columns import CUSTOMERS, ITEMS, LINES, ORDERS, VENDORS
from engine.customers.behaviour.purchases import order_days, read_purchases
from engine.customers.compute.inputs import TableSources
from engine.customers.config import CustomerConfig
from engine.customers.forecast import bg_nbd, gamma_gamma
from engine.customers.forecast.lifetime_value import recency_frequency_at
from engine.customers.moment import end_of
from engine.customers.table import customer_table

RESULT = Path(__file__).parent / "results" / "customers.md"
UNTIL = datetime(2026, 3, 1, tzinfo=UTC)
MOMENT = end_of(datetime(2026, 2, 28, tzinfo=UTC).date(), "UTC")
FULL, QUICK = (20_000, 200_000, 1_000_000), (2_000, 5_000)
REPEATS = 5
BUDGET_S, BUDGET_MB = 60.0, 6 * 1024
PEER = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import numpy as np
from lifetimes import BetaGeoFitter, GammaGammaFitter
data = np.load(sys.argv[1])
x, tx, t, mean = (data[name] for name in ("x", "tx", "t", "mean"))
started, cpu = time.perf_counter(), time.process_time()
bg = BetaGeoFitter().fit(x, tx, t)
repeat = (x > 0) & (mean > 0)
gg = GammaGammaFitter().fit(x[repeat], mean[repeat])
took = time.perf_counter() - started, time.process_time() - cpu
found = {name: float(value) for name, value in {**bg.params_, **gg.params_}.items()}
print(json.dumps({"seconds": took[0], "cpu_s": took[1], **found}))
"""
LIMITS = """\
What limits it (cProfile, 1 M): a fifth each is reading Parquet with customer ids turned into numbers, and the forecasts
(of which a third are the return model's predictions for everybody); an eighth is counting and ranking (customer, dish)
pairs, a tenth each party sizes, and vendors, zones and payment. Most of it is sorting whole numbers; about a third of
the work uses the second core. Memory peaks while 20 M lines lie beside their sorted copy. After
new orders the table is built whole (decision 9). Seconds are of a machine that others loaded at the time; CPU seconds
travel better."""


def conform(frame: pl.LazyFrame, schema: dict[str, pl.DataType | type[pl.DataType]]) -> pl.LazyFrame:
    """Return exactly the columns of `schema`; absent ones are null."""
    have = set(frame.collect_schema().names())
    return frame.select((pl.col(c) if c in have else pl.lit(None)).cast(d).alias(c) for c, d in schema.items())


def write_history(folder: Path, customers: int) -> None:
    """Write a city in the history's own columns, one part of customers at a time."""
    write_city(folder / "city", customers, seed=1, until=UNTIL)
    parts = folder / "history"
    parts.mkdir()
    for path in sorted((folder / "city").glob("orders*.parquet")):
        name = path.name.removeprefix("orders")
        orders = conform(pl.scan_parquet(path), ORDERS).sort("customer_id", "ordered_at", "order_id").collect()
        orders.write_parquet(parts / f"orders{name}")
        lines = pl.read_parquet(path.with_name(f"lines{name}")).with_columns(pl.lit(0, pl.Int32).alias("line_no"))
        known = orders.select("order_id", "customer_id", "ordered_at", "status", "vendor_id")
        joined = lines.join(known, on="order_id")
        conform(joined.lazy(), LINES).sort("customer_id", "ordered_at", "order_id", "item_id").collect().write_parquet(
            parts / f"lines{name}"
        )


def sources(folder: Path) -> TableSources:
    """Return what the table is built from."""

    def city(name: str, schema: dict[str, pl.DataType | type[pl.DataType]]) -> pl.DataFrame:
        return conform(pl.scan_parquet(folder / "city" / f"{name}*.parquet"), schema).collect()

    return TableSources(
        pl.scan_parquet(folder / "history" / "orders*.parquet"),
        pl.scan_parquet(folder / "history" / "lines*.parquet"),
        city("customers", CUSTOMERS),
        city("items", ITEMS),
        city("vendors", VENDORS),
    )


def measure(folder: Path) -> dict[str, float]:
    """Build the table in this process; return seconds, CPU, rows and peak memory."""
    data = sources(folder)
    lines = int(data.lines.select(pl.len()).collect().item())
    started, cpu = time.perf_counter(), time.process_time()
    built = customer_table(data, MOMENT, horizon_days=90, config=CustomerConfig())
    return {
        "customers": built.table.height,
        "orders": int(built.facts["orders"]),
        "lines": lines,
        "seconds": time.perf_counter() - started,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "auc": built.facts["return_model"]["model"]["value"] if built.facts["return_model"] else math.nan,
    }


def fit_once(x: np.ndarray, tx: np.ndarray, t: np.ndarray, valued: np.ndarray, mean: np.ndarray) -> dict[str, float]:
    """Fit BG/NBD and Gamma-Gamma as the product does; return seconds, CPU and parameters."""
    started, cpu = time.perf_counter(), time.process_time()
    model = bg_nbd.fit_bg_nbd("bg_nbd", bg_nbd.summarise(x, tx, t)[0])
    value = gamma_gamma.fit_gamma_gamma(valued, mean)
    took = time.perf_counter() - started, time.process_time() - cpu
    return {"seconds": took[0], "cpu_s": took[1], "r": model.r, "alpha": model.alpha, "a": model.a, "b": model.b,
            "p": value.p, "q": value.q, "v": value.v}  # fmt: skip


def fits(folder: Path, peer: str | None, repeats: int) -> list[dict[str, dict[str, float]]]:
    """Fit ours and the peer's in turn, after one warm-up of ours."""
    data = sources(folder)
    known = recency_frequency_at(order_days(read_purchases(data.orders, data.customers, MOMENT)), MOMENT.day)
    arrays = known.x, known.tx_days, known.t_days, known.valued, known.mean_value
    file = folder / "summaries.npz"
    np.savez(file, x=known.x, tx=known.tx_days / 7, t=known.t_days / 7, mean=np.nan_to_num(known.mean_value))
    fit_once(*arrays)
    rounds = []
    for _ in range(repeats):
        found = {"ours": fit_once(*arrays)}
        if peer:
            done = subprocess.run([peer, "-c", PEER, str(file)], check=True, capture_output=True, text=True)
            found["lifetimes"] = json.loads(done.stdout.splitlines()[-1])
        rounds.append(found)
    return rounds


def report(rows: list[dict[str, float]], rounds: list[dict[str, dict[str, float]]], command: str) -> str:
    """Return the result page."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    lines = [
        "# How long the customer table takes", "",
        f"{datetime.now(UTC):%Y-%m-%d}, commit {commit.stdout.strip()}, {platform.machine()}, {os.cpu_count()} cores "
        f"shared with others, Python {platform.python_version()}, Polars {pl.__version__}, NumPy {np.__version__}. "
        f"Data: the simulated city (seed 1). Command: `{command}`.", "",
        "| customers | orders | lines | seconds | CPU s | peak RSS MB | AUC, no order in 90 days |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    lines += [
        f"| {r['customers']:,.0f} | {r['orders']:,.0f} | {r['lines']:,.0f} | {r['seconds']:.1f} | {r['cpu_s']:.1f} "
        f"| {r['peak_mb']:,.0f} | {r['auc']:.3f} |"
        for r in rows
    ]
    if len(rows) > 1:
        power = math.log(rows[-1]["cpu_s"] / rows[-2]["cpu_s"]) / math.log(rows[-1]["lines"] / rows[-2]["lines"])
        lines += ["", f"CPU grows with lines to the power {power:.2f} between the last two sizes. The budget for 1 M "
                  f"customers and 20 M lines is {BUDGET_S:.0f} s and {BUDGET_MB:,} MB."]  # fmt: skip
    lines += ["", f"## BG/NBD and Gamma-Gamma on {rows[-1]['customers']:,.0f} customers", ""]
    lines += ["| | median s | least | most | CPU s | r | alpha | a | b | p | q | v |", "|---|" + "---:|" * 11]
    for name in rounds[0]:
        runs = [each[name] for each in rounds]
        seconds = [run["seconds"] for run in runs]
        figures = " | ".join(f"{runs[0][key]:.3f}" for key in ("r", "alpha", "a", "b", "p", "q", "v"))
        lines.append(f"| {name} | {statistics.median(seconds):.2f} | {min(seconds):.2f} | {max(seconds):.2f} "
                     f"| {statistics.median(run['cpu_s'] for run in runs):.2f} | {figures} |")  # fmt: skip
    if "lifetimes" in rounds[0]:
        ratio = [each["ours"]["seconds"] / each["lifetimes"]["seconds"] for each in rounds]
        lines += ["", f"Ours takes {statistics.median(ratio):.3f} of the time of `lifetimes` (least {min(ratio):.3f}, "
                  f"most {max(ratio):.3f}, {len(ratio)} rounds interleaved); at most .2 is wanted."]  # fmt: skip
    return "\n".join([*lines, "", LIMITS, ""])


def main() -> None:
    """Measure, print, and in full write the result page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--peer", help="an interpreter that has the lifetimes package")
    parser.add_argument("--table-of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.table_of:
        print(json.dumps(measure(arguments.table_of)))
        return
    rows: list[dict[str, float]] = []
    sizes = QUICK if arguments.quick else FULL
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="regulars-customers-") as name:
            write_history(Path(name), size)
            command = [sys.executable, "-m", "benchmarks.customers", "--table-of", name]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rows.append(json.loads(done.stdout))
            print(rows[-1], file=sys.stderr)
            if size == sizes[-1]:
                rounds = fits(Path(name), arguments.peer, 2 if arguments.quick else REPEATS)
    command = (
        "python -m benchmarks.customers" + (" --quick" * arguments.quick) + (" --peer PYTHON" * bool(arguments.peer))
    )
    page = report(rows, rounds, command)
    print(page)
    if not arguments.quick:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
