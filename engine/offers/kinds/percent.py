"""A share of the dishes' price, up to a cap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from engine.offers.basket import Basket
from engine.offers.kinds.discount import Discount, register_kind
from engine.offers.kinds.fields import CAP, PercentField, TermField, capped

BASIS_POINTS = 10_000


@register_kind
@dataclass(frozen=True, slots=True)
class Percent(Discount):
    """A share of the dishes' price, rounded half up; `percent_points` is hundredths of a percent. No cap where None."""

    kind: ClassVar[str] = "percent"
    fields: ClassVar[Mapping[str, TermField]] = {
        "cap_cents": CAP,
        "percent_points": PercentField(name="percent", column="percent", required=True),
    }
    percent_points: int
    cap_cents: int | None = None

    def saving(self, basket: Basket) -> int:
        return capped((basket.items_cents * self.percent_points + BASIS_POINTS // 2) // BASIS_POINTS, self.cap_cents)

    def ceiling_cents(self) -> int | None:
        return self.cap_cents

    def worth(self, currency: str, language: str) -> str:
        return f"{self.percent_points / 100:g}%"

    def shortfall(self, more: str, currency: str, language: str) -> str:
        share = self.worth(currency, language)
        return f"再加 {more} 可享 {share} 优惠" if language == "zh" else f"{more} more for {share} off"
