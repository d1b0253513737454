"""An offer saves what its terms say and never more than the basket."""

from __future__ import annotations

from datetime import UTC

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadDefinition
from engine.offers.basket import Basket
from engine.offers.kinds.amount import Amount
from engine.offers.kinds.free_delivery import FreeDelivery
from engine.offers.kinds.percent import Percent
from engine.offers.offer import AUDIENCES, Offer, saving_on

cents = st.integers(0, 10**6)
discounts = (
    st.builds(Percent, st.integers(1, 10_000), st.none() | cents)
    | st.builds(Amount, st.integers(1, 10**6), st.none() | cents)
    | st.builds(FreeDelivery, st.none() | cents)
)
instants = st.datetimes(timezones=st.just(UTC))
offers = st.builds(
    Offer,
    offer_id=st.text(min_size=1),
    discount=discounts,
    currency=st.sampled_from(["USD", "JPY", "OMR"]),
    name=st.none() | st.text(),
    name_zh=st.none() | st.text(),
    min_spend_cents=st.integers(0, 10**5),
    valid_from=st.none() | instants,
    valid_until=st.none() | instants,
    zones=st.none() | st.frozensets(st.text()),
    vendor_ids=st.none() | st.frozensets(st.text()),
    audience=st.sampled_from(AUDIENCES),
    max_per_customer=st.none() | st.integers(0, 100),
)
baskets = st.builds(Basket, st.integers(0, 10**6), st.integers(0, 5_000))


@given(offers, baskets)
def test_a_saving_is_never_negative_nor_above_basket_or_ceiling(offer: Offer, basket: Basket) -> None:
    saving = saving_on(offer, basket)
    assert 0 <= saving <= basket.total_cents
    assert offer.ceiling_cents is None or saving <= offer.ceiling_cents
    if basket.items_cents < offer.min_spend_cents:
        assert saving == 0


@given(offers, st.integers(0, 10**5), st.integers(0, 10**5))
def test_a_larger_basket_never_saves_less(offer: Offer, small: int, more: int) -> None:
    assert saving_on(offer, Basket(small, 300)) <= saving_on(offer, Basket(small + more, 300))


@given(offers)
def test_an_offer_is_read_back_whole_from_its_terms(offer: Offer) -> None:
    assert Offer.from_terms(orjson.loads(orjson.dumps(offer.to_terms()))) == offer


@pytest.mark.parametrize(
    ("change", "where"),
    [({"version": 2}, "terms.version"), ({"kind": "gift"}, "terms.kind"), ({"audience": "vips"}, "terms.audience")],
)
def test_terms_nobody_can_read_are_refused(change: dict[str, object], where: str) -> None:
    terms = Offer(offer_id="o", discount=Amount(500), currency="USD").to_terms()
    with pytest.raises(BadDefinition) as refused:
        Offer.from_terms(terms | change)
    assert refused.value.where == where


@pytest.mark.parametrize("change", ["kind", "discount", "zones"])
def test_terms_that_lack_one_are_refused(change: str) -> None:
    terms = Offer(offer_id="o", discount=Amount(500), currency="USD").to_terms()
    del terms[change]
    with pytest.raises(BadDefinition, match="missing") as refused:
        Offer.from_terms(terms)
    assert refused.value.where == f"terms.{change}"


def test_an_offer_without_a_name_is_named_by_its_discount() -> None:
    offer = Offer(offer_id="o", discount=Amount(500), currency="CNY")
    assert (offer.title("en"), offer.title("zh")) == ("¥5 off", "立减 ¥5")
    named = Offer(offer_id="o", discount=FreeDelivery(), currency="CNY", name="Ride free", name_zh="免运费")
    assert (named.title("en"), named.title("zh"), named.title("fr")) == ("Ride free", "免运费", "Ride free")
