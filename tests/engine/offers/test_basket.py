"""A basket is dishes and a fee, neither below 0."""

from __future__ import annotations

import pytest

from engine.offers.basket import Basket


def test_its_total_is_dishes_and_fee() -> None:
    assert Basket(2000, 300).total_cents == 2300


@pytest.mark.parametrize(("items", "fee"), [(-1, 0), (0, -1)])
def test_it_is_worth_0_or_more(items: int, fee: int) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        Basket(items, fee)
