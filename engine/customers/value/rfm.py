"""Recency, frequency and monetary: scores 1 to 5, ten named groups, and who moved between two dates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

QUINTILES = (0.2, 0.4, 0.6, 0.8)
# By r (1 to 5), then by the mean of f and m rounded up (1 to 5).
RFM_GROUP_GRID = {
    5: ("new", "potential_loyalist", "potential_loyalist", "champions", "champions"),
    4: ("promising", "potential_loyalist", "potential_loyalist", "loyal", "loyal"),
    3: ("about_to_sleep", "about_to_sleep", "needs_attention", "loyal", "loyal"),
    2: ("lost", "lost", "at_risk", "at_risk", "cannot_lose"),
    1: ("lost", "lost", "at_risk", "at_risk", "cannot_lose"),
}
GROUP_TABLE = np.array([RFM_GROUP_GRID[r][fm - 1] for r in range(1, 6) for fm in range(1, 6)])


def quintile_cut_points(values: Floats) -> Floats:
    """Return the four values that quintiles end at; empty where there is no value."""
    return np.quantile(values, QUINTILES, method="inverted_cdf") if len(values) else np.empty(0)


def quintile_scores(values: Floats, cuts: Floats) -> Ints:
    """Return 1 to 5: one more than the cut points strictly below; equal values always share a score."""
    return 1 + np.searchsorted(cuts, values, side="left").astype(np.int64)


def rfm_scores(recency_days: Ints, frequency: Ints, monetary: Floats) -> tuple[Ints, Ints, Ints]:
    """Return r, f and m of customers who ever ordered.

    Quintiles are those of customers with an order in the window; others (frequency 0) score 1 throughout.
    """
    there = frequency > 0
    found: list[Ints] = []
    for values in (-recency_days.astype(np.float64), frequency.astype(np.float64), monetary):
        score = quintile_scores(values, quintile_cut_points(values[there]))
        found.append(np.where(there, score, 1))
    return found[0], found[1], found[2]


def rfm_group_names(r: Ints, f: Ints, m: Ints) -> npt.NDArray[np.str_]:
    """Return the named group of each customer."""
    both = (f + m + 1) // 2
    named: npt.NDArray[np.str_] = GROUP_TABLE[(r - 1) * 5 + both - 1]
    return named


def group_transitions(before: pl.DataFrame, after: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return `from`, `to`, `customers`, `share` (of `from`) between two customer tables, by `column`.

    A customer not known before comes from `(nobody yet)`; a prospect without a group counts as `(no order)`.
    """

    def words(frame: pl.DataFrame, name: str) -> pl.DataFrame:
        return frame.select("customer_id", pl.col(column).cast(pl.String).fill_null("(no order)").alias(name))

    both = words(after, "to").join(words(before, "from"), on="customer_id", how="left")
    counted = both.with_columns(pl.col("from").fill_null("(nobody yet)")).group_by("from", "to").len("customers")
    share = (pl.col("customers") / pl.col("customers").sum().over("from")).alias("share")
    return counted.with_columns(share).sort("from", "to").select("from", "to", "customers", "share")
