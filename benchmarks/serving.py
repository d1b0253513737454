"""How many recommendations a second, how late, in how much memory, beside a bare FastAPI route with Redis?

    python -m benchmarks.serving              1 M customers x 50 k dishes; results in benchmarks/results/serving.md
    python -m benchmarks.serving --home DIR   the same on a home made before (it is made there when DIR is empty)
    python -m benchmarks.serving --quick      2,000 customers, one short round, nothing written

One worker each, the real server with real Redis on loopback, driven by wrk from another process with a random customer
each time. The bare route parses the body, asks Redis the same question and returns bytes as long as ours.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import platform
import random
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from redis.asyncio import Redis

from benchmarks.bare import BYTES, REDIS
from benchmarks.load import (
    QUESTION,
    Late,
    LoadTarget,
    cpu_of,
    finish,
    memory_of,
    process,
    saturate,
    start_steady,
    steady,
    wait_for,
)
from demo.city import write_city
from demo.world import CityScale
from engine.artifact import MANIFEST, activate, live_version, load
from engine.database.keys import create_key
from engine.database.session import connect, transaction
from engine.events.event import Event
from engine.events.online.in_redis import RedisStore
from engine.imports.intake import import_files
from engine.imports.mapping import ImportKind
from engine.recommend.published.model import open_published
from engine.settings import Settings
from training.data.split import Fold, Split, sample
from training.learn.ranker import Growing, examples_of, grow
from training.learn.stack import hold_out
from training.run import load_training_set, train

RESULT = Path(__file__).parent / "results" / "serving.md"
UNTIL = datetime(2026, 3, 1, tzinfo=UTC)
FULL = CityScale(1_000_000, 2_500, 333, 20)
QUICK = CityScale(2_000, 60, 8, 10)
BARE_PORT, OURS_PORT, REDIS_PORT = 18731, 18732, 18733
REDIS_URL = f"redis://127.0.0.1:{REDIS_PORT}/0"
ASKED = 20_000
ROUNDS, SECONDS = 5, 6.0
# Runs at half of the load, of twice the seconds.
LATE_ROUNDS = 3
# Versions taken in under load; how long each time is driven, and when the other one is made live.
SWAPS, SWAP_SECONDS, SWAP_AT = 6, 20.0, 8.0
LIMITS = "## What limits it"


def prepare(home: Path, scale: CityScale) -> Settings:
    """Simulate, import and train, unless the home has a version already."""
    settings = Settings.from_environment({"REGULARS_TIMEZONE": "Asia/Shanghai", "REGULARS_CURRENCY": "CNY"}, home=home)
    if live_version(settings.artifacts_folder) is not None:
        return settings
    now = datetime.now(UTC)
    if not settings.history_folder.exists():
        written = write_city(home / "city", scale, seed=1, until=UNTIL)
        kinds: dict[ImportKind, list[str]] = {
            "customers": ["customers"],
            "items": ["items"],
            "vendors": ["vendors"],
            "orders": ["orders", "lines"],
        }
        for kind, names in kinds.items():
            import_files(settings, kind, [path for name in names for path in written.files[name]], None, now=now)
    train(settings, now=now)
    return settings


def make_key(settings: Settings) -> str:
    """Return a new key that may ask."""
    engine = connect(settings)
    with transaction(engine) as session:
        _, key = create_key(session, datetime.now(UTC), name="benchmark", scopes=["recommend"], actor="benchmark")
    engine.dispose()
    return key


def ranked_version(settings: Settings, base: str) -> str:
    """Write a copy of a version with a ranker that serves everybody; taught here where the version has none.

    That the blend ranks as well is no reason to measure only the blend.
    """
    arrays = {"serves": np.array([True, True])}
    if not (settings.artifacts_folder / base / "ranker.trees.npy").exists():
        data = load_training_set(settings)
        split = hold_out(data, 28)
        published = open_published(load(settings.artifacts_folder, base))
        targets = sample(split.targets, 4_000, np.random.default_rng(1))
        fold = Fold(published.models, Split(data.baskets, targets, data.last_at))
        examples = examples_of([fold], published.blend, seed=1)
        assert examples is not None
        arrays = dict(grow(examples, Growing(), seed=1).arrays())
    return variant(settings, base, "ranker", {f"ranker.{name}.npy": array for name, array in arrays.items()})


def variant(settings: Settings, base: str, name: str, changed: dict[str, Any]) -> str:
    """Write a copy of a version with other arrays (None: without them) and return its name."""
    folder = settings.artifacts_folder / f"{base}-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    manifest = json.loads((folder.parent / base / MANIFEST).read_bytes())
    for file in (folder.parent / base).iterdir():
        if file.name not in {MANIFEST, *changed}:
            os.link(file, folder / file.name)
    for file_name, array in changed.items():
        manifest["files"].pop(file_name, None)
        if array is not None:
            np.save(folder / file_name, array)
            manifest["files"][file_name] = hashlib.sha256((folder / file_name).read_bytes()).hexdigest()
    manifest["version"] = folder.name
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return folder.name


def serve(settings: Settings, workers: int = 1) -> Any:
    """Start our server."""
    command = [sys.executable, "-c", "from cli.main import run; run()", "serve", "--port", str(OURS_PORT)]
    command += ["--home", str(settings.home), "--workers", str(workers)]
    return process(command, REGULARS_REDIS_URL=REDIS_URL, REGULARS_TIMEZONE="Asia/Shanghai")


def wait_ready() -> None:
    """Wait until our server answers with a model."""
    wait_for(f"http://127.0.0.1:{OURS_PORT}/health/ready", 600)


def one_answer(target: LoadTarget) -> bytes:
    """Return the bytes of one answer of ours."""
    request = urllib.request.Request(  # noqa: S310
        target.url,
        QUESTION.replace("WHO", target.customers[0]).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {target.key}"},
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return bytes(answer.read())


@dataclass(frozen=True, slots=True)
class Round:
    """One turn of ours and one of the bare route: requests a second, and microseconds of the server's CPU for each."""

    ours: float
    bare: float
    ours_us: float
    bare_us: float

    @property
    def ratio(self) -> float:
        """How much of the bare route's rate ours has."""
        return self.ours / self.bare


def throughput(ours: LoadTarget, server: int, rounds: int, seconds: float) -> list[Round]:
    """Return the rounds, ours (process `server`) and bare in turn, after a warm-up."""

    def turn(target: LoadTarget, pid: int, seed: int) -> tuple[float, float]:
        before = cpu_of(pid)
        rate = saturate(target, seconds, seed=seed)
        return rate, (cpu_of(pid) - before) / (rate * seconds) * 1e6

    with tempfile.NamedTemporaryFile() as ready:
        ready.write(one_answer(ours))
        ready.flush()
        floor = [sys.executable, "-m", "uvicorn", "--factory", "benchmarks.bare:bare", "--port", str(BARE_PORT)]
        floor += ["--log-level", "warning", "--no-access-log"]
        with process(floor, **{BYTES: ready.name, REDIS: REDIS_URL}) as bare_server:
            wait_for(f"http://127.0.0.1:{BARE_PORT}/openapi.json")
            bare_target = LoadTarget(BARE_PORT, ours.key, ours.customers)
            found = []
            for number in range(rounds + 1):
                (mine, mine_us), (floor_rate, floor_us) = (
                    turn(ours, server, number),
                    turn(bare_target, bare_server.pid, number),
                )
                found.append(Round(mine, floor_rate, mine_us, floor_us))
    return found[1:] if rounds > 1 else found


@dataclass(frozen=True, slots=True)
class Swap:
    """One version taken in at a steady rate: p99 in ms before and while it was, and how many seconds that took."""

    failed: int
    before: float
    during: float
    took: float

    @property
    def told(self) -> str:
        """The two p99, and the seconds."""
        return f"{self.before:.1f} to {self.during:.1f} in {self.took:.1f} s"


def swap_under_load(settings: Settings, ours: LoadTarget, version: str, rate: float) -> Swap:
    """Make another version live while requests come at a steady rate."""
    driver = start_steady(ours, rate, SWAP_SECONDS)
    time.sleep(SWAP_AT)
    begun = time.perf_counter()
    activate(settings.artifacts_folder, version)
    while json.loads(one_answer(ours))["model_version"] != version:
        time.sleep(0.05)
    took = time.perf_counter() - begun
    late = finish(driver)
    # The driver's clock starts a little after ours: half a second of slack on both sides.
    return Swap(
        late.failed,
        late.percentile(99, 1.0, SWAP_AT - 1.0),
        late.percentile(99, SWAP_AT - 0.5, SWAP_AT + 0.5 + took),
        took,
    )


def swap_lines(settings: Settings, ours: LoadTarget, versions: Sequence[str], rate: float, times: int) -> list[str]:
    """Return how `times` swaps there and back went."""
    activate(settings.artifacts_folder, versions[0])
    with serve(settings):
        wait_ready()
        saturate(ours, SECONDS)
        found = [swap_under_load(settings, ours, versions[(n + 1) % 2], rate) for n in range(times)]
    within = sum(each.during <= 2 * each.before for each in found)
    return [
        f"- {times} swaps at {rate:.0f} requests/s: {sum(each.failed for each in found)} failed; p99 in ms before, and "
        f"while the new version was read and taken in: {', '.join(each.told for each in found)}; "
        f"{within} of {times} within twice."
    ]


def redis_bytes(customers: int = 20_000) -> tuple[float, float]:
    """Return the bytes a customer takes in Redis: with five orders of two dishes, and with 20 impressions besides."""

    async def measure() -> tuple[float, float]:
        redis: Redis = Redis.from_url(REDIS_URL)
        await redis.flushall()
        empty = (await redis.info("memory"))["used_memory"]
        store, sizes = RedisStore(REDIS_URL), []
        for kind, many in (("order", 5), ("impression", 20)):
            for first in range(0, customers, 500):
                await store.fold(_events(kind, many, range(first, first + 500)))
            sizes.append(((await redis.info("memory"))["used_memory"] - empty) / customers)
        await redis.flushall()
        await store.close()
        await redis.aclose()
        return sizes[0], sizes[1]

    return asyncio.run(measure())


def _events(kind: str, many: int, customers: range) -> list[Event]:
    now, rng = datetime.now(UTC), random.Random(customers.start)
    found = []
    for customer in customers:
        for n in range(many):
            seq = customer * 100 + n + (50 if kind == "impression" else 0) + 1
            dish = f"d-{rng.randrange(50_000):07d}"
            told: dict[str, Any] = {"item_id": dish, "request_id": f"r{seq}", "slot": n, "propensity": 1.0}
            if kind == "order":
                lines = [{"item_id": f"d-{rng.randrange(50_000):07d}", "quantity": 1} for _ in range(2)]
                told = {"order_id": f"o-{seq}", "status": "delivered", "zone": "z-001", "items": lines}
            found.append(Event(f"e-{seq}", kind, f"c-{customer:07d}", now - timedelta(hours=n), told, seq))
    return found


def measured(settings: Settings, *, quick: bool) -> list[str]:
    """Return the Markdown of everything measured on the home."""
    rounds, seconds = (1, 3.0) if quick else (ROUNDS, SECONDS)
    key, base = make_key(settings), live_version(settings.artifacts_folder)
    assert base is not None
    manifest = json.loads((settings.artifacts_folder / base / MANIFEST).read_bytes())
    data = manifest["data"]
    rng = random.Random(1)
    known = [f"c-{rng.randrange(data['customers']):07d}" for _ in range(ASKED)]
    ours = LoadTarget(OURS_PORT, key, known)
    strangers = LoadTarget(OURS_PORT, key, [f"stranger-{n}" for n in range(ASKED)])
    ranked = ranked_version(settings, base)
    trees = [file.name for file in (settings.artifacts_folder / base).glob("ranker.*.npy")]
    versions = {"learned ranker": ranked, "blend": variant(settings, base, "blend", dict.fromkeys(trees))}
    lines = [
        f"{data['customers']:,} customers with orders, {data['items']:,} dishes, {data['lines']:,} order lines.\n",
        "| ordered by | ours, requests/s | bare FastAPI + Redis | ratio (range) | CPU a request, ours and bare, us "
        "| at half, a second | p50 ms | p99 ms | p99.9 ms | strangers, requests/s | p99 ms |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    halves: list[float] = []
    for name, version in versions.items():
        activate(settings.artifacts_folder, version)
        with serve(settings) as server:
            wait_ready()
            found = throughput(ours, server.pid, rounds, seconds)
            ratios = [each.ratio for each in found]
            rate = statistics.median(each.ours for each in found)
            halves.append(rate / 2)
            late = [steady(ours, rate / 2, 2 * seconds) for _ in range(1 if quick else LATE_ROUNDS)]
            new, late_new = saturate(strangers, seconds), steady(strangers, rate / 2, seconds)
        lines.append(
            f"| {name} | {rate:.0f} | {statistics.median(each.bare for each in found):.0f} | "
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) | "
            f"{statistics.median(each.ours_us for each in found):.0f}, "
            f"{statistics.median(each.bare_us for each in found):.0f} | {rate / 2:.0f} | "
            f"{spread(late, 50)} | {spread(late, 99)} | {spread(late, 99.9)} | {new:.0f} | "
            f"{late_new.percentile(99):.1f} |"
        )
        print(lines[-1], flush=True)
    lines += ["", *memory_lines(settings, ours, base, seconds)]
    # Half of what the slower of the two versions manages.
    lines += swap_lines(settings, ours, list(versions.values()), min(halves), 1 if quick else SWAPS)
    orders, impressions = redis_bytes(2_000 if quick else 20_000)
    lines.append(
        f"- Redis: {orders:,.0f} bytes a customer with 5 orders of 2 dishes not yet trained on, {impressions:,.0f} "
        f"with 20 impressions besides: {orders / 1000:.2f} and {impressions / 1000:.2f} GB for 1 M active customers."
    )
    activate(settings.artifacts_folder, base)
    print("\n".join(lines[-3:]), flush=True)
    return lines


def spread(late: Sequence[Late], q: float) -> str:
    """Return the median of several runs' q-th percentiles, and from where to where they reach."""
    found = sorted(each.percentile(q) for each in late)
    return f"{statistics.median(found):.1f} ({found[0]:.1f} to {found[-1]:.1f})"


def memory_lines(settings: Settings, ours: LoadTarget, version: str, seconds: float) -> list[str]:
    """Return what two workers take after load, beside the artifact they map."""
    mapped = sum(file.stat().st_size for file in (settings.artifacts_folder / version).glob("*.npy"))
    with serve(settings, workers=2) as server:
        wait_ready()
        saturate(ours, 2 * seconds)
        used = memory_of(server.pid)
    return [
        f"- Two workers after load: {used['Pss'] / 1e6:,.0f} MB resident (shared pages counted once), "
        f"{used['Private_Dirty'] / 1e6:,.0f} MB of it private; the artifact is {mapped / 1e6:,.0f} MB: "
        f"{used['Pss'] / mapped:.2f} times."
    ]


def main() -> int:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--home", type=Path, help="a home to measure on; made there when empty")
    options = parser.parse_args()
    for tool in ("redis-server", "wrk"):
        if shutil.which(tool) is None:
            print(f"SKIPPED: {tool} is not installed", file=sys.stderr)
            return 0
    load = os.getloadavg()[0]
    redis = ["redis-server", "--port", str(REDIS_PORT), "--save", "", "--appendonly", "no"]
    with tempfile.TemporaryDirectory(prefix="regulars-serving-") as folder, process(redis):
        settings = prepare(options.home or Path(folder), QUICK if options.quick else FULL)
        lines = measured(settings, quick=options.quick)
    if not options.quick:
        made = f"{datetime.now(UTC):%Y-%m-%d}, `python -m benchmarks.serving`, {platform.machine()}"
        on = f"2 cores shared with wrk and Redis, load average before {load:.2f}, Python {platform.python_version()}"
        head = f"# Serving dishes\n\n{made}, {on}, numpy {np.__version__}, one worker, simulated city (seed 1). "
        # What limits it is written by hand and stays until somebody finds another reason.
        before = RESULT.read_text(encoding="utf-8") if RESULT.exists() else ""
        reasons = before[before.find(LIMITS) :] if LIMITS in before else ""
        RESULT.write_text(head + "\n".join(lines) + f"\n\n{reasons}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
