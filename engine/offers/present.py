"""How offers are shown to a customer: those to use now, best first, and what the others lack, each with a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from engine.money import money_text
from engine.offers.basket import Basket
from engine.offers.facts import CustomerFacts
from engine.offers.offer import Offer, saving_on
from engine.offers.qualify import NotQualified, Qualified, qualify, rank

OFFER_SENTENCES = {
    "saves_now": {"en": "Takes {worth} off this order", "zh": "本单立减 {worth}"},
    "saves_usually": {"en": "Takes {worth} off your usual order", "zh": "按您平时的订单可减 {worth}"},
    "add_to_use": {"en": "{worth} off when you add a little", "zh": "稍微凑单即可减 {worth}"},
    "yours": {"en": "Yours to use", "zh": "可直接使用"},
}
# Refusals a customer can change; the others (used up, not issued, expired) would only disappoint.
OPENABLE = frozenset({"below_min_spend", "other_zone", "other_vendor", "not_yet_valid"})


@dataclass(frozen=True, slots=True)
class HeldOffer:
    """An offer a customer holds a coupon for, with the coupon's code."""

    code: str
    offer: Offer


@dataclass(frozen=True, slots=True)
class ShownReason:
    """A stable code and its sentence in the customer's language."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class UsableOffer:
    """An offer to use now; `code` is None without a coupon, `saving_cents` without a basket."""

    offer_id: str
    name: str
    code: str | None
    saving_cents: int | None
    currency: str
    expires_at: str | None
    reason: ShownReason


@dataclass(frozen=True, slots=True)
class LockedOffer:
    """An offer the customer could open; `shortfall_cents` is what the basket lacks, None where it lacks nothing."""

    offer_id: str
    name: str
    code: str | None
    shortfall_cents: int | None
    reason: ShownReason


@dataclass(frozen=True, slots=True)
class ShownOffers:
    """Offers to use now, best first, and those the customer could open."""

    items: tuple[UsableOffer, ...]
    not_yet: tuple[LockedOffer, ...]


def present(
    offers: Iterable[Offer],
    held: Sequence[HeldOffer],
    facts: CustomerFacts,
    basket: Basket | None,
    *,
    at: datetime,
    zone: str | None,
    vendor_id: str | None,
    timezone: str,
    language: str,
    limit: int,
) -> ShownOffers:
    """Qualify, rank and word offers for a customer, days on the clock of `timezone`; a held offer replaces the one of
    `offers` it was issued from.
    """
    own = frozenset(each.offer.offer_id for each in held)
    open_to_all = [offer for offer in offers if offer.offer_id not in own]
    codes = [None] * len(open_to_all) + [each.code for each in held]
    facts = replace(facts, issued_offer_ids=own)
    judged = qualify(
        [*open_to_all, *(each.offer for each in held)],
        facts,
        basket,
        at=at,
        zone=zone,
        vendor_id=vendor_id,
        timezone=timezone,
    )
    code_of = {id(each): code for each, code in zip(judged, codes, strict=True)}
    ranked = rank((each for each in judged if isinstance(each, Qualified)), facts, basket)[:limit]
    refused = [each for each in judged if isinstance(each, NotQualified) and each.reason.code in OPENABLE]
    return ShownOffers(
        tuple(_usable(each, code_of[id(each)], facts, language) for each in ranked),
        tuple(_locked(each, code_of[id(each)], language) for each in refused),
    )


def _usable(each: Qualified, code: str | None, facts: CustomerFacts, language: str) -> UsableOffer:
    offer = each.offer
    if each.saving_cents:
        reason, saving = "saves_now", each.saving_cents
    elif each.saving_cents == 0 or facts.usual_basket_cents is None:  # free delivery of what is delivered free
        reason, saving = "yours", 0
    else:
        usual = Basket(facts.usual_basket_cents, facts.usual_delivery_fee_cents or 0)
        saving = saving_on(offer, usual)
        reason = "saves_usually" if saving else "add_to_use"
    worth = money_text(saving, offer.currency) if saving else offer.worth(language)
    text = OFFER_SENTENCES[reason]["zh" if language == "zh" else "en"].format(worth=worth)
    return UsableOffer(
        offer_id=offer.offer_id,
        name=offer.title(language),
        code=code,
        saving_cents=each.saving_cents,
        currency=offer.currency,
        expires_at=offer.valid_until.isoformat() if offer.valid_until else None,
        reason=ShownReason(reason, text),
    )


def _locked(each: NotQualified, code: str | None, language: str) -> LockedOffer:
    return LockedOffer(
        offer_id=each.offer.offer_id,
        name=each.offer.title(language),
        code=code,
        shortfall_cents=each.shortfall_cents,
        reason=ShownReason(each.reason.code, each.reason.text(language)),
    )
