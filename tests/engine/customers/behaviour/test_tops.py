"""Counting pairs by sorting, by grouping and by cells gives the same, whatever the numbers."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.customers.behaviour import tops

Chosen = list[tuple[int, int, int]]
CHOSEN = st.lists(st.tuples(st.integers(0, 6), st.integers(-1, 5), st.integers(0, 10**9)), max_size=60)


def plain(chosen: Chosen) -> list[tuple[int, int, int, int, int]]:
    seconds = defaultdict(list)
    for customer, thing, second in chosen:
        if thing >= 0:
            seconds[customer, thing].append(second)
    return [(c, t, len(s), min(s), max(s)) for (c, t), s in sorted(seconds.items())]


def rows(pairs: tops.Pairs) -> list[tuple[int, ...]]:
    return [tuple(map(int, row)) for row in zip(pairs.customer, pairs.thing, pairs.times, pairs.first, pairs.last,
                                                strict=True)]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(CHOSEN)
@pytest.mark.parametrize("bits", [63, 0])
def test_pairs_are_counted_as_a_plain_reading_counts(bits: int, chosen: Chosen) -> None:
    columns = [np.array([c[i] for c in chosen], np.int64) for i in range(3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tops, "BITS", bits)
        assert rows(tops.count_pairs(*columns)) == plain(chosen)


@settings(max_examples=100, deadline=None)
@given(CHOSEN)
@pytest.mark.parametrize("cells", [2**26, 0])
def test_things_are_brought_together_by_their_group(cells: int, chosen: Chosen) -> None:
    group = np.array([0, 0, 1, -1, 2, 1])
    grouped = [(c, int(group[t]) if t >= 0 else -1, s) for c, t, s in chosen]
    pairs = tops.count_pairs(*(np.array([c[i] for c in chosen], np.int64) for i in range(3)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tops, "DENSE_CELLS", cells)
        found = tops.regroup(pairs, group, 3, 7)
    assert [(c, t, n, last) for c, t, n, _, last in rows(found)] == [
        (c, t, n, last) for c, t, n, _, last in plain(grouped)
    ]


def test_words_leave_out_what_is_missing() -> None:
    top = np.array([[1, 0, -1], [-1, -1, -1], [2, -1, -1]])
    assert tops.name_lists(top, pl.Series(["a", "b", "c"])).to_list() == [["b", "a"], None, ["c"]]
    assert tops.name_lists(np.full((2, 3), -1), pl.Series([], dtype=pl.String)).to_list() == [None, None]
