"""A fixed amount off the dishes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from engine.money import money_text
from engine.offers.basket import Basket
from engine.offers.kinds.discount import Discount, register_kind
from engine.offers.kinds.fields import CAP, AmountField, TermField, capped


@register_kind
@dataclass(frozen=True, slots=True)
class Amount(Discount):
    """`amount_cents` off the dishes, and never more than they cost. A table's row may cap it too."""

    kind: ClassVar[str] = "amount"
    fields: ClassVar[Mapping[str, TermField]] = {
        "amount_cents": AmountField(
            name="amount", column="amount_cents", required=True, missing="what it takes off in {currency}"
        ),
        "cap_cents": replace(CAP, in_definition=False),
    }
    amount_cents: int
    cap_cents: int | None = None

    def saving(self, basket: Basket) -> int:
        return min(capped(self.amount_cents, self.cap_cents), basket.items_cents)

    def ceiling_cents(self) -> int:
        return capped(self.amount_cents, self.cap_cents)

    def worth(self, currency: str, language: str) -> str:
        return money_text(self.amount_cents, currency)
