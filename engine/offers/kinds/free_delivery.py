"""The delivery fee, up to a cap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from engine.offers.basket import Basket
from engine.offers.kinds.discount import Discount, register_kind
from engine.offers.kinds.fields import CAP, TermField, capped


@register_kind
@dataclass(frozen=True, slots=True)
class FreeDelivery(Discount):
    """What delivery costs; no cap where None."""

    kind: ClassVar[str] = "free_delivery"
    fields: ClassVar[Mapping[str, TermField]] = {"cap_cents": CAP}
    cap_cents: int | None = None

    def saving(self, basket: Basket) -> int:
        return capped(basket.delivery_fee_cents, self.cap_cents)

    def ceiling_cents(self) -> int | None:
        return self.cap_cents

    def worth(self, currency: str, language: str) -> str:
        return "免配送费" if language == "zh" else "free delivery"

    def title(self, currency: str, language: str) -> str:
        return self.worth(currency, language)

    def shortfall(self, more: str, currency: str, language: str) -> str:
        worth = self.worth(currency, language)
        return f"再加 {more} {worth}" if language == "zh" else f"{more} more for {worth}"
