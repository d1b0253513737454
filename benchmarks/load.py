"""Driving a server from another process: as fast as it goes by wrk, and at a steady rate counted from when it was due.

Run as `python -m benchmarks.load` it is that other process for the steady rate: a task as JSON on standard input,
latencies on standard output.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

CONNECTIONS = 16
# Requests between two collections of young garbage at the steady rate: half a millisecond each.
YOUNG = 200
WRK = """
local ids = {{}}
for line in io.lines({ids}) do ids[#ids + 1] = line end
local headers = {{["Content-Type"] = "application/json", ["Authorization"] = "Bearer {key}"}}
math.randomseed({seed})
request = function()
  local id = ids[math.random(#ids)]
  return wrk.format("POST", "/v1/recommend/dishes", headers, '{{"customer_id":"' .. id .. '","limit":10}}')
end
"""


@dataclass(frozen=True)
class Target:
    """A server, the key it takes and the customers it is asked for."""

    port: int
    key: str
    customers: list[str]

    @property
    def url(self) -> str:
        """Where dishes are asked for."""
        return f"http://127.0.0.1:{self.port}/v1/recommend/dishes"


def saturate(target: Target, seconds: float, *, seed: int = 1) -> float:
    """Return the requests a second that 16 connections get answered, by wrk in a process of its own.

    Raises RuntimeError for an answer that is no success.
    """
    with tempfile.TemporaryDirectory() as folder:
        ids, script = Path(folder) / "ids", Path(folder) / "ask.lua"
        ids.write_text("\n".join(target.customers), encoding="utf-8")
        script.write_text(WRK.format(ids=json.dumps(str(ids)), key=target.key, seed=seed), encoding="utf-8")
        wrk = shutil.which("wrk") or "wrk"
        command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "-s", str(script)]
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{target.port}"], capture_output=True, text=True, check=True
        ).stdout
    if "Non-2xx" in done or "Socket errors" in done:
        raise RuntimeError(done)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done)
    assert rate is not None
    return float(rate.group(1))


@dataclass(frozen=True)
class Late:
    """Latencies in ms with the second at which each was due, in the order of answers; and how many failed."""

    at: list[float]
    ms: list[float]
    failed: int

    def percentile(self, q: float, since: float = 0.0, until: float = float("inf")) -> float:
        """Return the q-th percentile of the requests due in that stretch."""
        chosen = sorted(ms for at, ms in zip(self.at, self.ms, strict=True) if since <= at < until)
        return chosen[min(len(chosen) - 1, int(len(chosen) * q / 100))]


def steady(target: Target, rate: float, seconds: float) -> Late:
    """Drive at `rate` a second from a process of its own."""
    return finish(start_steady(target, rate, seconds))


def start_steady(target: Target, rate: float, seconds: float) -> subprocess.Popen[str]:
    """Begin to drive at `rate`; `finish` collects."""
    task = {"url": target.url, "key": target.key, "customers": target.customers, "rate": rate, "seconds": seconds}
    command = [sys.executable, "-m", "benchmarks.load"]
    driver = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert driver.stdin is not None
    driver.stdin.write(json.dumps(task))
    driver.stdin.close()
    return driver


def finish(driver: subprocess.Popen[str]) -> Late:
    """Wait for a driver and return what it saw."""
    assert driver.stdout is not None
    found = json.loads(driver.stdout.read())
    if driver.wait():
        raise RuntimeError("the load generator failed")
    return Late(**found)


async def _drive(url: str, key: str, customers: list[str], rate: float, seconds: float) -> Late:
    rng = random.Random(7)
    at: list[float] = []
    late: list[float] = []
    failed = 0

    async def one(session: aiohttp.ClientSession, due: float) -> None:
        nonlocal failed
        try:
            async with session.post(url, json={"customer_id": rng.choice(customers), "limit": 10}) as answer:
                await answer.read()
                failed += answer.status != 200
        except aiohttp.ClientError:
            failed += 1
        at.append(due - start)
        late.append((time.perf_counter() - due) * 1000)

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}, connector=connector) as session:
        start, running = time.perf_counter(), set[asyncio.Task[None]]()
        # This process's own full collections of garbage, up to 100 ms each, would be taken for the server's lateness.
        gc.disable()
        for i in range(int(rate * seconds)):
            due = start + i / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            task = asyncio.create_task(one(session, due))
            running.add(task)
            task.add_done_callback(running.discard)
            if i % YOUNG == 0:
                gc.collect(0)
        await asyncio.gather(*running)
    return Late(at, late, failed)


@contextmanager
def process(command: list[str], **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command for as long as the block lasts."""
    started = subprocess.Popen(command, env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield started
    finally:
        started.terminate()
        started.wait(20)


def wait_for(url: str, seconds: float = 120.0) -> None:
    """Wait until something answers, even with a refusal."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=1)  # noqa: S310
        except urllib.error.HTTPError as refusal:
            if refusal.code != 503:
                return
            time.sleep(0.2)
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(url)


def memory_of(pid: int) -> dict[str, int]:
    """Return bytes of a process and its children: resident, shared out fairly (PSS), and private."""
    total = {"Rss": 0, "Pss": 0, "Private_Dirty": 0}
    for one in (pid, *children_of(pid)):
        for line in Path(f"/proc/{one}/smaps_rollup").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name in total:
                total[name] += int(value.split()[0]) * 1024
    return total


def cpu_of(pid: int) -> float:
    """Return the seconds of CPU a process has taken so far, its threads included and its children not."""
    told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def children_of(pid: int) -> list[int]:
    """Return the process's children and theirs."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text(encoding="utf-8").split():
            found += [int(child), *children_of(int(child))]
    return found


if __name__ == "__main__":
    seen = asyncio.run(_drive(**json.load(sys.stdin)))
    print(json.dumps({"at": seen.at, "ms": seen.ms, "failed": seen.failed}))
