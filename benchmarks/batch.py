"""How many customers a second get their 50 best dishes, beside implicit's threaded top-k on the same factors.

    python -m benchmarks.batch               makes and trains a home of 200 k customers x 20 k dishes first: minutes
    python -m benchmarks.batch --home DIR    a trained home, nothing made
    python -m benchmarks.batch --quick       2 k customers x 500 dishes, under a minute, nothing written

Ours and implicit work in turn in one process, two threads each, five times after a warm-up; their lists must agree.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse

from benchmarks.measured import Cost, circumstances, ratios, run
from benchmarks.training import HistoryShape, make
from engine.artifact import live_version, load
from engine.history.tables import read_table
from engine.models.als import Als
from engine.models.baskets import user_items
from engine.models.kernels.nearest import Nearest
from engine.recommend.batch.everyone import ZoneMasks, best_by_factors, best_by_models
from engine.recommend.batch.list_file import PART
from engine.recommend.catalog.catalog import Catalog, catalog_of
from engine.recommend.published.model import PublishedModel, open_published
from engine.runtime.threads import one_blas_thread
from engine.settings import Settings

RESULT = Path(__file__).parent / "results" / "batch.md"
THREADS, TOP, REPEATS = 2, 50, 5
FULL, QUICK = HistoryShape(4_000_000, 200_000, 20_000), HistoryShape(60_000, 2_000, 500)
# The served way is asked of so many customers a turn: each takes near half a millisecond.
SERVED = 4_000
# Less than this share of the places may hold another dish: products that float32 rounds differently.
MOST_OTHERS = 0.002
LIMITS = """\
What limits it (one core, factors of a trained home with 20 k dishes, parts timed alone): of about 31 us a customer some
12 are products with dishes that can still matter (half of all: dishes lie by falling length, and a block of customers
stops where no product can reach anybody's list; all 20 k take 24), 2 are looking for values worth keeping, and most
of the rest is keeping them in a heap of 50. Folding a customer in, a Cholesky factorisation of 64 x 64, takes 15 more;
with the menus of zones, a few hundred dishes each, it is the larger part. The served way asks every model and the
ranker, as a request does, and shares the customers out among processes."""


@dataclass(frozen=True, slots=True)
class Turns:
    """Each turn's cost of ours and of the rival's, for `customers` customers."""

    customers: int
    ours: list[Cost]
    theirs: list[Cost]

    def row(self, name: str) -> str:
        """Return a row of the table."""
        rates = [
            f"{self.customers / statistics.median(figures):,.0f}"
            for figures in (
                [c.seconds for c in self.ours],
                [c.cpu_s for c in self.ours],
                [c.seconds for c in self.theirs],
                [c.cpu_s for c in self.theirs],
            )
        ]
        # Seconds a customer the other way round: above 1 where ours is faster.
        over = ratios([c.seconds for c in self.theirs], [c.seconds for c in self.ours])
        cpu_over = ratios([c.cpu_s for c in self.theirs], [c.cpu_s for c in self.ours])
        return f"| {name} | {' | '.join(rates)} | {over} | {cpu_over} |"


def opened(home: Path) -> tuple[PublishedModel, Catalog]:
    """Return the live artifact of a home and its catalogue."""
    settings = Settings.from_environment({}, home=home)
    version = live_version(settings.artifacts_folder)
    assert version is not None, f"{home} was never trained"
    published = open_published(load(settings.artifacts_folder, version))
    items, vendors = read_table(settings, "items"), read_table(settings, "vendors")
    return published, catalog_of(published, items, vendors, timezone=settings.timezone)


def timed(work: Callable[[], object]) -> Cost:
    """Return what `work` costs in this process."""
    started, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - started, time.process_time() - cpu, 0.0)


def alternately(customers: int, ours: Callable[[], object], theirs: Callable[[], object], repeats: int) -> Turns:
    """Measure both in turn after a turn that does not count."""
    costs = [(timed(ours), timed(theirs)) for _ in range(repeats + 1)][1:]
    return Turns(customers, [mine for mine, _ in costs], [other for _, other in costs])


def rival_of(als: Als, vectors: np.ndarray) -> AlternatingLeastSquares:
    """Return implicit's model with these very factors."""
    rival = AlternatingLeastSquares(
        factors=als.item_factors.shape[1], regularization=als.regularization, alpha=als.alpha, num_threads=THREADS
    )
    rival.item_factors, rival.user_factors = np.array(als.item_factors), vectors
    return rival


def same_lists(ours: tuple[np.ndarray, np.ndarray], theirs: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the share of places with the same dish.

    Raises AssertionError where products differ by more than rounding, or more places than rounding explains.
    """
    scale = float(np.abs(theirs[1]).max())
    assert np.abs(ours[1] - theirs[1]).max() <= 1e-5 * scale, "the two rank by different products"
    same = float((ours[0] == theirs[0]).mean())
    assert same >= 1 - MOST_OTHERS, f"only {same:.4f} of the places hold the same dish"
    return same


def measure(published: PublishedModel, catalog: Catalog, repeats: int, sampled: int) -> tuple[list[str], float]:
    """Return the table's rows and the share of places that hold the same dish on both sides."""
    als = next(model for model in published.models if isinstance(model, Als))
    counts = sparse.csr_matrix(user_items(published.baskets))
    n = counts.shape[0]
    everybody, rows = np.arange(n), range(n)
    # Everything may be shown, as implicit shows it.
    open_to_all = ZoneMasks(
        published, replace(catalog, vendors=[None] * len(catalog.vendors), available=np.ones(als.n_items, dtype=bool))
    )
    by_zone = ZoneMasks(published, catalog)
    vectors = rival_of(als, np.empty((0, 0), np.float32)).recalculate_user(everybody, counts)
    rival = rival_of(als, vectors)

    def ours() -> tuple[np.ndarray, np.ndarray]:
        return Nearest.of(als.item_factors).best(vectors, TOP, threads=THREADS)

    def theirs() -> tuple[np.ndarray, np.ndarray]:
        found: tuple[np.ndarray, np.ndarray] = rival.recommend(everybody, None, N=TOP, filter_already_liked_items=False)
        return found

    def theirs_folded() -> None:
        rival.recommend(everybody, counts, N=TOP, filter_already_liked_items=False, recalculate_user=True)

    def ours_folded(menus: ZoneMasks) -> None:
        for first in range(0, n, PART):
            best_by_factors(published, menus, rows[first : first + PART], top=TOP, threads=THREADS)

    same = same_lists(ours(), theirs())
    topk = alternately(n, ours, theirs, repeats)
    folded = alternately(n, lambda: ours_folded(open_to_all), theirs_folded, repeats)
    # The rival knows no zones: it is measured as before, over all dishes.
    zoned = alternately(n, lambda: ours_folded(by_zone), theirs_folded, repeats)
    at_s = int(datetime.fromisoformat(published.manifest["data"]["last_at"]).timestamp())
    some = rows[: min(sampled, n)]
    ranked = [timed(lambda: best_by_models(published, by_zone, some, top=TOP, at_s=at_s)) for _ in range(repeats + 1)][
        1:
    ]
    rate, cpu_rate = (
        f"{len(some) / statistics.median(figures):,.0f}"
        for figures in ([c.seconds for c in ranked], [c.cpu_s for c in ranked])
    )
    return [
        topk.row("top-k alone, the customers' factors given"),
        folded.row("customers folded in, then top-k"),
        zoned.row("the same, of what their zone is delivered"),
        f"| the served way (all models and the ranker), one process | {rate} | {cpu_rate} | - | - | - | - |",
    ], same


def commands(home: Path, folder: Path) -> list[str]:
    """Return rows of what the whole command costs, reading and writing included."""
    rows = []
    for model in ("als", "served"):
        words = ["recommend", "everyone", "--model", model, "--top", str(TOP), "--home", str(home), "--json"]
        entry = "from cli.main import run; run()"
        cost, _ = run([sys.executable, "-c", entry, *words, "--out", str(folder / f"{model}.parquet")])
        size = (folder / f"{model}.parquet").stat().st_size / 1e6
        rows.append(
            f"| `recommend everyone --model {model}` | {cost.seconds:.1f} | {cost.cpu_s:.1f} | {cost.peak_mb:,.0f} "
            f"| {size:,.0f} |"
        )
    return rows


def report(published: PublishedModel, rows: Sequence[str], same: float, whole: Sequence[str], command: str) -> str:
    """Return the page."""
    data = published.manifest["data"]
    about = (
        f"{data['customers']:,} customers x {data['items']:,} dishes, {data['lines']:,} order lines of the simulated "
        f"city; lists of {TOP}; {THREADS} threads each but for the served way. {same:.3%} of the places hold the same "
        "dish (the rest differ in the last bit of a product). Target: at least 1.0 of implicit."
    )
    lines = [
        "# The best dishes of every customer",
        "",
        circumstances(command, "regulars", "implicit", "numpy", "numba"),
        "",
        about,
        "",
        "| what | ours, customers/s | per CPU s | implicit, customers/s | per CPU s | ours over implicit | by CPU s |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *rows,
        "",
        "| the whole command, reading and writing included | seconds | CPU s | peak RSS of a process, MiB | file MB |",
        "|---|---:|---:|---:|---:|",
        *whole,
        "",
        LIMITS,
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and in full keep the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--home", type=Path, help="a trained home")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    shape = QUICK if given.quick else FULL
    if given.make:
        make(given.make, shape)
        return
    one_blas_thread()
    with tempfile.TemporaryDirectory(prefix="regulars-batch-") as folder:
        home = given.home or Path(folder) / "home"
        quick = ["--quick"] * given.quick
        if given.home is None:
            home.mkdir()
            making = [sys.executable, "-m", "benchmarks.batch", "--make", str(home), *quick]
            subprocess.run(making, check=True)
            run([sys.executable, "-c", "from cli.main import run; run()", "train", "--home", str(home), "--json"])
        published, catalog = opened(home)
        rows, same = measure(published, catalog, 1 if given.quick else REPEATS, 300 if given.quick else SERVED)
        whole = commands(home, Path(folder))
    words = [*quick, *["--home HOME"] * (given.home is not None)]
    page = report(published, rows, same, whole, " ".join(["python -m benchmarks.batch", *words]))
    print(page)
    if not given.quick:
        RESULT.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
