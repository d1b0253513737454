"""The offer of a campaign: written in its definition, or named from the offers table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import polars as pl

from engine.errors import BadDefinition, did_you_mean
from engine.money import minor_units
from engine.offers.offer import KINDS, Offer, OfferKind, offers_from

FIELDS: Mapping[str, tuple[str, ...]] = {
    "percent": ("percent", "cap", "min_spend"),
    "amount": ("amount", "min_spend"),
    "free_delivery": ("cap", "min_spend"),
}
SHARED = ("kind", "name", "valid_days")
DEFAULT_VALID_DAYS = 14


@dataclass(frozen=True, slots=True)
class OfferTerms:
    """What a campaign gives. Exactly one of `offer` (written in place) and `offer_id` (of the offers table) is set.

    A coupon holds for `valid_days` from the launch, and no longer than the offer itself.
    """

    offer: Offer | None
    offer_id: str | None
    valid_days: int

    def resolve(self, offers: pl.DataFrame, *, currency: str) -> Offer:
        """Return the offer; `offers` has schema OFFERS.

        Raises BadDefinition when the table has no such offer.
        """
        if self.offer is not None:
            return self.offer
        found = offers.filter(pl.col("offer_id") == self.offer_id)
        if found.is_empty():
            hint = did_you_mean(str(self.offer_id), offers["offer_id"].to_list()) if offers.height else ""
            raise BadDefinition(
                f"no offer {self.offer_id!r} is imported{hint}; import it with `regulars import offers FILE`",
                where="offer.offer_id",
            )
        return offers_from(found, currency=currency)[0]


def parse_terms(tree: object, *, campaign_id: str, currency: str) -> OfferTerms | None:
    """Return the offer of a definition, None where it has none; amounts are in major units of `currency`.

    Raises BadDefinition with the field's path.
    """
    if tree is None:
        return None
    if not isinstance(tree, Mapping):
        raise BadDefinition("expected `kind: amount` with its terms, or `offer_id:`", where="offer")
    valid_days = tree.get("valid_days", DEFAULT_VALID_DAYS)
    if isinstance(valid_days, bool) or not isinstance(valid_days, int) or not 1 <= valid_days <= 365:
        raise BadDefinition("expected whole days from 1 to 365", where="offer.valid_days")
    if "offer_id" in tree:
        _refuse_unknown(tree, ("offer_id", "valid_days"))
        offer_id = tree["offer_id"]
        if not isinstance(offer_id, str) or not offer_id:
            raise BadDefinition("expected the offer's id as text", where="offer.offer_id")
        return OfferTerms(None, offer_id, valid_days)
    kind = tree.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise BadDefinition(f"unknown kind{did_you_mean(str(kind), KINDS)}", where="offer.kind")
    _refuse_unknown(tree, (*SHARED, *FIELDS[kind]))
    offer = Offer(
        offer_id=f"campaign:{campaign_id}",
        kind=kind,
        currency=currency,
        audience="issued",
        max_per_customer=1,
        min_spend_cents=_money(tree, "min_spend", currency) or 0,
    )
    return OfferTerms(_with_worth(offer, tree, kind, currency), None, valid_days)


def _with_worth(offer: Offer, tree: Mapping[object, object], kind: OfferKind, currency: str) -> Offer:
    name, name_zh = _names(tree.get("name"))
    offer = replace(offer, name=name, name_zh=name_zh)
    if kind == "amount":
        amount = _money(tree, "amount", currency)
        if not amount:
            raise BadDefinition(f"missing; what it takes off in {currency}", where="offer.amount")
        return replace(offer, amount_cents=amount)
    cap = _money(tree, "cap", currency)
    if not cap:
        raise BadDefinition(
            f"missing; the most one coupon may cost in {currency}, else a plan has no cost ceiling", where="offer.cap"
        )
    if kind == "free_delivery":
        return replace(offer, cap_cents=cap)
    percent = tree.get("percent")
    if isinstance(percent, bool) or not isinstance(percent, int | float) or not 0.01 <= percent <= 100:
        raise BadDefinition("expected a percentage from 0.01 to 100", where="offer.percent")
    return replace(offer, percent_points=round(percent * 100), cap_cents=cap)


def _money(tree: Mapping[object, object], name: str, currency: str) -> int | None:
    if tree.get(name) is None:
        return None
    cents = minor_units(tree[name], currency)
    if cents is None or cents <= 0:
        raise BadDefinition(f"expected an amount in {currency} above 0, such as 5", where=f"offer.{name}")
    return cents


def _names(value: object) -> tuple[str | None, str | None]:
    if value is None:
        return None, None
    if isinstance(value, str) and value.strip():
        return value.strip(), None
    if isinstance(value, Mapping) and value and all(isinstance(each, str) and each for each in value.values()):
        for language in value:
            if language not in ("en", "zh"):
                raise BadDefinition("unknown language; valid are en, zh", where=f"offer.name.{language}")
        return cast("str | None", value.get("en")), cast("str | None", value.get("zh"))
    raise BadDefinition("expected text, or `en:` and `zh:`", where="offer.name")


def _refuse_unknown(tree: Mapping[object, object], valid: tuple[str, ...]) -> None:
    for name in tree:
        if name not in valid:
            raise BadDefinition(f"unknown field{did_you_mean(str(name), valid)}", where=f"offer.{name}")
