"""At which catalogue size is an approximate index faster than looking at every dish that passes the filters?

    python -m benchmarks.catalogue_size --home DIR --peer PYTHON    results in benchmarks/results/catalogue_size.md
    python -m benchmarks.catalogue_size --home DIR --peer PYTHON --quick    two small sizes, nothing written

The version of DIR lends its dishes' 64 factors (drawn again with noise where more are wanted) and its customers. Each
is asked for alone, as requests are: their 150 best of all dishes, and of the twentieth that a place's vendors cook.
PYTHON is the interpreter of an environment made from benchmarks/peers/faiss.lock. Of its indexes, graphs (HNSW) over
products and over distances, and lists (IVF), the fastest counts that finds 95 in 100 of the exact answer, each with the
least effort that does, and with a bitmap for a filter. One thread each.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import circumstances
from engine.artifact import live_version, load
from engine.models.als import Als
from engine.models.arrays import FloatArray, IntArray, Rows
from engine.models.baskets import user_items
from engine.models.kernels.nearest import Nearest
from engine.recommend.batch.everyone import customers_of
from engine.recommend.published.model import open_published
from engine.runtime.threads import one_blas_thread
from engine.settings import Settings

RESULT = Path(__file__).parent / "results" / "catalogue_size.md"
SIZES, QUICK = (1_000, 5_000, 20_000, 50_000, 100_000, 200_000), (1_000, 5_000)
CUSTOMERS, BEST, ROUNDS = 400, 150, 3
MENU = 20
NOISE = 0.1
PEER = """
import json, sys, time
import faiss, numpy as np
told = np.load(sys.argv[1])
faiss.omp_set_num_threads(1)
dishes, customers, menu = (told[name] for name in ("dishes", "customers", "menu"))
n, width = dishes.shape
allowed = np.zeros((n + 7) // 8 * 8, bool)
allowed[menu] = True
bits = np.packbits(allowed, bitorder="little")

def graph(metric, points):
    index = faiss.IndexHNSWFlat(points.shape[1], 32, metric)
    index.hnsw.efConstruction = 100
    index.add(points)
    return index

def lists(points):
    count = int(4 * n**.5)
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, count, faiss.METRIC_INNER_PRODUCT)
    index.train(points)
    index.add(points)
    return index

# The greatest product as the least distance, which graphs are made for (Bachrach et al. 2014).
lengths = (dishes**2).sum(1)
longer = np.column_stack([dishes, np.sqrt(lengths.max() - lengths)]).astype(np.float32)
asking = np.column_stack([customers, np.zeros(len(customers))]).astype(np.float32)
efforts = (150, 300, 600, 1200, 2400)
probes = [count for count in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024) if count <= 4 * n**.5]
ways = {
    "HNSW": (lambda: graph(faiss.METRIC_INNER_PRODUCT, dishes), customers, efforts),
    "HNSW, distances": (lambda: graph(faiss.METRIC_L2, longer), asking, efforts),
    "IVF": (lambda: lists(dishes), customers, probes),
}
found = {}
for way, (build, queries, effort_steps) in ways.items():
    begun = time.process_time()
    index = build()
    built = time.process_time() - begun
    for name, selector in (("all", None), ("menu", faiss.IDSelectorBitmap(bits))):
        exact = told["exact_" + name]
        for effort in effort_steps:
            if way == "IVF":
                how = faiss.SearchParametersIVF(nprobe=effort, sel=selector)
            else:
                how = faiss.SearchParametersHNSW(efSearch=effort, sel=selector)
            took = []
            for _ in range(3):
                begun = time.process_time()
                got = [index.search(one[None], exact.shape[1], params=how)[1][0] for one in queries]
                took.append((time.process_time() - begun) / len(queries) * 1e6)
            recall = float(np.mean([len(np.intersect1d(one, own)) / len(own) for one, own in zip(got, exact)]))
            if recall >= .95:
                if name not in found or min(took) < found[name]["us"]:
                    found[name] = {"us": min(took), "recall": recall, "way": way, "build_s": built}
                break
print(json.dumps(found))
"""


def material(home: Path) -> tuple[FloatArray, FloatArray]:
    """Return (dishes, 64) factors and those of some customers. Raises StopIteration where there are none."""
    settings = Settings.from_environment({}, home=home)
    version = live_version(settings.artifacts_folder)
    assert version is not None
    published = open_published(load(settings.artifacts_folder, version, verify=False))
    als = next(model for model in published.models if isinstance(model, Als))
    customers = als.fold_in_all(Rows.of(user_items(customers_of(published.baskets, range(CUSTOMERS)))))
    return np.asarray(als.item_factors), customers[np.linalg.norm(customers, axis=1) > 0]


def grown(factors: FloatArray, size: int, rng: np.random.Generator) -> FloatArray:
    """Return `size` dishes' factors: some of them, or, beyond what there is, drawn again with a tenth of noise."""
    if size <= len(factors):
        return np.asarray(factors[rng.permutation(len(factors))[:size]], dtype=np.float32)
    drawn = factors[rng.integers(0, len(factors), size)]
    noise = rng.normal(size=drawn.shape) * drawn.std() * NOISE
    return np.asarray(drawn + noise, dtype=np.float32)


def exact(dishes: FloatArray, customers: FloatArray, menu: IntArray | None) -> tuple[IntArray, float]:
    """Return each one's best, and the microseconds of CPU it took to find them, one customer at a time."""
    nearest, took = Nearest.of(dishes, menu), []
    for _ in range(ROUNDS):
        begun = time.process_time()
        best = [nearest.best(customers[at : at + 1], BEST)[0][0] for at in range(len(customers))]
        took.append((time.process_time() - begun) / len(customers) * 1e6)
    return np.stack(best), min(took)


def line(factors: FloatArray, customers: FloatArray, size: int, peer: str) -> str:
    """Return the row of one catalogue size."""
    rng = np.random.default_rng(size)
    dishes = grown(factors, size, rng)
    menu = np.sort(rng.permutation(size)[: max(size // MENU, BEST)]).astype(np.int32)
    best, took = exact(dishes, customers, None)
    best_here, took_here = exact(dishes, customers, menu)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "told.npz"
        np.savez(file, dishes=dishes, customers=customers, menu=menu, exact_all=best, exact_menu=best_here)
        done = subprocess.run([peer, "-c", PEER, str(file)], check=True, capture_output=True, text=True)
    said = json.loads(done.stdout)
    cells = [f"{size:,}", f"{took:.0f}", told(said.get("all")), f"{took_here:.0f}", told(said.get("menu"))]
    return "| " + " | ".join(cells) + " |"


def told(way: dict[str, Any] | None) -> str:
    """Return the cell of the fastest index that finds enough."""
    if way is None:
        return "none finds .95"
    return f"{way['us']:.0f} ({way['way']}, recall {way['recall']:.2f}, built in {way['build_s']:.1f} s)"


def main() -> None:
    """Measure, print, and in full write the result page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--home", type=Path, required=True, help="a home with a trained version that has factors")
    parser.add_argument("--peer", required=True, help="an interpreter that has faiss")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    one_blas_thread()
    factors, customers = material(options.home)
    made = circumstances("python -m benchmarks.catalogue_size --home DIR --peer FAISS_PYTHON", "numpy", "numba")
    rows = [
        "# From which catalogue on an approximate index would be faster\n",
        f"{made} Faiss of benchmarks/peers/faiss.lock.\n",
        f"Microseconds of CPU for one customer's {BEST} best by {factors.shape[1]} factors.\n",
        f"| dishes | all, exact | all, index | a {MENU}th, exact | a {MENU}th, index |",
        "|---:|---:|---:|---:|---:|",
    ]
    for size in QUICK if options.quick else SIZES:
        rows.append(line(factors, customers, size, options.peer))
        print(rows[-1], file=sys.stderr)
    print("\n".join(rows))
    if not options.quick:
        written = RESULT.read_text(encoding="utf-8") if RESULT.exists() else ""
        kept = written[written.index("## What it says") :] if "## What it says" in written else ""
        RESULT.write_text("\n".join([*rows, "", kept]), encoding="utf-8")


if __name__ == "__main__":
    main()
