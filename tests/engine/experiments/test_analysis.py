"""Any trial's table gives its numbers, or one line that says what, where and what to do."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from engine.errors import BadColumns, BadDefinition
from engine.experiments.analysis import TrialColumns, analyse

COLUMNS = TrialColumns(arm="arm", outcome="orders")


def trial(n: int = 4_000, effect: float = 0.5) -> pl.DataFrame:
    rng = np.random.default_rng(2)
    held = rng.random(n) < 0.3
    past = rng.poisson(2, n)
    orders = rng.poisson(0.3 * past + effect * ~held)
    arm = np.where(held, "control", "treated")
    return pl.DataFrame({"arm": arm, "orders": orders, "past": past, "customer": np.arange(n), "seen": np.arange(n)})


def test_a_row_per_customer_is_a_single_look() -> None:
    table = trial()
    found = analyse(table, COLUMNS, holdout=0.3)
    means = dict(table.group_by("arm").agg(pl.col("orders").mean()).iter_rows())
    assert found.enough
    assert found.estimate == pytest.approx(means["treated"] - means["control"])
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low < 0.5 < found.high
    assert found.sample_ratio is not None
    assert not found.sample_ratio.alarm


def test_what_was_known_before_helps() -> None:
    found = analyse(trial(), TrialColumns(arm="arm", outcome="orders", before=("past",)))
    assert found.variance_kept is not None
    assert found.variance_kept < 0.97


def test_rows_of_one_customer_are_added_up_day_by_day() -> None:
    wide = trial()
    days = pl.concat([wide.with_columns(day=pl.lit(1)), wide.with_columns(day=pl.lit(3), orders=pl.col("orders") * 2)])
    columns = TrialColumns(arm="arm", outcome="orders", day="day", customer="customer")
    found = analyse(days, columns, window_days=5)
    assert [look.day for look in found.looks] == [1, 2, 3]
    once, thrice = found.looks[0], found.looks[2]
    assert once.estimate is not None
    assert thrice.estimate == pytest.approx(3 * once.estimate)


def test_customers_who_arrived_over_time_get_the_sequence_over_them() -> None:
    found = analyse(trial(4_000), TrialColumns(arm="arm", outcome="orders", entered="seen"))
    assert found.enough
    assert found.looks == ()
    few = analyse(trial(200), TrialColumns(arm="arm", outcome="orders", entered="seen"))
    assert not few.enough
    assert "at least 100" in (few.reason or "")


def test_nothing_ordered_is_no_number() -> None:
    found = analyse(trial().with_columns(orders=pl.lit(0)), COLUMNS)
    assert not found.enough
    assert found.estimate is None


@pytest.mark.parametrize(
    ("change", "columns", "message"),
    [
        (pl.lit(1).alias("x"), TrialColumns(arm="arms", outcome="orders"), "no column 'arms'; did you mean 'arm'"),
        (pl.lit("a").alias("arm"), COLUMNS, "two arms are compared; the column holds 1"),
        (pl.col("arm").replace("control", "b").alias("arm"), COLUMNS, "which of 'b' and 'treated' was left alone"),
        (pl.lit("many").alias("orders"), COLUMNS, "row 1 holds 'many', which is no number"),
        (pl.col("orders").alias("past"), TrialColumns(arm="arm", outcome="orders", before=("past",)), "is a copy"),
        (pl.lit(0).alias("day"), TrialColumns(arm="arm", outcome="orders", day="day"), "whole numbers from 1"),
    ],
)
def test_a_table_that_is_no_trial_is_refused_in_one_line(change: pl.Expr, columns: TrialColumns, message: str) -> None:
    with pytest.raises((BadColumns, BadDefinition), match=message):
        analyse(trial().with_columns(change), columns)
