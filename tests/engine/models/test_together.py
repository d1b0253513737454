"""What goes together, and what dishes are like."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.columns import ITEMS
from engine.errors import NoHistory
from engine.models.content import Content, words_of
from engine.models.kernels.links import links
from engine.models.together import Together
from tests.baskets import empty_baskets, learned_from
from training.data.matrices import TrainingSet


def bazaar(n: int = 400, seed: int = 0) -> tuple[TrainingSet, dict[str, int]]:
    """Curry goes with rice, pizza with cola; bread is in every second basket, whatever else is in it."""
    rng = np.random.default_rng(seed)
    told = {}
    for number in range(n):
        basket = ["curry", "rice"] if rng.random() < 0.5 else ["pizza", "cola"]
        if rng.random() < 0.2:
            basket = basket[:1]
        if rng.random() < 0.5:
            basket = [*basket, "bread"]
        told[f"c{number:03d}"] = [(number / 10, basket)]
    data = learned_from(told)
    return data, {name: i for i, name in enumerate(data.items)}


def test_a_dish_goes_with_what_is_ordered_beside_it_and_not_with_what_is_merely_popular() -> None:
    data, column = bazaar()
    together = Together().fit(data.baskets)
    scores = together.score(np.array([column["curry"]], np.int32))
    assert scores[column["rice"]] > scores[column["bread"]] > scores[column["cola"]]


def test_partners_name_only_pairs_seen_together_more_than_by_chance() -> None:
    data, column = bazaar()
    together = Together().fit(data.baskets)
    cart = np.array([column["bread"], column["curry"]], np.int32)
    found = together.partners(cart, np.array([column["rice"], column["cola"]], np.int32))
    assert found.tolist() == [column["curry"], -1]


def test_a_history_of_single_dishes_goes_with_nothing() -> None:
    data = learned_from({"ann": [(0, ["soup"])], "bob": [(1, ["tea"])]})
    together = Together().fit(data.baskets)
    assert not together.score(np.array([0], np.int32)).any()
    assert together.baskets.tolist() == [1, 1]


def test_without_a_basket_it_refuses_to_learn() -> None:
    with pytest.raises(NoHistory):
        Together().fit(empty_baskets(2, 2))


def test_each_dish_is_explained_by_least_squares_on_the_others_of_its_basket() -> None:
    data, _ = bazaar()
    together = Together().fit(data.baskets)
    n = len(together.baskets)
    pairs = np.zeros((n, n))
    for first, end in zip(data.baskets.basket_start, data.baskets.basket_start[1:], strict=False):
        own = data.baskets.items[first:end]
        if len(own) > 1:
            pairs[np.ix_(own, own)] += 1
    for dish in range(n):
        others = np.flatnonzero((pairs[dish] > 0) & (np.arange(n) != dish))
        gram = pairs[np.ix_(others, others)] + together.ridge * np.eye(len(others))
        expected = np.linalg.solve(gram, pairs[others, dish])
        found = [together.score(np.array([other], np.int32))[dish] for other in others]
        shares = together.plain * pairs[others, dish] / pairs[others, others]
        np.testing.assert_allclose(found, expected + shares, rtol=1e-4, atol=1e-6)


def test_on_a_large_menu_only_the_nearest_dishes_explain(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.models import together as module

    data, column = bazaar()
    monkeypatch.setattr(module, "SMALL_MENU", 0)
    few = Together(neighbours=1).fit(data.baskets)
    scores = few.score(np.array([column["curry"]], np.int32))
    assert np.flatnonzero(scores).tolist() == [column["rice"]]


@given(st.lists(st.lists(st.integers(0, 6), max_size=5, unique=True), min_size=1, max_size=6), st.data())
def test_links_are_the_rows_of_the_seeds(rows: list[list[int]], data: st.DataObject) -> None:
    start = np.cumsum([0, *(len(row) for row in rows)]).astype(np.int64)
    items = np.array([item for row in rows for item in row], np.int32)
    seeds = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=5))
    found = links(start, items, items.astype(np.float32), np.array(seeds, np.int32))
    expected = [(seed, item, float(item)) for seed in seeds for item in rows[seed]]
    assert list(zip(*(part.tolist() for part in found), strict=True)) == expected


def menu(*rows: dict[str, Any]) -> Content:
    frame = pl.DataFrame([{name: row.get(name) for name in ITEMS} for row in rows], schema=ITEMS, orient="row")
    return Content().fit(frame, [row["item_id"] for row in rows])


def test_dishes_with_like_names_and_kitchens_are_alike() -> None:
    content = menu(
        {"item_id": "a", "name": "Beef noodle soup", "cuisine": "Lanzhou", "price_cents": 2000},
        {"item_id": "b", "name": "Spicy beef noodles soup", "cuisine": "Lanzhou", "price_cents": 2200},
        {"item_id": "c", "name": "Apple pie", "cuisine": "American", "price_cents": 900},
        {"item_id": "d"},
    )
    scores = content.similar_to(0)
    assert scores[0] == pytest.approx(1, abs=1e-5)
    assert scores[1] > scores[2]
    assert scores[3] == 0
    assert not content.similar_to(3).any()


def test_chinese_names_are_compared_by_pairs_of_characters() -> None:
    assert list(words_of("宫保鸡丁 Kung-Pao")) == ["宫保", "保鸡", "鸡丁", "kung", "pao"]
    assert list(words_of("汤")) == ["汤"]
    content = menu(
        {"item_id": "a", "name_zh": "牛肉面"},
        {"item_id": "b", "name_zh": "番茄牛肉面"},
        {"item_id": "c", "name_zh": "奶茶"},
    )
    scores = content.similar_to(0)
    assert scores[1] > 0.3
    assert scores[2] == 0


def test_a_taste_is_the_words_of_all_dishes_together() -> None:
    content = menu(
        {"item_id": "a", "name": "beef noodles"}, {"item_id": "b", "name": "beef pie"}, {"item_id": "c", "name": "tea"}
    )
    assert content.taste(np.array([0], np.int32))[1] > 0
    assert content.taste(np.array([0, 1], np.int32))[2] == 0
    assert not content.taste(np.empty(0, np.int32)).any()


@given(st.text(max_size=30))
def test_any_name_has_words_or_none_and_never_fails(name: str) -> None:
    assert all(word == word.casefold() for word in words_of(name))
