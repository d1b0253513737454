"""The benchmark of training measures the command itself, step by step, and keeps the sizes it did not measure."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.measured import Cost, ratios, run
from benchmarks.training import (
    CUSTOMER_TABLE,
    HistoryShape,
    MeasuredTraining,
    Stage,
    growth,
    make,
    measure,
    page_with,
    save_matrix,
    section,
    slope,
    stages_of,
)

MARKS = [
    ("start", 0.0, 0.0, 0.0),
    ("fit als", 1.0, 1.5, 100.0),
    ("judge on 10,000 customers", 3.0, 5.5, 200.0),
    ("fit als", 4.0, 6.5, 150.0),
    ("customer table", 4.5, 7.0, 300.0),
    ("end", 6.0, 8.0, 310.0),
]


def test_steps_are_summed_by_name_and_leave_no_time_out() -> None:
    stages = {stage.name: stage for stage in stages_of(MARKS)}
    assert stages["fit als"] == Stage("fit als", 2, 2.5, 4.5, 300.0)
    assert stages["judge"] == Stage("judge", 1, 1.0, 1.0, 150.0)
    assert sum(stage.seconds for stage in stages.values()) == 6.0
    assert sum(stage.cpu_s for stage in stages.values()) == 8.0


def test_a_section_compares_turn_by_turn_with_and_without_the_customer_table() -> None:
    train, alone = [Cost(6.0, 8.0, 310.0), Cost(9.0, 10.0, 305.0)], [Cost(2.0, 4.0, 90.0), Cost(3.0, 4.0, 90.0)]
    found = MeasuredTraining(1000, 20, 30, train, alone, [stages_of(MARKS)] * 2, stages_of(MARKS), "It was made.")
    assert found.table_free(0) == Cost(4.5, 7.0, 0.0)
    page = section(found, "Here.")
    assert "Here.\nIt was made.\n" in page
    assert "| `regulars train` | 7.50 | 9.00 | 310 | 3.00 (3.00 to 3.00) | 2.25 (2.00 to 2.50) |" in page
    assert "| of it models and ranker | 6.00 | 8.00 | - | 2.38 (2.25 to 2.50) |" in page
    assert "| fit als | 2 | 2.50 | 4.50 | 42% | 300 |" in page


def test_the_exponent_is_that_of_the_law_the_figures_follow() -> None:
    assert slope([0, 1, 2, 5], [3, 5, 7, 13]) == pytest.approx(2)
    sizes = [
        MeasuredTraining(n, n // 50, 100, [Cost(n**1.5, n, n**0.5)], [Cost(n, n, 1)], [[]])
        for n in (1_000, 3_000, 10_000)
    ]
    told = growth(sizes)
    assert "seconds of training to the power 1.50" in told
    assert "peak memory to the power 0.50" in told
    assert "seconds of the fit alone to the power 1.00" in told


def test_a_size_measured_anew_replaces_its_own_section_and_sizes_stay_in_order() -> None:
    once = page_with("", {"50,000,000 lines": "huge", "How the cost grows": "so"})
    again = page_with(once, {"1,000,000 lines": "a million\n\n| a | b |", "50,000,000 lines": "huger"})
    headings = [line for line in again.splitlines() if line.startswith("## ")]
    assert headings == ["## 1,000,000 lines", "## 50,000,000 lines", "## How the cost grows"]
    assert "huger" in again
    assert "huge\n" not in again
    assert page_with(again, {}) == again


def test_sizes_are_those_the_target_names() -> None:
    assert HistoryShape.of(10_000_000) == HistoryShape(10_000_000, 200_000, 20_000)
    assert HistoryShape.of(50_000_000) == HistoryShape(50_000_000, 2_000_000, 50_000)


def test_peak_memory_is_the_commands_own_and_a_failure_is_told() -> None:
    python = [__import__("sys").executable, "-c"]
    held = bytearray(300 * 1024**2)  # this process's memory must not count
    small, said = run([*python, "print('hello')"])
    large, _ = run([*python, "held = b'x' * (150 * 1024**2)"])
    assert said == "hello\n"
    assert small.peak_mb < 100
    assert 150 < large.peak_mb < 290
    assert len(held) > 0
    with pytest.raises(RuntimeError, match="ended with 3"):
        run([*python, "raise SystemExit(3)"])


def test_ratios_are_of_the_same_turn() -> None:
    assert ratios([2, 6, 4], [1, 2, 4]) == "2.00 (1.00 to 3.00)"


def test_a_small_home_is_made_trained_and_measured(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    imported = make(home, HistoryShape(9_000, 400, 120))
    assert re.fullmatch(r"Importing it \(.* [\d,]+ rows .*\) took \d+ s \(\d+ CPU s\), peak RSS [\d,]+ MiB\.", imported)
    save_matrix(home)
    found = measure(home, 1, warm=False)
    assert found.lines == pytest.approx(9_000, rel=0.2)
    assert found.dishes == 120
    names = [stage.name for stage in found.stages[0]]
    assert {"start", "read history", "fit als", "learn the ranker", "judge", "publish", CUSTOMER_TABLE} <= set(names)
    spent = sum(stage.seconds for stage in found.stages[0])
    # What the steps do not cover is the interpreter's own start and end.
    assert 0 < found.train[0].seconds - spent < 0.5 * found.train[0].seconds
    assert found.alone[0].seconds < found.train[0].seconds
    assert found.train[0].peak_mb > 100
    assert "| fit als | 3 |" in section(replace(found, steps=found.stages[0]), "")
