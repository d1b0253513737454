"""How long a five-clause segment takes, beside the same question written by hand in DuckDB SQL over the same Parquet.

    python -m benchmarks.segments --home DIR --peer P    1 M customers, 20 M lines, as `--make DIR` writes
    python -m benchmarks.segments --quick                5 k customers, under a minute; --peer optional

P is the interpreter of an environment made from benchmarks/peers/duckdb.lock. Ours and DuckDB answer in turn, each in a
process that stays, after a warm-up; the counts must be equal.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from sqlalchemy.orm import Session

from demo.city import write_city
from engine.columns import ITEMS, LINES, ORDERS, VENDORS
from engine.database.session import connect, transaction
from engine.history.opening import open_history
from engine.history.tables import upsert_table
from engine.segments.explain import explain_membership
from engine.segments.parse import parse_rule
from engine.segments.preview import count_members
from engine.segments.sources import home_segment_sources
from engine.settings import Settings

RESULT = Path(__file__).parent / "results" / "segments.md"
UNTIL = datetime(2026, 3, 1, tzinfo=UTC)
REPEATS = 5
MAINS = {"category": "main"}
QUESTION = {
    "all": [
        {"language": "zh"},
        {"registered_at": {"older_than_days": 60}},
        {"count": {"event": "order", "last_days": 90, "at_least": 3}},
        {"sum": {"event": "order_line", "where": MAINS, "of": "quantity", "last_days": 60, "at_least": 4}},
        {"not": {"push_reachable": False}},
    ]
}  # fmt: skip
SQL = """
WITH bought AS (
    SELECT customer_id, count(*) AS n FROM read_parquet({orders})
    WHERE status = 'delivered' AND ordered_at > TIMESTAMPTZ '{d90}' AND ordered_at <= TIMESTAMPTZ '{now}'
    GROUP BY customer_id HAVING count(*) >= 3
), mains AS (
    SELECT l.customer_id, sum(l.quantity) AS n FROM read_parquet({lines}) l
    JOIN read_parquet('{items}') i ON i.item_id = l.item_id AND i.category = 'main'
    WHERE l.status = 'delivered' AND l.ordered_at > TIMESTAMPTZ '{d60}' AND l.ordered_at <= TIMESTAMPTZ '{now}'
    GROUP BY l.customer_id HAVING sum(l.quantity) >= 4
)
SELECT count(*) FROM read_parquet('{customers}') c JOIN bought USING (customer_id) JOIN mains USING (customer_id)
WHERE c.language = 'zh' AND c.registered_at <= TIMESTAMPTZ '{d60}' AND c.push_token IS NOT NULL
"""
PEER = """
import json, sys, time, duckdb
con = duckdb.connect(config={"threads": int(sys.argv[1])})
con.execute("SET TimeZone='UTC'")
print(duckdb.__version__, flush=True)
for line in sys.stdin:
    started, cpu = time.perf_counter(), time.process_time()
    found = con.execute(json.loads(line)).fetchone()[0]
    print(json.dumps([found, time.perf_counter() - started, time.process_time() - cpu]), flush=True)
"""
LIMITS = """\
What limits it (each part timed alone): grouping three months of orders by customer id, a text, is near a third; reading
and filtering two months of lines a quarter; reading the orders an eighth; the rest is grouping the lines, reading the
cards and two joins. Only months inside the windows are opened, and only customers who can still match are joined.
Explaining one customer is two reads of row groups that may hold them, one of each month in the window: files are sorted
by customer, and smaller row groups would make it faster still."""


def make(home: Path, customers: int) -> None:
    """Write a home with a city's history, one part of the customers at a time."""
    settings = Settings.from_environment({}, home=home)
    with tempfile.TemporaryDirectory() as folder:
        city = Path(folder) / "city"
        write_city(city, customers, seed=3, until=UNTIL, chunk_customers=250_000)
        load(settings, city)


def load(settings: Settings, city: Path) -> None:
    """Append a written city to a home."""
    history = open_history(settings)
    for path in sorted(city.glob("orders*.parquet")):
        orders = conform(pl.read_parquet(path), ORDERS)
        lines = pl.read_parquet(path.with_name(path.name.replace("orders", "lines")))
        lines = lines.with_columns(pl.int_range(pl.len(), dtype=pl.Int32).over("order_id", "item_id").alias("line_no"))
        known = orders.select("order_id", "customer_id", "ordered_at", "status", "vendor_id")
        history.append(orders, conform(lines.join(known, on="order_id"), LINES))
    upsert_table(settings, "items", conform(pl.read_parquet(city / "items.parquet"), ITEMS))
    upsert_table(settings, "vendors", conform(pl.read_parquet(city / "vendors.parquet"), VENDORS))
    upsert_table(settings, "customers", pl.read_parquet(city / "customers*.parquet"))


def conform(frame: pl.DataFrame, schema: dict[str, pl.DataType | type[pl.DataType]]) -> pl.DataFrame:
    """Return exactly the columns of `schema`; absent ones are null."""
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.items()
    )


class Ours:
    """The product, asked as the command and the service ask it."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings.from_environment({}, home=home)
        self.database = connect(self.settings)
        self.rule = parse_rule(QUESTION, currency="CNY")

    def reading(self) -> AbstractContextManager[Session]:
        """Open one unit of work."""
        return transaction(self.database)

    def ask(self) -> tuple[int, float, float]:
        """Return the count, seconds and CPU seconds."""
        started, cpu = time.perf_counter(), time.process_time()
        found = count_members(self.rule, home_segment_sources(self.settings, self.reading), UNTIL)
        return found, time.perf_counter() - started, time.process_time() - cpu

    def explain(self, customer_id: str) -> float:
        """Return the seconds one explanation takes."""
        started = time.perf_counter()
        explain_membership(self.rule, home_segment_sources(self.settings, self.reading), UNTIL, customer_id)
        return time.perf_counter() - started

    def ids(self, n: int) -> list[str]:
        """Return `n` customers from all over the table."""
        table = (
            home_segment_sources(self.settings, self.reading).customers.select("customer_id").collect()["customer_id"]
        )
        return table.gather_every(max(1, len(table) // n))[:n].to_list()


class Duck:
    """DuckDB in its own environment and process, warm like ours."""

    def __init__(self, python: str, home: Path, threads: int) -> None:
        self.process = subprocess.Popen(
            [python, "-c", PEER, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.version = self._read()
        manifest = json.loads((home / "history" / "manifest.json").read_bytes())
        files = {
            # The hand-written query, like ours, opens only months that may hold the window.
            kind: [str(home / "history" / p["file"]) for p in parts.values()
                   if datetime.fromisoformat(p["last_at"]) > UNTIL - timedelta(days=90 if kind == "orders" else 60)]
            for kind, parts in manifest.items() if kind in ("orders", "lines")
        }  # fmt: skip
        days = {f"d{n}": (UNTIL - timedelta(days=n)).isoformat() for n in (60, 90)}
        tables = {name: str(home / "tables" / f"{name}.parquet") for name in ("items", "customers")}
        self.query = SQL.format(**files, **days, **tables, now=UNTIL.isoformat())

    def ask(self) -> tuple[int, float, float]:
        """Return the count, seconds and CPU seconds."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps(self.query) + "\n")
        self.process.stdin.flush()
        found, seconds, cpu = json.loads(self._read())
        return int(found), float(seconds), float(cpu)

    def close(self) -> None:
        """End the process."""
        self.process.communicate(timeout=20)

    def _read(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()


def measure(home: Path, peer: str | None) -> list[str]:
    """Return the lines of the table."""
    ours, duck = Ours(home), Duck(peer, home, os.cpu_count() or 1) if peer else None
    people, (orders, lines) = len(ours.ids(10**9)), open_history(ours.settings).counts()
    found = ours.ask()[0]
    if duck:
        assert duck.ask()[0] == found, "the two must count the same"
    mine, theirs = [], []
    for _ in range(REPEATS):
        mine.append(ours.ask())
        if duck:
            theirs.append(duck.ask())
    explained = sorted(1000 * ours.explain(who) for who in ours.ids(21))
    ratios = sorted(b[1] / a[1] for a, b in zip(mine, theirs, strict=False))
    cells = [f"{people:,}", f"{orders:,}", f"{lines:,}", f"{found:,}"]
    cells += [f"{statistics.median(each[1] for each in mine):.3f}", f"{statistics.median(e[2] for e in mine):.2f}"]
    if duck:
        cells += [f"{statistics.median(e[1] for e in theirs):.3f}", f"{statistics.median(e[2] for e in theirs):.2f}"]
        cells.append(f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
        duck.close()
    else:
        cells += ["-", "-", "-"]
    cells += [f"{statistics.median(explained):.1f}", f"{explained[-1]:.1f}"]
    return ["| " + " | ".join(cells) + " |"]


def report(rows: list[str], command: str) -> str:
    """Return the page."""
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    head = (
        f"{datetime.now(UTC):%Y-%m-%d}, commit {done.stdout.strip() or 'unknown'}, {platform.machine()}, "
        f"{os.cpu_count()} cores shared with others, Python {platform.python_version()}, Polars {pl.__version__}; "
        f"DuckDB of benchmarks/peers/duckdb.lock. Data: the simulated city, seed 3, history ending 2026-03-01. "
        f"Command: `{command}`."
    )
    return "\n".join(
        [
            "# How long a segment takes",
            "",
            head,
            "",
            "Five clauses, two of them event windows (orders of 90 days, main dishes of 60); ours and DuckDB in turn,",
            "five times after a warm-up. Ratio: DuckDB's seconds over ours, above 1 where ours is faster.",
            "",
            "| customers | orders | lines | found | ours s | ours CPU s | DuckDB s | DuckDB CPU s | ratio (range) | "
            "explain ms | slowest |",
            "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
            *rows,
            "",
            LIMITS,
            "",
        ]
    )


def main() -> None:
    """Measure, print, and in full keep the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--make", type=Path, help="write a home of 1 M customers there and stop")
    parser.add_argument("--home", type=Path, action="append", help="a home made before; repeat for more sizes")
    parser.add_argument("--customers", type=int, default=1_000_000, help="how many --make writes")
    parser.add_argument("--peer", help="the interpreter that has duckdb")
    given = parser.parse_args()
    if given.make:
        make(given.make, given.customers)
        return
    if given.quick or not given.home:
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), 5_000)
            print(report(measure(Path(folder), given.peer), "python -m benchmarks.segments --quick"))
        return
    rows = [row for home in given.home for row in measure(home, given.peer)]
    page = report(rows, "python -m benchmarks.segments --home HOME --peer DUCKDB_PYTHON")
    print(page)
    RESULT.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
