"""Qualification honours every predicate, says why not, and ranks by what an offer would save."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.offers.basket import Basket
from engine.offers.facts import CustomerFacts
from engine.offers.kinds.amount import Amount
from engine.offers.kinds.free_delivery import FreeDelivery
from engine.offers.kinds.percent import Percent
from engine.offers.offer import Offer, saving_on
from engine.offers.qualify import NotQualified, Qualified, qualify, rank

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MEI = CustomerFacts(customer_id="mei", orders=4, usual_basket_cents=2500, usual_delivery_fee_cents=300)
FIVE_OFF = Offer(offer_id="five", discount=Amount(500), currency="USD", min_spend_cents=2000)


def judge(
    offer: Offer, customer: CustomerFacts = MEI, basket: Basket | None = Basket(3000)
) -> Qualified | NotQualified:
    (found,) = qualify([offer], customer, basket, at=NOW, zone="north", vendor_id="v1", timezone="UTC")
    return found


@pytest.mark.parametrize(
    ("offer", "code"),
    [
        (replace(FIVE_OFF, valid_from=NOW + timedelta(seconds=1)), "not_yet_valid"),
        (replace(FIVE_OFF, valid_until=NOW), "expired"),
        (replace(FIVE_OFF, zones=frozenset({"south"})), "other_zone"),
        (replace(FIVE_OFF, vendor_ids=frozenset({"v2"})), "other_vendor"),
        (replace(FIVE_OFF, audience="first_order"), "not_first_order"),
        (replace(FIVE_OFF, audience="issued"), "not_issued"),
        (replace(FIVE_OFF, max_per_customer=0), "used_up"),
        (replace(FIVE_OFF, min_spend_cents=3001), "below_min_spend"),
    ],
)
def test_each_predicate_refuses_with_its_own_reason_in_both_languages(offer: Offer, code: str) -> None:
    found = judge(offer)
    assert isinstance(found, NotQualified)
    assert found.reason.code == code
    assert found.reason.text("en") != found.reason.text("zh")
    assert all(found.reason.text(language) for language in ("en", "zh"))


@pytest.mark.parametrize(
    "offer",
    [
        FIVE_OFF,
        replace(FIVE_OFF, valid_from=NOW, valid_until=NOW + timedelta(seconds=1)),
        replace(FIVE_OFF, zones=frozenset({"north"}), vendor_ids=frozenset({"v1"})),
        replace(FIVE_OFF, max_per_customer=1),
    ],
)
def test_an_offer_whose_predicates_all_hold_qualifies_and_says_what_it_saves(offer: Offer) -> None:
    assert judge(offer) == Qualified(offer, 500)


def test_who_holds_a_coupon_or_orders_first_qualifies() -> None:
    issued = replace(FIVE_OFF, audience="issued")
    assert isinstance(judge(issued, replace(MEI, issued_offer_ids=frozenset({"five"}))), Qualified)
    first = replace(FIVE_OFF, audience="first_order")
    assert isinstance(judge(first, replace(MEI, orders=0)), Qualified)


def test_redemptions_count_per_offer() -> None:
    offer = replace(FIVE_OFF, max_per_customer=2)
    assert isinstance(judge(offer, replace(MEI, redemptions_by_offer={"five": 1, "other": 9})), Qualified)
    assert isinstance(judge(offer, replace(MEI, redemptions_by_offer={"five": 2})), NotQualified)


@pytest.mark.parametrize(
    ("currency", "spend", "amount", "basket", "en", "zh"),
    [
        ("USD", 2000, 500, 1680, "$3.20 more for $5 off", "再加 $3.20 立减 $5"),
        ("JPY", 2000, 500, 1680, "¥320 more for ¥500 off", "再加 ¥320 立减 ¥500"),
        ("OMR", 2000, 500, 1680, "OMR 0.320 more for OMR 0.500 off", "再加 OMR 0.320 立减 OMR 0.500"),
    ],
)
def test_the_shortfall_is_said_in_the_currencys_digits(
    currency: str, spend: int, amount: int, basket: int, en: str, zh: str
) -> None:
    offer = replace(FIVE_OFF, currency=currency, min_spend_cents=spend, discount=Amount(amount))
    found = judge(offer, basket=Basket(basket))
    assert isinstance(found, NotQualified)
    assert found.shortfall_cents == spend - basket
    assert (found.reason.en, found.reason.zh) == (en, zh)


@given(st.integers(0, 5_000))
def test_adding_the_shortfall_makes_it_qualify(items: int) -> None:
    found = judge(FIVE_OFF, basket=Basket(items))
    if isinstance(found, NotQualified):
        assert found.shortfall_cents is not None
        assert judge(FIVE_OFF, basket=Basket(items + found.shortfall_cents)) == Qualified(FIVE_OFF, 500)
    else:
        assert found.saving_cents == saving_on(FIVE_OFF, Basket(items)) == 500


def test_a_zone_nobody_named_yet_refuses_nothing() -> None:
    offer = replace(FIVE_OFF, zones=frozenset({"south"}), vendor_ids=frozenset({"v9"}))
    (found,) = qualify([offer], MEI, None, at=NOW, zone=None, vendor_id=None, timezone="UTC")
    assert found == Qualified(offer, None)


def test_ranking_is_by_the_saving_on_the_usual_basket_and_out_of_reach_comes_last() -> None:
    within = [
        Offer(offer_id="small", discount=Amount(300), currency="USD"),
        Offer(offer_id="best", discount=Percent(2000), currency="USD"),
        Offer(offer_id="fee", discount=FreeDelivery(), currency="USD"),
    ]
    far = Offer(offer_id="far", discount=Amount(2000), currency="USD", min_spend_cents=8000)
    ranked = rank([Qualified(each, None) for each in [far, *within]], MEI)
    assert [each.offer.offer_id for each in ranked] == ["best", "fee", "small", "far"]


def test_equal_savings_go_to_the_sooner_end_then_to_the_id() -> None:
    plain = Offer(offer_id="b", discount=Amount(300), currency="USD")
    soon = replace(plain, offer_id="z", valid_until=NOW + timedelta(days=1))
    later = replace(plain, offer_id="y", valid_until=NOW + timedelta(days=9))
    ranked = rank([Qualified(each, None) for each in [plain, later, replace(plain, offer_id="a"), soon]], MEI)
    assert [each.offer.offer_id for each in ranked] == ["z", "y", "a", "b"]
