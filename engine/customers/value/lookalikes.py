"""Who resembles the best customers: prospects and ordinary customers ranked by what is known of them.

Each attribute adds the logarithm of how much commoner its value is among the best than among all who ordered (naive
Bayes), shrunk towards no difference where few have that value. An unknown attribute adds nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.customers.moment import Moment

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ATTRIBUTES = ("zone", "language", "gender", "age_band", "price_band", "favourite_daypart", "payment_method", "cuisine")
SHRUNK_BY = 20.0
LEAST_BEST = 10


def lookalike_attributes(table: pl.DataFrame, gender: pl.Series, moment: Moment) -> pl.DataFrame:
    """Return the ATTRIBUTES of every row as words; null unknown. Ages go by decades."""
    age = pl.lit(moment.date.year) - pl.col("birthday").dt.year()
    return table.select(
        "zone",
        "language",
        gender.alias("gender"),
        (age // 10 * 10).cast(pl.String).alias("age_band"),
        "price_band",
        "favourite_daypart",
        "payment_method",
        pl.col("top_cuisines").list.first().alias("cuisine"),
    )


def lookalike_scores(known: pl.DataFrame, ordered: Bools, best: Bools) -> Floats:
    """Return each row's chance, 0 to 1, of being one of the best; NaN for these, and for all where they are < 10."""
    total, good = int(ordered.sum()), int((best & ordered).sum())
    if good < LEAST_BEST or good == total:
        return np.full(known.height, np.nan)
    share = good / total
    odds = np.full(known.height, np.log(share / (1 - share)))
    for name in ATTRIBUTES:
        words = known[name].drop_nulls().unique().sort()
        if not len(words):
            continue
        code = known[name].cast(pl.Enum(words)).to_physical().cast(pl.Int64).fill_null(len(words)).to_numpy()
        n = np.bincount(code[ordered], minlength=len(words) + 1)
        hits = np.bincount(code[ordered & best], minlength=len(words) + 1)
        common = (n + 0.5) / (total + 0.5 * len(n))
        # Both are shrunk by their share of the prior, so that a value no customer has weighs nothing.
        few, many = SHRUNK_BY * share, SHRUNK_BY * (1 - share)
        among_best = (hits + few * common) / (good + few)
        among_rest = (n - hits + many * common) / (total - good + many)
        weight = np.log(among_best) - np.log(among_rest)
        weight[len(words)] = 0.0
        odds += weight[code]
    return np.where(best, np.nan, 1 / (1 + np.exp(-odds)))


def prospect_ranks(score: Floats, registered_at: pl.Series, ids: pl.Series, prospect: Bools) -> pl.Series:
    """Return 1, 2, 3 ... for prospects by score, then latest registered, then id; null for everybody else."""
    frame = pl.DataFrame({"score": score, "at": registered_at, "id": ids, "prospect": prospect}).with_row_index()
    ranked = (
        frame.filter("prospect")
        .with_columns(pl.col("score").fill_nan(0.0))
        .sort("score", "at", "id", descending=[True, True, False], nulls_last=True)
        .with_columns(pl.int_range(1, pl.len() + 1).alias("rank"))
    )
    return frame.join(ranked.select("index", "rank"), on="index", how="left", maintain_order="left")["rank"]
