"""The benchmark of everybody's lists compares equal work: the two sides' lists must agree."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from benchmarks import batch
from benchmarks.measured import Cost
from benchmarks.training import HistoryShape, make
from engine.runtime.threads import one_blas_thread
from engine.settings import Settings
from training.run import train


def test_a_small_home_is_measured_and_reported(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    make(home, HistoryShape(9_000, 400, 120))
    train(Settings.from_environment({}, home=home), now=datetime(2026, 3, 1, tzinfo=UTC))
    one_blas_thread()
    published, catalog = batch.opened(home)
    rows, same = batch.measure(published, catalog, repeats=1, sampled=20)
    assert same > 0.998
    assert [row.count("|") for row in rows] == [8] * 4
    page = batch.report(published, rows, same, batch.commands(home, tmp_path), "the command")
    data = published.manifest["data"]
    assert f"{data['customers']:,} customers x 120 dishes" in page
    assert "`recommend everyone --model als`" in page
    assert "`recommend everyone --model served`" in page


def test_lists_that_disagree_end_the_benchmark() -> None:
    columns, values = np.array([[1, 2], [3, 4]]), np.array([[0.9, 0.5], [0.8, 0.1]])
    assert batch.same_lists((columns, values), (columns, values)) == 1
    with pytest.raises(AssertionError, match="different products"):
        batch.same_lists((columns, values + 0.1), (columns, values))
    with pytest.raises(AssertionError, match="same dish"):
        batch.same_lists((columns[:, ::-1], values), (columns, values))


def test_a_ratio_above_one_means_that_ours_is_faster() -> None:
    row = batch.Turns(100, [Cost(1.0, 2.0, 0)] * 3, [Cost(2.0, 3.0, 0)] * 3).row("x")
    assert row == "| x | 100 | 50 | 50 | 33 | 2.00 (2.00 to 2.00) | 1.50 (1.50 to 1.50) |"
