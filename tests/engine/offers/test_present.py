"""Offers are shown best first with a sentence each; of the refused ones only those a customer can open."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from engine.offers.basket import Basket
from engine.offers.facts import CustomerFacts
from engine.offers.kinds.amount import Amount
from engine.offers.kinds.free_delivery import FreeDelivery
from engine.offers.offer import Offer
from engine.offers.present import HeldOffer, ShownOffers, present

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MEI = CustomerFacts(customer_id="mei", orders=4, usual_basket_cents=2500, usual_delivery_fee_cents=300)
FIVE = Offer(offer_id="five", discount=Amount(500), currency="USD", min_spend_cents=2000)
RIDE = Offer(offer_id="ride", discount=FreeDelivery(), currency="USD")


def show(
    *offers: Offer,
    held: tuple[HeldOffer, ...] = (),
    basket: Basket | None = None,
    facts: CustomerFacts = MEI,
    language: str = "en",
    limit: int = 9,
) -> ShownOffers:
    return present(
        offers, held, facts, basket, at=NOW, zone="z1", vendor_id="v1", timezone="UTC", language=language, limit=limit
    )


@pytest.mark.parametrize(
    ("offer", "basket", "facts", "code", "text"),
    [
        (FIVE, Basket(3000), MEI, "saves_now", "Takes $5 off this order"),
        (FIVE, None, MEI, "saves_usually", "Takes $5 off your usual order"),
        (FIVE, None, replace(MEI, usual_basket_cents=900), "add_to_use", "$5 off when you add a little"),
        (FIVE, None, replace(MEI, usual_basket_cents=None), "yours", "Yours to use"),
        (RIDE, Basket(3000), MEI, "yours", "Yours to use"),
    ],
)
def test_each_offer_says_what_it_saves(
    offer: Offer, basket: Basket | None, facts: CustomerFacts, code: str, text: str
) -> None:
    (item,) = show(offer, basket=basket, facts=facts).items
    assert (item.reason.code, item.reason.text) == (code, text)


def test_sentences_are_chinese_for_a_chinese_reader() -> None:
    assert show(FIVE, basket=Basket(3000), language="zh").items[0].reason.text == "本单立减 $5"
    assert show(FIVE, basket=Basket(1500), language="zh").not_yet[0].reason.text == "再加 $5 立减 $5"


def test_a_held_offer_replaces_the_one_it_came_from_and_carries_its_code() -> None:
    held = HeldOffer(
        "ABCD", replace(FIVE, discount=Amount(900), audience="issued", valid_until=datetime(2027, 1, 1, tzinfo=UTC))
    )
    (item,) = show(FIVE, held=(held,), basket=Basket(3000)).items
    assert (item.code, item.saving_cents, item.expires_at) == ("ABCD", 900, "2027-01-01T00:00:00+00:00")


def test_what_a_customer_cannot_change_is_left_out() -> None:
    shown = show(
        replace(FIVE, zones=frozenset({"z9"})),
        replace(FIVE, offer_id="gone", valid_until=NOW),
        replace(FIVE, offer_id="sent", audience="issued"),
        replace(FIVE, offer_id="more", min_spend_cents=4000),
        basket=Basket(3000),
    )
    assert shown.items == ()
    assert {each.offer_id: (each.reason.code, each.shortfall_cents) for each in shown.not_yet} == {
        "five": ("other_zone", None),
        "more": ("below_min_spend", 1000),
    }


def test_the_limit_keeps_the_best() -> None:
    (item,) = show(RIDE, FIVE, basket=Basket(3000, 200), limit=1).items
    assert item.offer_id == "five"


@pytest.mark.parametrize(
    ("timezone", "starts"), [("Asia/Shanghai", "2026-03-08"), ("UTC", "2026-03-07"), ("America/New_York", "2026-03-07")]
)
def test_days_are_those_of_the_readers_clock(timezone: str, starts: str) -> None:
    """Midnight of the 8th in Shanghai is still the 7th in Greenwich."""
    later = replace(FIVE, valid_from=datetime(2026, 3, 7, 16, tzinfo=UTC))
    for language, sentence in (("en", f"starts on {starts}"), ("zh", f"{starts} 起可用")):
        shown = present(
            [later], (), MEI, None, at=NOW, zone=None, vendor_id=None, timezone=timezone, language=language, limit=9
        )
        assert shown.not_yet[0].reason.text == sentence
