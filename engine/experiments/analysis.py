"""What did a trial show? Any table with an arm and an outcome, read as one launch or as arrivals over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.errors import BadColumns, BadDefinition, did_you_mean
from engine.experiments.group_sequential import Bools, Floats, Look, looks_at
from engine.experiments.statistics import Difference, NotEnoughData, SampleRatio, compare_arms, sample_ratio

# What the arm left alone is called in tables people bring.
HELD_OUT_NAMES = ("held_out", "held_campaign", "holdout", "held", "control", "false", "0", "no")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialColumns:
    """Which columns of a trial's table mean what.

    Without `day` and `entered` each row is one customer at the end of the window. `day` counts the days since the
    customer's own decision (1 is the first; empty: no outcome): rows of one `customer` are then added up; without
    `customer` each row is one. `entered` orders customers who arrived over time, and asks for the sequence over them.
    """

    arm: str
    outcome: str
    before: Sequence[str] = ()
    day: str | None = None
    customer: str | None = None
    entered: str | None = None


@dataclass(frozen=True, slots=True)
class TrialResult:
    """The last statement and the looks before it; `enough` False comes with a `reason` and without figures."""

    enough: bool
    reason: str | None
    estimate: float | None
    low: float | None
    high: float | None
    variance_kept: float | None
    looks: tuple[Look, ...]
    sample_ratio: SampleRatio | None


def analyse(
    table: pl.DataFrame,
    columns: TrialColumns,
    *,
    held_out: str | None = None,
    holdout: float | None = None,
    window_days: int | None = None,
    seed: int = 0,
) -> TrialResult:
    """Return what a randomised trial's table shows: treated minus held-out per customer, with its 95 % interval.

    `held_out` is the value of the arm column that was left alone (None: recognised by its usual names), `holdout` the
    share it was drawn with (None: the arms' sizes are not checked), `window_days` the planned window (None: the last
    day in the table, or a single look).
    Raises BadColumns for a missing or unreadable column, BadDefinition where the arms are not two.
    """
    for name in (columns.arm, columns.outcome, *columns.before, columns.day, columns.customer, columns.entered):
        if name is not None and name not in table.columns:
            raise BadColumns(f"no column {name!r}{did_you_mean(name, table.columns)}", where="columns")
    if columns.entered is not None:
        table = table.sort(columns.entered, maintain_order=True)
    held = _held_out(table, columns.arm, held_out)
    outcome, before = _numbers(table, columns.outcome), [_numbers(table, name) for name in columns.before]
    for name, values in zip(columns.before, before, strict=True):
        if len(values) > 1 and np.array_equal(values, outcome) and outcome.any():
            raise BadColumns(f"column {name!r} is a copy of the outcome, so it was not known before", where="before")
    if columns.day is None:
        cumulative, days = outcome[:, np.newaxis], window_days or 1
        known = np.column_stack(before) if before else None
        if columns.entered is not None:
            return _arrivals(outcome, held, known, holdout)
        return _launch(cumulative, held, known, holdout, 1 if window_days is None else days, seed)
    cumulative, held, known, days = _by_day(table, columns, outcome, held, before, window_days)
    return _launch(cumulative, held, known, holdout, days, seed)


def _launch(
    cumulative: Floats, held: Bools, before: Floats | None, holdout: float | None, days: int, seed: int
) -> TrialResult:
    ratio = None if holdout is None else _ratio(held, holdout)
    seen = cumulative.shape[1]
    # A table of final outcomes in a longer window is one look on its last day.
    looks = looks_at(cumulative, held, days=max(days, seen) if seen > 1 else 1, before=before, seed=seed)
    last = looks[-1]
    if not last.enough:
        reason = "not enough data: each arm needs at least 5 customers with an outcome"
        return TrialResult(False, reason, None, None, None, None, looks, ratio)
    return TrialResult(True, None, last.estimate, last.low, last.high, last.variance_kept, looks, ratio)


def _arrivals(outcome: Floats, held: Bools, before: Floats | None, holdout: float | None) -> TrialResult:
    ratio = None if holdout is None else _ratio(held, holdout)
    first = None if before is None else before[:, 0]
    found = compare_arms(
        outcome[~held],
        outcome[held],
        treated_before=None if first is None else first[~held],
        held_out_before=None if first is None else first[held],
    )
    if isinstance(found, NotEnoughData):
        return TrialResult(False, found.reason, None, None, None, None, (), ratio)
    return _of_difference(found, ratio)


def _of_difference(found: Difference, ratio: SampleRatio | None) -> TrialResult:
    return TrialResult(True, None, found.estimate, found.low, found.high, found.variance_kept, (), ratio)


def _ratio(held: Bools, holdout: float) -> SampleRatio | None:
    return sample_ratio(int((~held).sum()), int(held.sum()), expected_held_share=holdout)


def _held_out(table: pl.DataFrame, column: str, value: str | None) -> Bools:
    """Return (rows,) which rows are of the arm left alone."""
    words = table[column].cast(pl.String).str.strip_chars()
    if words.null_count():
        raise BadColumns(f"row {int(words.is_null().arg_max() or 0) + 1} has no arm", where=column)
    found = sorted(set(words.to_list()))
    if len(found) != 2:
        raise BadDefinition(
            f"two arms are compared; the column holds {len(found)}: {', '.join(found[:5])}", where=column
        )
    if value is None:
        named = [each for each in found if each.lower() in HELD_OUT_NAMES]
        if len(named) != 1:
            raise BadDefinition(f"which of {found[0]!r} and {found[1]!r} was left alone? say --held-out", where=column)
        value = named[0]
    elif value not in found:
        raise BadDefinition(f"no arm {value!r}{did_you_mean(value, found)}", where=column)
    return (words == value).to_numpy()


def _numbers(table: pl.DataFrame, column: str) -> Floats:
    given = table[column]
    read = given.cast(pl.Float64, strict=False)
    bad = read.is_null() & given.is_not_null() | read.is_nan() | read.is_infinite()
    if bad.any():
        row = int(bad.arg_max() or 0)
        raise BadColumns(f"row {row + 1} holds {given[row]!r}, which is no number", where=column)
    return read.fill_null(0.0).to_numpy().astype(np.float64)


def _by_day(
    table: pl.DataFrame,
    columns: TrialColumns,
    outcome: Floats,
    held: Bools,
    before: Sequence[Floats],
    window_days: int | None,
) -> tuple[Floats, Bools, Floats | None, int]:
    """Return cumulative outcomes (customers, days), arms and covariates by customer, and the window's days."""
    if columns.day is None:
        raise ValueError("no day column")
    known = table[columns.day].is_not_null().to_numpy()
    day = _numbers(table, columns.day)
    if (day[known] != np.floor(day[known])).any() or (day[known] < 1).any():
        raise BadColumns("days are whole numbers from 1, the first day after the decision", where=columns.day)
    last = int(day[known].max()) if known.any() else 1
    days = window_days or last
    customer = np.arange(table.height)
    if columns.customer is not None:
        names = table[columns.customer].cast(pl.String)
        customer = names.rank("dense").cast(pl.Int64).to_numpy() - 1
    n, seen = int(customer.max()) + 1, min(last, days)
    first = np.zeros(n, dtype=np.int64)
    first[customer[::-1]] = np.arange(table.height)[::-1]
    if (held != held[first[customer]]).any():
        row = int(np.flatnonzero(held != held[first[customer]])[0])
        raise BadColumns(f"row {row + 1} gives its customer a second arm", where=columns.arm)
    inside = known & (day <= seen)
    daily = np.zeros((n, seen))
    np.add.at(daily, (customer[inside], day[inside].astype(np.int64) - 1), outcome[inside])
    covariates = np.column_stack(before)[first] if before else None
    return daily.cumsum(axis=1), held[first], covariates, days
