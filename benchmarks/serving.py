"""How many recommendations a second, and how late, beside a bare FastAPI route with the same Redis trip and bytes?

    python -m benchmarks.serving            a city of 20,000 customers; results in benchmarks/results/serving.md
    python -m benchmarks.serving --quick    2,000 customers, one short round, nothing written

One worker each, the real server with real Redis on loopback, driven by a second process: saturation with 16 requests in
flight, then latency at a steady rate of half of it, counted from when a request was due (no coordinated omission).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from fastapi import FastAPI, Request
from fastapi.responses import Response
from redis.asyncio import Redis

from api.keys import create_key
from demo.city import write_city
from engine.database import connect, transaction
from engine.intake import import_files
from engine.settings import Settings
from training.run import train

RESULT = Path(__file__).parent / "results" / "serving.md"
UNTIL = datetime(2026, 3, 1, tzinfo=UTC)
IN_FLIGHT = 16
BARE_PORT, OURS_PORT, REDIS_PORT = 18731, 18732, 18733
ANSWER = json.dumps(
    {"items": [{"item_id": f"d-{i:07d}", "score": 0.5, "reason": "x" * 60} for i in range(10)]}
).encode()


def bare() -> Any:
    """Return the floor: FastAPI, one ZRANGE, ready bytes."""
    app = FastAPI()
    redis: Redis = Redis.from_url(f"redis://127.0.0.1:{REDIS_PORT}/0")

    @app.post("/v1/recommend/dishes")
    async def dishes(request: Request) -> Response:
        body = json.loads(await request.body())
        await redis.zrange(f"regulars:recent:{{{body['customer_id']}}}", 0, -1)
        return Response(ANSWER, media_type="application/json")

    return app


async def saturate(url: str, key: str, customers: list[str], seconds: float) -> float:
    """Return requests a second with IN_FLIGHT always under way."""
    done = 0
    end = time.perf_counter() + seconds

    async def one_after_another(session: aiohttp.ClientSession, rng: random.Random) -> None:
        nonlocal done
        while time.perf_counter() < end:
            async with session.post(url, json={"customer_id": rng.choice(customers), "limit": 10}) as answer:
                await answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"{url}: {answer.status} {await answer.text()}")
            done += 1

    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session:
        started = time.perf_counter()
        await asyncio.gather(*(one_after_another(session, random.Random(i)) for i in range(IN_FLIGHT)))
        return done / (time.perf_counter() - started)


async def steady(url: str, key: str, customers: list[str], rate: float, seconds: float) -> list[float]:
    """Return sorted latencies in ms at `rate` a second, each from the instant it was due."""
    rng = random.Random(7)
    late: list[float] = []

    async def one(session: aiohttp.ClientSession, due: float) -> None:
        async with session.post(url, json={"customer_id": rng.choice(customers), "limit": 10}) as answer:
            await answer.read()
        late.append((time.perf_counter() - due) * 1000)

    async with aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {key}"}, connector=aiohttp.TCPConnector(limit=0)
    ) as session:
        start, running = time.perf_counter(), set()
        for i in range(int(rate * seconds)):
            due = start + i / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            running.add(asyncio.create_task(one(session, due)))
        await asyncio.gather(*running)
    return sorted(late)


@contextmanager
def process(command: list[str], **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command for as long as the block lasts."""
    started = subprocess.Popen(command, env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield started
    finally:
        started.terminate()
        started.wait(20)


def prepare(home: Path, customers: int) -> tuple[Settings, str, list[str]]:
    """Simulate, import and train; return the settings, a key and customer ids."""
    settings = Settings.from_environment({"REGULARS_TIMEZONE": "Asia/Shanghai", "REGULARS_CURRENCY": "CNY"}, home=home)
    written = write_city(home / "city", customers, seed=1, until=UNTIL)
    now = datetime.now(UTC)
    for kind, names in (
        ("customers", ["customers"]),
        ("items", ["items"]),
        ("vendors", ["vendors"]),
        ("orders", ["orders", "lines"]),
    ):
        import_files(settings, kind, [path for name in names for path in written.files[name]], None, now=now)
    train(settings, now=now)
    engine = connect(settings)
    with transaction(engine) as session:
        _, key = create_key(session, now, name="benchmark", scopes=["recommend"], actor="benchmark")
    engine.dispose()
    return settings, key, [f"c-{i:07d}" for i in range(0, customers, max(1, customers // 1000))]


def drive(url: str, key: str, customers: list[str], rate: float, seconds: float) -> dict[str, float]:
    """Drive a server from a process of its own and return its figures."""
    task = {"url": url, "key": key, "customers": customers, "rate": rate, "seconds": seconds}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.serving", "--drive"],
        input=json.dumps(task),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def driver() -> None:
    """The second process: read the task, drive, print."""
    task = json.load(sys.stdin)
    if not task["rate"]:
        rate = asyncio.run(saturate(task["url"], task["key"], task["customers"], task["seconds"]))
        print(json.dumps({"rate": rate}))
        return
    late = asyncio.run(steady(task["url"], task["key"], task["customers"], task["rate"], task["seconds"]))
    print(json.dumps({f"p{q}": late[min(len(late) - 1, int(len(late) * q / 100))] for q in (50, 99, 99.9)}))


def wait_for(url: str) -> None:
    """Wait until something listens."""
    import urllib.error  # noqa: PLC0415
    import urllib.request  # noqa: PLC0415

    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=1)  # noqa: S310
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(url)


def main() -> int:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--drive", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drive:
        driver()
        return 0
    if shutil.which("redis-server") is None:
        print("SKIPPED: redis-server is not installed", file=sys.stderr)
        return 0
    customers, rounds, seconds = (2_000, 1, 3.0) if options.quick else (20_000, 5, 5.0)
    with tempfile.TemporaryDirectory(prefix="regulars-serving-") as folder:
        settings, key, ids = prepare(Path(folder), customers)
        redis_url = f"redis://127.0.0.1:{REDIS_PORT}/0"
        redis = ["redis-server", "--port", str(REDIS_PORT), "--save", "", "--appendonly", "no"]
        server = [sys.executable, "-c", "from cli.main import run; run()", "serve", "--port", str(OURS_PORT)]
        floor = [
            sys.executable,
            "-m",
            "uvicorn",
            "--factory",
            "benchmarks.serving:bare",
            "--port",
            str(BARE_PORT),
            "--log-level",
            "warning",
        ]
        with (
            process(redis),
            process(
                [*server, "--home", str(settings.home)], REGULARS_REDIS_URL=redis_url, REGULARS_TIMEZONE="Asia/Shanghai"
            ),
            process([*floor, "--no-access-log"]),
        ):
            urls = {
                "ours": f"http://127.0.0.1:{OURS_PORT}/v1/recommend/dishes",
                "bare": f"http://127.0.0.1:{BARE_PORT}/v1/recommend/dishes",
            }
            wait_for(f"http://127.0.0.1:{OURS_PORT}/health/ready")
            wait_for(f"http://127.0.0.1:{BARE_PORT}/openapi.json")
            rates: dict[str, list[float]] = {"ours": [], "bare": []}
            for turn in range(rounds + 1):  # the first is the warm-up
                for name, url in urls.items():
                    found = drive(url, key, ids, 0, seconds)["rate"]
                    if turn or options.quick:
                        rates[name].append(found)
            half = statistics.median(rates["ours"]) / 2
            late = drive(urls["ours"], key, ids, half, seconds * 2)
    ratios = [ours / floor_rate for ours, floor_rate in zip(rates["ours"], rates["bare"], strict=True)]
    row = (
        f"| {customers:,} | {statistics.median(rates['ours']):.0f} | {statistics.median(rates['bare']):.0f} | "
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) | {half:.0f} | {late['p50']:.1f} | "
        f"{late['p99']:.1f} | {late['p99.9']:.1f} |"
    )
    table = (
        "| customers | ours, requests/s | bare FastAPI + Redis | ratio (range) | steady rate/s | p50 ms | p99 ms "
        "| p99.9 ms |\n"
        f"|---:|---:|---:|---:|---:|---:|---:|---:|\n{row}\n"
    )
    print(table)
    if not options.quick:
        made = f"{datetime.now(UTC):%Y-%m-%d}, `python -m benchmarks.serving`, {platform.machine()}"
        on = f"2 cores shared with the load generator and Redis, Python {platform.python_version()}"
        head = f"# Serving dishes\n\n{made}, {on}, one worker, simulated city (seed 1).\n\n"
        RESULT.write_text(head + table, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
