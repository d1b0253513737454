"""The offer of a campaign: written in its definition, or named from the offers table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import polars as pl

from engine.errors import BadDefinition, did_you_mean
from engine.language import LANGUAGES
from engine.offers.kinds.discount import kind_named
from engine.offers.kinds.fields import amount_of
from engine.offers.offer import Offer
from engine.offers.table import offers_from

SHARED = ("kind", "name", "valid_days", "min_spend")
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
    kind = kind_named(tree.get("kind"), "offer.kind")
    _refuse_unknown(tree, (*SHARED, *(each.name for each in kind.fields.values() if each.in_definition)))
    min_spend = None if tree.get("min_spend") is None else amount_of(tree["min_spend"], currency, "min_spend")
    name, name_zh = _names(tree.get("name"))
    offer = Offer(
        offer_id=f"campaign:{campaign_id}",
        currency=currency,
        audience="issued",
        max_per_customer=1,
        min_spend_cents=min_spend or 0,
        name=name,
        name_zh=name_zh,
        discount=kind.from_definition(tree, currency),
    )
    return OfferTerms(offer, None, valid_days)


def _names(value: object) -> tuple[str | None, str | None]:
    if value is None:
        return None, None
    if isinstance(value, str) and value.strip():
        return value.strip(), None
    if isinstance(value, Mapping) and value and all(isinstance(each, str) and each for each in value.values()):
        for language in value:
            if language not in LANGUAGES:
                raise BadDefinition("unknown language; valid are en, zh", where=f"offer.name.{language}")
        return cast("str | None", value.get("en")), cast("str | None", value.get("zh"))
    raise BadDefinition("expected text, or `en:` and `zh:`", where="offer.name")


def _refuse_unknown(tree: Mapping[object, object], valid: tuple[str, ...]) -> None:
    for name in tree:
        if name not in valid:
            raise BadDefinition(f"unknown field{did_you_mean(str(name), valid)}", where=f"offer.{name}")
