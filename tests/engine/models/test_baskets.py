"""Orders as compressed rows."""

from __future__ import annotations

from engine.models.baskets import user_items
from tests.baskets import empty_baskets, learned_from


def test_user_items_counts_the_baskets_with_each_dish() -> None:
    data = learned_from({"ann": [(0, ["soup"]), (1, ["soup", "tea"])], "bob": [(0, ["tea"])]})
    assert user_items(data.baskets).toarray().tolist() == [[2.0, 1.0], [0.0, 1.0]]


def test_user_items_is_counted_once() -> None:
    baskets = learned_from({"ann": [(0, ["soup"])]}).baskets
    assert user_items(baskets) is user_items(baskets)


def test_customers_without_an_order_are_counted_as_customers() -> None:
    baskets = empty_baskets(3, 2)
    assert (baskets.n_customers, baskets.n_baskets) == (3, 0)
    assert user_items(baskets).shape == (3, 2)
