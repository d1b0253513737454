"""The few things each customer chose most: counting pairs of numbers and keeping the largest of each customer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
SHIFT = 2**31


@dataclass(frozen=True, slots=True)
class Pairs:
    """Each (customer, thing) once, sorted by both: how often, and the first and last second it was chosen."""

    customer: Ints
    thing: Ints
    times: Ints
    first: Ints
    last: Ints


def count_pairs(customer: Ints, thing: Ints, second: Ints) -> Pairs:
    """Count every (customer, thing); `thing` below 0 means unknown and is left out."""
    known = thing >= 0
    packed = (pl.Series(customer, dtype=pl.Int64) * SHIFT + pl.Series(thing, dtype=pl.Int64)).alias("pair")
    counted = (
        pl.DataFrame({"pair": packed, "second": second})
        .filter(pl.Series(known))
        .group_by("pair")
        .agg(pl.len().alias("times"), pl.col("second").min().alias("first"), pl.col("second").max().alias("last"))
        .sort("pair")
    )
    pair = counted["pair"].to_numpy()
    return Pairs(
        pair // SHIFT,
        pair % SHIFT,
        counted["times"].to_numpy().astype(np.int64),
        counted["first"].to_numpy(),
        counted["last"].to_numpy(),
    )


def top_things(pairs: Pairs, n: int, *, keep: int = 3) -> Ints:
    """Return (n, keep) things, most often first, ties to the latest, then to the smallest number; -1 where none."""
    found = np.full((n, keep), -1, np.int64)
    if not len(pairs.customer):
        return found
    day = pairs.last // 86_400
    newest = int(day.max())
    # Counts past a thousand and silences past 89 years change no order that anybody would notice.
    rank = (1_023 - np.minimum(pairs.times, 1_023)) * 2**15 + np.minimum(newest - day, 2**15 - 1)
    order = (pl.Series(pairs.customer, dtype=pl.Int64) * 2**25 + pl.Series(rank, dtype=pl.Int64)).to_numpy()
    order = np.argsort(order, kind="stable")
    hers = pairs.customer[order]
    start = np.searchsorted(hers, hers, side="left")
    place = np.arange(len(hers)) - start
    kept = place < keep
    found[hers[kept], place[kept]] = pairs.thing[order][kept]
    return found


def words(top: Ints, names: pl.Series) -> pl.Series:
    """Return lists of `names` by number, without the -1s; null where nothing is known."""
    columns = [
        pl.Series(str(i), names.gather(pl.Series(np.where(top[:, i] >= 0, top[:, i], 0)))).to_frame().select(
            pl.when(pl.Series(top[:, i] >= 0)).then(pl.col(str(i))).alias(str(i))
        )
        for i in range(top.shape[1])
    ] if len(names) else []  # fmt: skip
    if not columns:
        return pl.Series([None] * len(top), dtype=pl.List(pl.String))
    frame = pl.concat(columns, how="horizontal")
    listed = pl.concat_list(frame.columns).list.drop_nulls().alias("words")
    return frame.select(pl.when(pl.col("0").is_not_null()).then(listed).alias("words"))["words"]
