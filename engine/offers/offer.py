"""What an offer is: its terms, what it saves on a basket, and how it reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Self, cast

import polars as pl

from engine.errors import BadDefinition, did_you_mean
from engine.money import money_text
from engine.offers.basket import Basket

OfferKind = Literal["percent", "amount", "free_delivery"]
OfferAudience = Literal["everyone", "first_order", "issued"]
KINDS: tuple[OfferKind, ...] = ("percent", "amount", "free_delivery")
AUDIENCES: tuple[OfferAudience, ...] = ("everyone", "first_order", "issued")
BASIS_POINTS = 10_000
TERMS_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The terms of an offer; amounts in minor units of `currency`.

    `percent_points` is hundredths of a percent, so 12.5 % is 1,250. None means: no cap, since ever, for ever,
    everywhere, at all vendors, no limit per customer. A `min_spend_cents` of 0 asks for nothing.
    """

    offer_id: str
    kind: OfferKind
    currency: str
    name: str | None = None
    name_zh: str | None = None
    percent_points: int = 0
    amount_cents: int = 0
    cap_cents: int | None = None
    min_spend_cents: int = 0
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    zones: frozenset[str] | None = None
    vendor_ids: frozenset[str] | None = None
    audience: OfferAudience = "everyone"
    max_per_customer: int | None = None

    @property
    def most_cents(self) -> int | None:
        """The most it can take off one basket; None where nothing bounds it."""
        if self.kind == "amount":
            return self.amount_cents if self.cap_cents is None else min(self.amount_cents, self.cap_cents)
        return self.cap_cents

    def title(self, language: str = "en") -> str:
        """Return the name in `language` (zh, or English for all else), made from the terms where it has none."""
        given = (self.name_zh or self.name) if language == "zh" else self.name
        if given:
            return given
        if self.kind == "free_delivery":
            return "免配送费" if language == "zh" else "free delivery"
        return f"立减 {self.worth(language)}" if language == "zh" else f"{self.worth(language)} off"

    def worth(self, language: str = "en") -> str:
        """Return what it takes off: `$5`, `20%`, `free delivery`."""
        if self.kind == "amount":
            return money_text(self.amount_cents, self.currency)
        if self.kind == "percent":
            return f"{self.percent_points / 100:g}%"
        return "免配送费" if language == "zh" else "free delivery"

    def to_terms(self) -> dict[str, object]:
        """Return every term, ready for JSON: instants in ISO 8601 (UTC), sets sorted, None where nothing is bound."""
        return {
            "version": TERMS_VERSION,
            "offer_id": self.offer_id,
            "kind": self.kind,
            "value": {
                "percent_points": self.percent_points,
                "amount_cents": self.amount_cents,
                "cap_cents": self.cap_cents,
            },
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

        Raises BadDefinition for terms of another version, or of a kind or audience nobody knows.
        """
        if terms.get("version") != TERMS_VERSION:
            raise BadDefinition(f"expected terms of version {TERMS_VERSION}", where="terms.version")
        kind, audience = str(terms["kind"]), str(terms["audience"])
        if kind not in KINDS:
            raise BadDefinition(f"unknown kind{did_you_mean(kind, KINDS)}", where="terms.kind")
        if audience not in AUDIENCES:
            raise BadDefinition(f"unknown audience{did_you_mean(audience, AUDIENCES)}", where="terms.audience")
        value = cast("Mapping[str, int | None]", terms["value"])
        return cls(
            offer_id=str(terms["offer_id"]),
            kind=kind,
            currency=str(terms["currency"]),
            name=cast("str | None", terms["name"]),
            name_zh=cast("str | None", terms["name_zh"]),
            percent_points=value["percent_points"] or 0,
            amount_cents=value["amount_cents"] or 0,
            cap_cents=value["cap_cents"],
            min_spend_cents=cast("int", terms["min_spend_cents"]),
            valid_from=_instant(terms["valid_from"]),
            valid_until=_instant(terms["valid_until"]),
            zones=_set(terms["zones"]),
            vendor_ids=_set(terms["vendor_ids"]),
            audience=audience,
            max_per_customer=cast("int | None", terms["max_per_customer"]),
        )


def saving_on(offer: Offer, basket: Basket) -> int:
    """Return what the offer takes off the basket, in minor units, from 0 to what the basket costs.

    0 where the dishes come to less than the offer's minimum spend. A percentage is rounded half up.
    """
    if basket.items_cents < offer.min_spend_cents:
        return 0
    if offer.kind == "percent":
        saving = (basket.items_cents * offer.percent_points + BASIS_POINTS // 2) // BASIS_POINTS
        most = basket.items_cents
    elif offer.kind == "amount":
        saving, most = offer.amount_cents, basket.items_cents
    else:
        saving, most = basket.delivery_fee_cents, basket.delivery_fee_cents
    if offer.cap_cents is not None:
        saving = min(saving, offer.cap_cents)
    return min(saving, most)


def offers_from(table: pl.DataFrame, *, currency: str) -> tuple[Offer, ...]:
    """Return the offers of a table with schema OFFERS, by offer_id; `currency` stands where a row names none.

    Raises BadDefinition naming the row whose terms make no offer.
    """
    return tuple(_offer_from(row, currency) for row in table.sort("offer_id").iter_rows(named=True))


def _offer_from(row: Mapping[str, object], currency: str) -> Offer:
    where = f"offers[{row['offer_id']}]"
    kind, audience = str(row["kind"]), str(row["audience"] or "everyone")
    if kind not in KINDS:
        raise BadDefinition(f"unknown kind{did_you_mean(kind, KINDS)}", where=f"{where}.kind")
    if audience not in AUDIENCES:
        raise BadDefinition(f"unknown audience{did_you_mean(audience, AUDIENCES)}", where=f"{where}.audience")
    percent = row["percent"]
    if kind == "percent" and not (isinstance(percent, float) and 0 < percent <= 100):
        raise BadDefinition("expected a percentage above 0 and up to 100", where=f"{where}.percent")
    amount = _cents(row, "amount_cents", where)
    if kind == "amount" and not amount:
        raise BadDefinition("expected an amount above 0", where=f"{where}.amount_cents")
    return Offer(
        offer_id=str(row["offer_id"]),
        kind=kind,
        currency=str(row["currency"] or currency),
        name=cast("str | None", row["name"]),
        name_zh=cast("str | None", row["name_zh"]),
        percent_points=round(percent * 100) if kind == "percent" and isinstance(percent, float) else 0,
        amount_cents=amount or 0,
        cap_cents=_cents(row, "cap_cents", where),
        min_spend_cents=_cents(row, "min_spend_cents", where) or 0,
        valid_from=cast("datetime | None", row["valid_from"]),
        valid_until=cast("datetime | None", row["valid_until"]),
        zones=_words(row["zones"]),
        vendor_ids=_words(row["vendor_ids"]),
        audience=audience,
        max_per_customer=_cents(row, "max_per_customer", where),
    )


def _cents(row: Mapping[str, object], name: str, where: str) -> int | None:
    value = row[name]
    if value is None:
        return None
    if not isinstance(value, int) or value < 0:
        raise BadDefinition("expected 0 or more", where=f"{where}.{name}")
    return value


def _words(value: object) -> frozenset[str] | None:
    words = frozenset(word.strip() for word in str(value or "").split("|") if word.strip())
    return words or None


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat()


def _instant(text: object) -> datetime | None:
    return None if text is None else datetime.fromisoformat(str(text))


def _sorted(words: Collection[str] | None) -> list[str] | None:
    return None if words is None else sorted(words)


def _set(words: object) -> frozenset[str] | None:
    return None if words is None else frozenset(cast("list[str]", words))
