"""A row of the offers table makes an offer that saves by its terms, or is refused with row and column."""

from __future__ import annotations

import polars as pl
import pytest

from engine.columns import OFFERS
from engine.errors import BadDefinition
from engine.offers.basket import Basket
from engine.offers.offer import saving_on
from engine.offers.table import offers_from


def table(**row: object) -> pl.DataFrame:
    return pl.DataFrame([{name: ({"offer_id": "x"} | row).get(name) for name in OFFERS}], schema=OFFERS)


@pytest.mark.parametrize(
    ("row", "basket", "saving"),
    [
        ({"kind": "percent", "percent": 20.0, "cap_cents": 500}, Basket(2000), 400),
        ({"kind": "percent", "percent": 20.0, "cap_cents": 500}, Basket(9000), 500),
        ({"kind": "percent", "percent": 12.5}, Basket(1004), 126),  # 125.5 rounds half up
        ({"kind": "amount", "amount_cents": 500, "min_spend_cents": 2000}, Basket(1999), 0),
        ({"kind": "amount", "amount_cents": 500, "min_spend_cents": 2000}, Basket(2000), 500),
        ({"kind": "amount", "amount_cents": 500}, Basket(300), 300),
        ({"kind": "free_delivery"}, Basket(300, 250), 250),
        ({"kind": "free_delivery", "cap_cents": 200}, Basket(300, 250), 200),
    ],
)
def test_each_kind_saves_by_its_terms(row: dict[str, object], basket: Basket, saving: int) -> None:
    (offer,) = offers_from(table(**row), currency="USD")
    assert saving_on(offer, basket) == saving


@pytest.mark.parametrize(
    ("row", "where"),
    [
        ({"kind": "percents"}, "offers[x].kind"),
        ({"kind": "percent"}, "offers[x].percent"),
        ({"kind": "percent", "percent": 120.0}, "offers[x].percent"),
        ({"kind": "amount"}, "offers[x].amount_cents"),
        ({"kind": "amount", "amount_cents": 5, "audience": "vips"}, "offers[x].audience"),
        ({"kind": "free_delivery", "min_spend_cents": -1}, "offers[x].min_spend_cents"),
    ],
)
def test_terms_that_make_no_offer_name_row_and_field(row: dict[str, object], where: str) -> None:
    with pytest.raises(BadDefinition) as refused:
        offers_from(table(**row), currency="USD")
    assert refused.value.where == where
