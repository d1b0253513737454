"""The page of quality keeps what was not measured anew, and sets without an order in time are dealt into baskets."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from benchmarks.quality import DATA, SETS, dealt, next_for, page_with
from engine.models.baskets import user_items

PAGE = "# Old head\n\nsaid\n\n## ncr, last order: 3\n\nold\n\n## akeed, x\n\nkept\n\n## What limits it\n\nwords\n"


def headings(page: str) -> list[str]:
    return [line for line in page.splitlines() if line.startswith("## ")]


def test_a_set_measured_anew_replaces_its_own_tables_and_leaves_the_rest() -> None:
    page = page_with(
        PAGE, {"ncr_food_orders": "## ncr, new\n\nfresh", "movielens_100k": "## movielens_100k, ua\n\nfilms"}
    )
    assert headings(page) == ["## ncr, new", "## akeed, x", "## movielens_100k, ua", "## What limits it"]
    assert "old" not in page
    assert "kept" in page
    assert page.endswith("words\n")


def test_writing_the_page_again_changes_nothing() -> None:
    measured = {"akeed": "## akeed, y\n\nfresh"}
    once = page_with(PAGE, measured)
    assert page_with(once, measured) == once


def test_a_first_page_holds_what_was_measured() -> None:
    assert headings(page_with("", {"akeed": "## akeed, y\n\nfresh"})) == ["## akeed, y"]


def test_dealing_keeps_every_item_of_every_customer_once_in_at_most_five_baskets() -> None:
    rng = np.random.default_rng(1)
    pairs = pl.DataFrame({"user_id": rng.integers(0, 40, 900), "item_id": rng.integers(0, 60, 900)}).unique()
    data = dealt(pairs)
    assert len(data.baskets.items) == pairs.height == user_items(data.baskets).nnz
    assert np.diff(data.baskets.customer_start).max() == 5
    for first, end in pairwise(data.baskets.customer_start):
        sizes = np.diff(data.baskets.basket_start[first : end + 1])
        assert sizes.max() - sizes.min() <= 1
    assert data.clock == "basket"
    assert not dealt(
        pl.DataFrame({"user_id": np.repeat(np.arange(90), 20), "item_id": np.tile(np.arange(20), 90)})
    ).repeats


def test_what_a_split_holds_back_is_asked_for_by_its_user_and_unknown_items_count_as_missed() -> None:
    data = dealt(pl.DataFrame({"user_id": [1, 1, 2], "item_id": [10, 11, 10]}))
    split = next_for(data, pl.DataFrame({"user_id": [2, 2, 3], "item_id": [11, 99, 10]}))
    assert [target.query.row for target in split.targets] == [data.customers.to_list().index("2"), -1]
    assert [target.unseen for target in split.targets] == [1, 0]
    assert [data.items[int(column)] for column in split.targets[0].truth] == ["11"]


@pytest.mark.parametrize("name", ["mealrec_plus", "movielens_100k"])
def test_the_published_splits_hold_no_repeat(name: str) -> None:
    if not (DATA / name).exists():
        pytest.skip(f"no real data at {DATA / name}")
    for work in SETS[name]():
        assert not work.data.repeats
        for target in work.split.targets:
            assert not np.isin(target.truth, target.query.items).any()
