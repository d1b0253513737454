"""Which offers a customer may use now, which not and why, and in which order to show them.

Pure: the same terms and facts give the same answer, and nothing is reserved or counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from engine.clock import day_text, last_day_text
from engine.money import money_text
from engine.offers.basket import Basket
from engine.offers.facts import CustomerFacts
from engine.offers.offer import Offer, saving_on

# A date for "no end" in a sort key; the flag before it keeps such offers last.
NO_END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RefusalReason:
    """Why an offer is refused: a stable code and a sentence for the customer, in English and Chinese."""

    code: str
    en: str
    zh: str

    def text(self, language: str) -> str:
        """Return the sentence in `language`; English for all but zh."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True)
class Qualified:
    """The customer may use it now; `saving_cents` is what it takes off the basket given, None where none was given."""

    offer: Offer
    saving_cents: int | None


@dataclass(frozen=True, slots=True)
class NotQualified:
    """The customer may not; `shortfall_cents` is what the basket lacks when that alone is missing, else None."""

    offer: Offer
    reason: RefusalReason
    shortfall_cents: int | None = None


def qualify(
    offers: Iterable[Offer],
    customer: CustomerFacts,
    basket: Basket | None,
    *,
    at: datetime,
    zone: str | None,
    vendor_id: str | None,
    timezone: str,
) -> list[Qualified | NotQualified]:
    """Judge every offer by ALL its predicates; the first that fails, in the order below, is the reason.

    Days are those of the clock of `timezone`. Validity, zone, vendor, audience, redemptions, minimum spend. A `zone` or
    `vendor_id` of None is not known yet: an offer bound to zones or vendors still qualifies, as it may be used once one
    is chosen. Without a basket the minimum spend is not judged.
    """
    where = {"zone": zone, "vendor_id": vendor_id}
    return [_judge(offer, customer, basket, at=at, **where, timezone=timezone) for offer in offers]


def rank(qualified: Iterable[Qualified], customer: CustomerFacts, basket: Basket | None = None) -> list[Qualified]:
    """Order offers by what they would save the customer on their usual basket, most first.

    A first honest rule, not an estimate of what an offer changes: how likely they are to order anyway is not asked.
    Offers whose minimum spend is above the usual basket come after those within it; ties go to the sooner expiry, then
    to offer_id. Who has no usual basket is judged by the basket given, and without one by each offer's minimum spend.
    """
    return sorted(qualified, key=lambda each: _rank_key(each.offer, customer, basket))


def _judge(
    offer: Offer,
    customer: CustomerFacts,
    basket: Basket | None,
    *,
    at: datetime,
    zone: str | None,
    vendor_id: str | None,
    timezone: str,
) -> Qualified | NotQualified:
    reason = (
        _outside_validity(offer, at, timezone)
        or _outside_place(offer, zone, vendor_id)
        or _outside_audience(offer, customer)
        or _used_up(offer, customer)
    )
    if reason:
        return NotQualified(offer, reason)
    if basket is None:
        return Qualified(offer, None)
    shortfall = offer.min_spend_cents - basket.items_cents
    if shortfall > 0:
        return NotQualified(offer, _min_spend(offer, shortfall), shortfall)
    return Qualified(offer, saving_on(offer, basket))


def _outside_validity(offer: Offer, at: datetime, timezone: str) -> RefusalReason | None:
    if offer.valid_from is not None and at < offer.valid_from:
        day = day_text(offer.valid_from, timezone)
        return RefusalReason("not_yet_valid", f"starts on {day}", f"{day} 起可用")
    if offer.valid_until is not None and at >= offer.valid_until:
        day = last_day_text(offer.valid_until, timezone)
        return RefusalReason("expired", f"ended on {day}", f"已于 {day} 结束")
    return None


def _outside_place(offer: Offer, zone: str | None, vendor_id: str | None) -> RefusalReason | None:
    if offer.zones is not None and zone is not None and zone not in offer.zones:
        return RefusalReason("other_zone", "does not hold in this delivery zone", "该配送区域不可用")
    if offer.vendor_ids is not None and vendor_id is not None and vendor_id not in offer.vendor_ids:
        return RefusalReason("other_vendor", "does not hold at this restaurant", "该商家不可用")
    return None


def _outside_audience(offer: Offer, customer: CustomerFacts) -> RefusalReason | None:
    if offer.audience == "first_order" and customer.orders > 0:
        return RefusalReason("not_first_order", "only for a first order", "仅限首单使用")
    if offer.audience == "issued" and offer.offer_id not in customer.issued_offer_ids:
        return RefusalReason("not_issued", "only for those who were sent a coupon", "仅限收到优惠券的顾客")
    return None


def _used_up(offer: Offer, customer: CustomerFacts) -> RefusalReason | None:
    used = customer.redemptions_by_offer.get(offer.offer_id, 0)
    if offer.max_per_customer is not None and used >= offer.max_per_customer:
        return RefusalReason(
            "used_up", f"already used {used} of {offer.max_per_customer} times", f"已达使用上限（{used} 次）"
        )
    return None


def _min_spend(offer: Offer, shortfall: int) -> RefusalReason:
    more = money_text(shortfall, offer.currency)
    text, currency = offer.discount.shortfall, offer.currency
    return RefusalReason("below_min_spend", text(more, currency, "en"), text(more, currency, "zh"))


def _rank_key(offer: Offer, customer: CustomerFacts, basket: Basket | None) -> tuple[bool, int, bool, datetime, str]:
    fee = customer.usual_delivery_fee_cents
    if fee is None:
        fee = basket.delivery_fee_cents if basket else 0
    usual = customer.usual_basket_cents
    if usual is None:
        usual = basket.items_cents if basket else offer.min_spend_cents
    out_of_reach = usual < offer.min_spend_cents
    # The saving once the minimum spend is reached, so that offers out of reach have an order too.
    saving = saving_on(offer, Basket(max(usual, offer.min_spend_cents), fee))
    until = offer.valid_until
    return (out_of_reach, -saving, until is None, until or NO_END, offer.offer_id)
