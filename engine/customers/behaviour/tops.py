"""The few things each customer chose most: counting pairs of numbers and keeping the largest of each customer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.columns import DAY_S

Ints = npt.NDArray[np.int64]
SHIFT = 2**31
BITS = 63
DENSE_CELLS = 2**26


@dataclass(frozen=True, slots=True)
class Pairs:
    """Each (customer, thing) once, sorted by both: how often, and the first and last second it was chosen."""

    customer: Ints
    thing: Ints
    times: Ints
    first: Ints
    last: Ints


def count_pairs(customer: Ints, thing: Ints, second: Ints) -> Pairs:
    """Count every (customer, thing); `thing` below 0 means unknown and is left out.

    Customer, thing and time fit one whole number, and sorting plain numbers is several times cheaper than grouping by
    them; where they do not fit (tens of millions of customers, tens of thousands of things) they are grouped after all.
    """
    known = thing >= 0
    if not known.all():
        customer, thing, second = customer[known], thing[known], second[known]
    if not len(customer):
        return Pairs(*(np.empty(0, np.int64) for _ in range(5)))
    start = int(second.min())
    thing_bits, second_bits = int(thing.max()).bit_length(), (int(second.max()) - start).bit_length()
    if int(customer.max()).bit_length() + thing_bits + second_bits > BITS:
        return _grouped(customer, thing, second)
    packed = pl.Series((((customer << thing_bits) + thing) << second_bits) + (second - start)).sort().to_numpy()
    pair = packed >> second_bits
    first = np.flatnonzero(np.concatenate(([True], pair[1:] != pair[:-1])))
    times = np.diff(np.append(first, len(pair)))
    ends, mask = first + times - 1, (1 << second_bits) - 1
    pair = pair[first]
    return Pairs(
        pair >> thing_bits,
        pair & ((1 << thing_bits) - 1),
        times,
        (packed[first] & mask) + start,
        (packed[ends] & mask) + start,
    )


def regroup(pairs: Pairs, number: Ints, groups: int, n: int) -> Pairs:
    """Return pairs of customer and group, where thing i belongs to group `number[i]` of `groups` (-1: to none)."""
    group = number[pairs.thing] if groups else np.full(len(pairs.thing), -1)
    known = group >= 0
    cell = pairs.customer[known] * max(groups, 1) + group[known]
    if n * groups > DENSE_CELLS:
        frame = pl.DataFrame({"cell": cell, "times": pairs.times[known], "last": pairs.last[known]})
        counted = frame.group_by("cell").agg(pl.col("times").sum(), pl.col("last").max()).sort("cell")
        found, times, last = (counted[name].to_numpy() for name in ("cell", "times", "last"))
    else:
        counts = np.bincount(cell, pairs.times[known].astype(np.float64), minlength=n * groups)
        newest = np.zeros(n * groups, np.int64)
        np.maximum.at(newest, cell, pairs.last[known])
        found = np.flatnonzero(counts)
        times, last = counts[found].astype(np.int64), newest[found]
    return Pairs(found // max(groups, 1), found % max(groups, 1), times, last, last)


def _grouped(customer: Ints, thing: Ints, second: Ints) -> Pairs:
    counted = (
        pl.DataFrame({"pair": customer * SHIFT + thing, "second": second})
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


def most_frequent(pairs: Pairs, n: int, *, keep: int = 3) -> Ints:
    """Return (n, keep) things, most often first, ties to the latest, then to the smallest number; -1 where none."""
    found = np.full((n, keep), -1, np.int64)
    if not len(pairs.customer):
        return found
    day = pairs.last // DAY_S
    newest = int(day.max())
    # Counts past a thousand and silences past 89 years change no order that anybody would notice.
    rank = (1_023 - np.minimum(pairs.times, 1_023)) * 2**15 + np.minimum(newest - day, 2**15 - 1)
    order = (pl.Series(pairs.customer, dtype=pl.Int64) * 2**25 + pl.Series(rank, dtype=pl.Int64)).to_numpy()
    order = np.argsort(order, kind="stable")
    owner = pairs.customer[order]
    start = np.searchsorted(owner, owner, side="left")
    place = np.arange(len(owner)) - start
    kept = place < keep
    found[owner[kept], place[kept]] = pairs.thing[order][kept]
    return found


def name_lists(top: Ints, names: pl.Series) -> pl.Series:
    """Return lists of `names` by number, without the -1s; null where nothing is known."""
    if not len(names) or not len(top):
        return pl.Series([None] * len(top), dtype=pl.List(pl.String))
    place = pl.Series(top.ravel())
    flat = names.gather(place.set(place < 0, None))
    listed = flat.reshape(top.shape).arr.to_list().list.drop_nulls()
    return listed.alias("v").to_frame().select(pl.when(pl.Series(top[:, 0] >= 0)).then(pl.col("v")))["v"]
