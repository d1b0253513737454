"""Each kind saves by its figures, knows the most it takes off, and words itself in both languages."""

from __future__ import annotations

import pytest

from engine.offers.basket import Basket
from engine.offers.kinds.amount import Amount
from engine.offers.kinds.discount import OFFER_KINDS, Discount
from engine.offers.kinds.free_delivery import FreeDelivery
from engine.offers.kinds.percent import Percent


def test_the_kinds_of_the_house_are_found_by_their_files() -> None:
    assert {"percent": Percent, "amount": Amount, "free_delivery": FreeDelivery} == OFFER_KINDS


@pytest.mark.parametrize(
    ("discount", "basket", "saving"),
    [
        (Percent(2000, 500), Basket(2000), 400),
        (Percent(2000, 500), Basket(9000), 500),
        (Percent(1250), Basket(1004), 126),  # 125.5 rounds half up
        (Amount(500), Basket(300), 300),
        (Amount(500, 400), Basket(2000), 400),
        (FreeDelivery(), Basket(300, 250), 250),
        (FreeDelivery(200), Basket(300, 250), 200),
    ],
)
def test_a_kind_saves_by_its_figures(discount: Discount, basket: Basket, saving: int) -> None:
    assert discount.saving(basket) == saving


@pytest.mark.parametrize(
    ("discount", "ceiling"),
    [
        (Percent(2000), None), (Percent(2000, 500), 500), (Amount(500), 500), (Amount(500, 400), 400),
        (FreeDelivery(), None), (FreeDelivery(300), 300),
    ],
)  # fmt: skip
def test_a_kind_knows_the_most_it_takes_off(discount: Discount, ceiling: int | None) -> None:
    assert discount.ceiling_cents() == ceiling


@pytest.mark.parametrize(
    ("discount", "titles", "sentences"),
    [
        (Percent(1250), ("12.5% off", "立减 12.5%"), ("$3 more for 12.5% off", "再加 $3 可享 12.5% 优惠")),
        (Amount(500), ("$5 off", "立减 $5"), ("$3 more for $5 off", "再加 $3 立减 $5")),
        (FreeDelivery(), ("free delivery", "免配送费"), ("$3 more for free delivery", "再加 $3 免配送费")),
    ],
)
def test_a_kind_words_itself_in_both_languages(
    discount: Discount, titles: tuple[str, str], sentences: tuple[str, str]
) -> None:
    assert (discount.title("USD", "en"), discount.title("USD", "zh")) == titles
    assert (discount.shortfall("$3", "USD", "en"), discount.shortfall("$3", "USD", "zh")) == sentences
