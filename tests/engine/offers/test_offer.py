"""An offer saves what its terms say and never more than the basket."""

from __future__ import annotations

from datetime import UTC

import orjson
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.columns import OFFERS
from engine.errors import BadDefinition
from engine.offers.basket import Basket
from engine.offers.offer import AUDIENCES, KINDS, Offer, offers_from, saving_on

offers = st.builds(
    Offer,
    offer_id=st.just("o"),
    kind=st.sampled_from(["percent", "amount", "free_delivery"]),
    currency=st.just("USD"),
    percent_points=st.integers(1, 10_000),
    amount_cents=st.integers(1, 10**6),
    cap_cents=st.one_of(st.none(), st.integers(0, 10**5)),
    min_spend_cents=st.integers(0, 10**5),
)
instants = st.datetimes(timezones=st.just(UTC))
scoped_offers = st.builds(
    Offer,
    offer_id=st.text(min_size=1),
    kind=st.sampled_from(KINDS),
    currency=st.sampled_from(["USD", "JPY", "OMR"]),
    name=st.none() | st.text(),
    name_zh=st.none() | st.text(),
    percent_points=st.integers(0, 10_000),
    amount_cents=st.integers(0, 10**9),
    cap_cents=st.none() | st.integers(0, 10**9),
    min_spend_cents=st.integers(0, 10**9),
    valid_from=st.none() | instants,
    valid_until=st.none() | instants,
    zones=st.none() | st.frozensets(st.text()),
    vendor_ids=st.none() | st.frozensets(st.text()),
    audience=st.sampled_from(AUDIENCES),
    max_per_customer=st.none() | st.integers(0, 100),
)
baskets = st.builds(Basket, st.integers(0, 10**6), st.integers(0, 5_000))


def table(**row: object) -> pl.DataFrame:
    return pl.DataFrame([{name: ({"offer_id": "x"} | row).get(name) for name in OFFERS}], schema=OFFERS)


@given(offers, baskets)
def test_a_saving_is_never_negative_nor_above_basket_or_cap(offer: Offer, basket: Basket) -> None:
    saving = saving_on(offer, basket)
    assert 0 <= saving <= basket.total_cents
    assert offer.cap_cents is None or saving <= offer.cap_cents
    assert offer.most_cents is None or saving <= offer.most_cents
    if basket.items_cents < offer.min_spend_cents:
        assert saving == 0


@given(offers, st.integers(0, 10**5), st.integers(0, 10**5))
def test_a_larger_basket_never_saves_less(offer: Offer, small: int, more: int) -> None:
    assert saving_on(offer, Basket(small, 300)) <= saving_on(offer, Basket(small + more, 300))


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


@given(scoped_offers)
def test_an_offer_is_read_back_whole_from_its_terms(offer: Offer) -> None:
    assert Offer.from_terms(orjson.loads(orjson.dumps(offer.to_terms()))) == offer


@pytest.mark.parametrize(
    ("change", "where"),
    [({"version": 2}, "terms.version"), ({"kind": "gift"}, "terms.kind"), ({"audience": "vips"}, "terms.audience")],
)
def test_terms_nobody_can_read_are_refused(change: dict[str, object], where: str) -> None:
    terms = Offer(offer_id="o", kind="amount", currency="USD", amount_cents=500).to_terms()
    with pytest.raises(BadDefinition) as refused:
        Offer.from_terms(terms | change)
    assert refused.value.where == where


def test_an_offer_without_a_name_is_named_by_its_terms() -> None:
    (offer,) = offers_from(table(kind="amount", amount_cents=500), currency="CNY")
    assert (offer.title("en"), offer.title("zh")) == ("¥5 off", "立减 ¥5")
    (named,) = offers_from(table(kind="free_delivery", name="Ride free", name_zh="免运费"), currency="CNY")
    assert (named.title("en"), named.title("zh"), named.title("fr")) == ("Ride free", "免运费", "Ride free")
