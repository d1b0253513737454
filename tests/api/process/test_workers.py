"""Several processes of the service: begun from one, replaced when they end, ended together."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.process.supervisor import HUNG_S, LOOK_S, Supervisor, sign_of_life
from api.serving import refresher
from api.serving.refresher import compile_ahead, release_stamp
from engine.settings import Settings
from tests.api.conftest import key_for


@contextmanager
def two_workers(settings: Settings, redis_url: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The service with two workers, and its address."""
    command = [sys.executable, "-c", "from cli.main import run; run()", "serve", "--port", "0", "--json"]
    command += ["--workers", "2", "--home", str(settings.home)]
    env = {**os.environ, "REGULARS_REDIS_URL": redis_url}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True)
    try:
        assert process.stdout is not None
        said = ""
        while not said.rstrip().endswith("}"):
            said += process.stdout.readline()
        yield process, json.loads(said)["address"]
    finally:
        process.terminate()
        _, complaints = process.communicate(timeout=20)
        assert "Traceback" not in complaints, complaints


def workers_of(process: subprocess.Popen[str]) -> set[int]:
    return {int(child) for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()}


def command_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]


def wait_for(check: Callable[[], Any], seconds: float = 30.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.05)
    raise AssertionError("did not happen in time")


def supervised(process: subprocess.Popen[str]) -> set[int]:
    """Return the two workers once the process that forked them has turned into their supervisor."""
    return wait_for(lambda: any(p.endswith("supervisor.py") for p in command_of(process.pid)) and workers_of(process))


def test_workers_share_what_was_imported_before_they_were_forked(served_home: Settings, redis_url: str) -> None:
    with two_workers(served_home, redis_url) as (process, address):
        httpx2.get(f"{address}/health/ready", timeout=20)
        first, second = supervised(process)
        for worker in (first, second):
            told = Path(f"/proc/{worker}/smaps_rollup").read_text()
            shared = next(line.split()[1] for line in told.splitlines() if line.startswith("Shared_Dirty"))
            assert int(shared) > 50_000  # kB


def test_a_worker_that_was_killed_is_replaced_while_the_other_answers(served_home: Settings, redis_url: str) -> None:
    headers = {"Authorization": f"Bearer {key_for(served_home)}"}
    with two_workers(served_home, redis_url) as (process, address):
        httpx2.get(f"{address}/health/ready", timeout=20)
        before = supervised(process)
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        asked = {"customer_id": "c001"}
        for _ in range(5):
            answer = httpx2.post(f"{address}/v1/recommend/dishes", json=asked, headers=headers, timeout=20)
            assert answer.status_code == 200
        after = wait_for(lambda: len(now := workers_of(process)) == 2 and killed not in now and now)
        # The new one answers too: the one that was there from the start goes, and answers still come.
        (new,) = after - before
        wait_for(lambda: "0" in command_of(new))
        os.kill(min(before - {killed}), signal.SIGKILL)
        answer = httpx2.post(f"{address}/v1/recommend/dishes", json=asked, headers=headers, timeout=30)
        assert answer.status_code == 200


def test_all_end_with_their_supervisor_and_their_metrics_are_removed(served_home: Settings, redis_url: str) -> None:
    with two_workers(served_home, redis_url) as (process, address):
        httpx2.get(f"{address}/health/ready", timeout=20)
        workers = supervised(process)
        folder = next(Path(word) for word in command_of(process.pid) if "regulars-metrics-" in word)
        # What forked the workers has counted nothing, and does not count.
        assert not list(folder.glob(f"*_{process.pid}.db"))
        assert list(folder.glob("*.db"))
        process.terminate()
        process.wait(20)
        assert not folder.exists()
        assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]


def test_workers_give_signs_of_life(served_home: Settings, redis_url: str) -> None:
    with two_workers(served_home, redis_url) as (process, address):
        httpx2.get(f"{address}/health/ready", timeout=20)
        workers = supervised(process)
        folder = next(word for word in command_of(process.pid) if "regulars-metrics-" in word)
        signs = [Path(sign_of_life(folder, worker)) for worker in workers]
        first = wait_for(lambda: all(sign.exists() for sign in signs) and [s.stat().st_mtime_ns for s in signs])
        wait_for(lambda: all(sign.stat().st_mtime_ns > was for sign, was in zip(signs, first, strict=True)))
        # Looking at them, which an alarm asks for every few seconds, is no reason to end or to replace any.
        time.sleep(LOOK_S + 1)
        assert workers_of(process) == workers
        os.kill(min(workers), signal.SIGKILL)
        wait_for(lambda: not Path(sign_of_life(folder, min(workers))).exists())


def test_a_worker_without_a_sign_of_life_is_killed_and_one_with_is_not(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hung, well, starting = (subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) for _ in "123")
    try:
        for worker in (hung, well):
            Path(sign_of_life(str(tmp_path), worker.pid)).touch()
        supervisor = Supervisor(-1, str(tmp_path), {worker.pid: 0.0 for worker in (hung, well, starting)})
        supervisor.look(0.0)
        supervisor.look(HUNG_S)
        assert hung.poll() is None
        os.utime(sign_of_life(str(tmp_path), well.pid), ns=(1, 1))
        supervisor.look(HUNG_S + 1)
        assert hung.wait(10) == -signal.SIGKILL
        assert (well.poll(), starting.poll()) == (None, None)
        assert f"worker {hung.pid} has hung for 31 s: killed" in capfd.readouterr().err
    finally:
        for worker in (hung, well, starting):
            worker.kill()
            worker.communicate()


def test_a_service_whose_folder_was_cleared_away_goes_on(served_home: Settings, redis_url: str) -> None:
    with two_workers(served_home, redis_url) as (process, address):
        httpx2.get(f"{address}/health/ready", timeout=20)
        workers = supervised(process)
        folder = next(Path(word) for word in command_of(process.pid) if "regulars-metrics-" in word)
        wait_for(lambda: all(Path(sign_of_life(str(folder), worker)).exists() for worker in workers))
        shutil.rmtree(folder)
        time.sleep(1.5)
        for _ in range(4):
            assert httpx2.get(f"{address}/health/live", timeout=20).status_code == 200
            assert httpx2.get(f"{address}/nowhere", timeout=20).status_code == 404
        assert workers_of(process) == workers


def test_loops_are_compiled_ahead_once_a_release(served_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    answered: list[object] = []
    monkeypatch.setattr(refresher, "warm_up", answered.append)
    kept = served_home.artifacts_folder / refresher.COMPILED
    compile_ahead(served_home)
    compile_ahead(served_home)
    assert kept.read_text() == release_stamp()
    assert len(answered) == 1
    kept.write_text("another release")
    compile_ahead(served_home)
    assert len(answered) == 2


def test_nothing_is_compiled_ahead_where_nothing_was_trained(settings: Settings) -> None:
    compile_ahead(settings)
    assert not (settings.artifacts_folder / refresher.COMPILED).exists()
