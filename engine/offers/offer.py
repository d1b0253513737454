"""What an offer is: a discount with its scope and limits, and how it reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Self, TypeGuard, cast

from engine.errors import BadDefinition, did_you_mean
from engine.offers.basket import Basket
from engine.offers.kinds.discount import Discount, kind_named

OfferAudience = Literal["everyone", "first_order", "issued"]
AUDIENCES: tuple[OfferAudience, ...] = ("everyone", "first_order", "issued")
TERMS_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The terms of an offer; amounts in minor units of `currency`.

    None means: since ever, for ever, everywhere, at all vendors, no limit per customer. A `min_spend_cents` of 0 asks
    for nothing.
    """

    offer_id: str
    discount: Discount
    currency: str
    name: str | None = None
    name_zh: str | None = None
    min_spend_cents: int = 0
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    zones: frozenset[str] | None = None
    vendor_ids: frozenset[str] | None = None
    audience: OfferAudience = "everyone"
    max_per_customer: int | None = None

    @property
    def ceiling_cents(self) -> int | None:
        """The most it can take off one basket; None where nothing bounds it."""
        return self.discount.ceiling_cents()

    def title(self, language: str = "en") -> str:
        """Return the name in `language` (zh, or English for all else), made from the discount where it has none."""
        given = (self.name_zh or self.name) if language == "zh" else self.name
        return given or self.discount.title(self.currency, language)

    def worth(self, language: str = "en") -> str:
        """Return what it takes off: `$5`, `20%`, `free delivery`."""
        return self.discount.worth(self.currency, language)

    def to_terms(self) -> dict[str, object]:
        """Return every term, ready for JSON: instants in ISO 8601 (UTC), sets sorted, None where nothing is bound."""
        return {
            "version": TERMS_VERSION,
            "offer_id": self.offer_id,
            "kind": self.discount.kind,
            "discount": self.discount.to_terms(),
            "currency": self.currency,
            "name": self.name,
            "name_zh": self.name_zh,
            "min_spend_cents": self.min_spend_cents,
            "valid_from": _iso(self.valid_from),
            "valid_until": _iso(self.valid_until),
            "zones": _sorted(self.zones),
            "vendor_ids": _sorted(self.vendor_ids),
            "audience": self.audience,
            "max_per_customer": self.max_per_customer,
        }

    @classmethod
    def from_terms(cls, terms: Mapping[str, object]) -> Self:
        """Return the offer whose `to_terms` gave `terms`.

        Raises BadDefinition for terms of another version, that lack one, or of a kind or audience nobody knows.
        """
        if terms.get("version") != TERMS_VERSION:
            raise BadDefinition(f"expected terms of version {TERMS_VERSION}", where="terms.version")
        try:
            discount = kind_named(terms["kind"], "terms.kind")
            return cls(
                offer_id=str(terms["offer_id"]),
                discount=discount.from_terms(cast("Mapping[str, int | None]", terms["discount"])),
                currency=str(terms["currency"]),
                name=cast("str | None", terms["name"]),
                name_zh=cast("str | None", terms["name_zh"]),
                min_spend_cents=cast("int", terms["min_spend_cents"]),
                valid_from=_instant(terms["valid_from"]),
                valid_until=_instant(terms["valid_until"]),
                zones=_set(terms["zones"]),
                vendor_ids=_set(terms["vendor_ids"]),
                audience=audience_named(str(terms["audience"]), "terms.audience"),
                max_per_customer=cast("int | None", terms["max_per_customer"]),
            )
        except KeyError as error:
            raise BadDefinition("missing", where=f"terms.{error.args[0]}") from error


def saving_on(offer: Offer, basket: Basket) -> int:
    """Return what the offer takes off the basket, in minor units, from 0 to what the basket costs.

    0 where the dishes come to less than the offer's minimum spend.
    """
    if basket.items_cents < offer.min_spend_cents:
        return 0
    return min(offer.discount.saving(basket), basket.total_cents)


def audience_named(name: str, where: str) -> OfferAudience:
    """Return the audience of that name. Raises BadDefinition, with the nearest name, where there is none."""
    if not _is_audience(name):
        raise BadDefinition(f"unknown audience{did_you_mean(name, AUDIENCES)}", where=where)
    return name


def _is_audience(name: str) -> TypeGuard[OfferAudience]:
    return name in AUDIENCES


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat()


def _instant(text: object) -> datetime | None:
    return None if text is None else datetime.fromisoformat(str(text))


def _sorted(words: Collection[str] | None) -> list[str] | None:
    return None if words is None else sorted(words)


def _set(words: object) -> frozenset[str] | None:
    return None if words is None else frozenset(cast("list[str]", words))
