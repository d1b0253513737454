"""Work done side by side gives what it gives one after the other."""

from __future__ import annotations

import os
import threading

import pytest

from engine.runtime import threads
from engine.runtime.threads import TaskPool, cores, parallel_map, run_both


@pytest.mark.parametrize("number", [1, 2, 5])
def test_what_is_found_stands_in_the_order_of_the_parts(number: int) -> None:
    assert parallel_map(lambda part: part * part, range(7), threads=number) == [0, 1, 4, 9, 16, 25, 36]
    assert parallel_map(lambda part: part, [], threads=number) == []


def test_one_core_takes_everything_in_the_calling_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "cores", lambda: 1)
    here = threading.get_ident()
    assert parallel_map(lambda _: threading.get_ident(), range(3)) == [here] * 3
    assert run_both(threading.get_ident, threading.get_ident) == (here, here)
    monkeypatch.setattr(threads, "cores", lambda: 2)
    assert run_both(threading.get_ident, threading.get_ident, at_once=False) == (here, here)


def test_two_things_beside_each_other_really_wait_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "cores", lambda: 2)
    meeting = threading.Barrier(2, timeout=20)
    assert sorted(run_both(meeting.wait, meeting.wait)) == [0, 1]


def test_a_fault_is_raised_and_the_first_ones_before_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(part: int) -> int:
        raise ValueError(f"part {part}")

    monkeypatch.setattr(threads, "cores", lambda: 2)
    with pytest.raises(ValueError, match="part 0"):
        parallel_map(fail, range(4))
    with pytest.raises(ValueError, match="part 1"):
        run_both(lambda: fail(1), lambda: fail(2))
    with pytest.raises(ValueError, match="part 2"):
        run_both(lambda: 1, lambda: fail(2))


def test_the_cores_are_those_the_process_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert cores() == len(allowed)


def test_a_submitted_task_may_wait_for_one_submitted_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "cores", lambda: 2)
    go = threading.Event()
    with TaskPool() as tasks:
        first = tasks.submit(lambda: go.wait(20))
        second = tasks.submit(lambda: (first(), "after it"))
        go.set()
        assert second() == (True, "after it")


def test_a_task_runs_when_submitted_where_there_is_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "cores", lambda: 1)
    done: list[int] = []
    with TaskPool() as tasks:
        tasks.submit(lambda: done.append(1))
        assert done == [1]
    monkeypatch.setattr(threads, "cores", lambda: 2)
    with TaskPool(at_once=False) as tasks:
        assert tasks.submit(threading.get_ident)() == threading.get_ident()


def test_a_fault_in_a_lane_is_raised_where_it_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise ValueError("no")

    monkeypatch.setattr(threads, "cores", lambda: 2)
    with TaskPool() as tasks:
        found = tasks.submit(fail)
        with pytest.raises(ValueError, match="no"):
            found()
