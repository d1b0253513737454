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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

CONNECTIONS = 16
# Connections at most: what a pool of them before the service would hold.
MOST_LINES = 512
# When late, requests sent before answers are read again.
TURN = 8
ANSWER_WITHIN_S = 60.0
LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
# The hour decides how many kitchens are open, and with it what an answer takes: half past twelve in the city, today.
QUESTION = f'{{"customer_id":"WHO","limit":10,"context":{{"at":"{datetime.now(UTC):%Y-%m-%d}T12:30:00+08:00"}}}}'
WRK = """
local ids = {{}}
for line in io.lines({ids}) do ids[#ids + 1] = line end
local headers = {{["Content-Type"] = "application/json", ["Authorization"] = "Bearer {key}"}}
math.randomseed({seed})
request = function()
  local id = ids[math.random(#ids)]
  return wrk.format("POST", "/v1/recommend/dishes", headers, (string.gsub({asked}, "WHO", id)))
end
"""


@dataclass(frozen=True)
class LoadTarget:
    """A server, the key it takes and the customers it is asked for."""

    port: int
    key: str
    customers: list[str]

    @property
    def url(self) -> str:
        """Where dishes are asked for."""
        return f"http://127.0.0.1:{self.port}/v1/recommend/dishes"


def saturate(target: LoadTarget, seconds: float, *, seed: int = 1) -> float:
    """Return the requests a second that 16 connections get answered, by wrk in a process of its own.

    Raises RuntimeError for an answer that is no success.
    """
    with tempfile.TemporaryDirectory() as folder:
        ids, script = Path(folder) / "ids", Path(folder) / "ask.lua"
        ids.write_text("\n".join(target.customers), encoding="utf-8")
        script.write_text(
            WRK.format(ids=json.dumps(str(ids)), key=target.key, seed=seed, asked=json.dumps(QUESTION)),
            encoding="utf-8",
        )
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


def steady(target: LoadTarget, rate: float, seconds: float) -> Late:
    """Drive at `rate` a second from a process of its own."""
    return finish(start_steady(target, rate, seconds))


def start_steady(target: LoadTarget, rate: float, seconds: float) -> subprocess.Popen[str]:
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


class Line(asyncio.Protocol):
    """One kept connection that asks one question at a time; `answered` is told the status, 0 where it broke.

    An HTTP client takes as long for a request as the server does, and its own queue would be measured.
    """

    def __init__(self, idle: list[Line]) -> None:
        self._idle, self._read, self.transport = idle, b"", asyncio.Transport()
        self.answered: Callable[[int], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to write."""
        self.transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes, answered: Callable[[int], None]) -> None:
        """Send `request`, which must end the question before it."""
        self.answered = answered
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Tell when the answer is whole."""
        self._read += data
        head, found, body = self._read.partition(b"\r\n\r\n")
        if not found or len(body) < int(LENGTH.search(head).group(1)):  # type: ignore[union-attr]
            return
        self._read = b""
        self._idle.append(self)
        self._tell(int(head[9:12]))

    def connection_lost(self, _error: Exception | None) -> None:
        """Count a question that got no answer."""
        if self in self._idle:
            self._idle.remove(self)
        self._tell(0)

    def _tell(self, status: int) -> None:
        answered, self.answered = self.answered, None
        if answered is not None:
            answered(status)


async def _drive(url: str, key: str, customers: list[str], rate: float, seconds: float) -> Late:
    rng, loop, asked = random.Random(7), asyncio.get_running_loop(), urlsplit(url)
    at: list[float] = []
    late: list[float] = []
    idle: list[Line] = []
    failed = 0
    head = f"POST {asked.path} HTTP/1.1\r\nHost: {asked.netloc}\r\nAuthorization: Bearer {key}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: "

    def answered(due: float, status: int) -> None:
        nonlocal failed
        failed += status != 200
        at.append(due - start)
        late.append((time.perf_counter() - due) * 1000)

    host, port = asked.hostname or "", asked.port or 80

    async def open_and_ask(request: bytes, due: float) -> None:
        try:
            _, line = await loop.create_connection(lambda: Line(idle), host, port)
        except OSError:
            answered(due, 0)
        else:
            line.ask(request, partial(answered, due))

    many, opening = int(rate * seconds), set[asyncio.Task[None]]()
    start = time.perf_counter()
    for i in range(many):
        due = start + i / rate
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        elif i % TURN == 0:
            await asyncio.sleep(0)
        body = QUESTION.replace("WHO", rng.choice(customers))
        request = f"{head}{len(body)}\r\n\r\n{body}".encode()
        # More would not fit into the line before the server, and be reset; lateness counts from when it was due.
        while not idle and i - len(at) >= MOST_LINES:
            await asyncio.sleep(0.001)
        if idle:
            idle.pop().ask(request, partial(answered, due))
        else:
            task = asyncio.create_task(open_and_ask(request, due))
            opening.add(task)
            task.add_done_callback(opening.discard)
    end = time.perf_counter() + ANSWER_WITHIN_S
    while len(at) < many and time.perf_counter() < end:
        await asyncio.sleep(0.01)
    for line in idle:
        line.transport.close()
    await asyncio.sleep(0)
    return Late(at, late, failed + many - len(at))


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
    # This process's own collections of garbage, up to 100 ms each, would be taken for the server's lateness.
    gc.disable()
    seen = asyncio.run(_drive(**json.load(sys.stdin)))
    print(json.dumps({"at": seen.at, "ms": seen.ms, "failed": seen.failed}))
