"""A basket: what an offer is applied to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Basket:
    """A cart: dishes before any discount and the delivery fee beside them, both in minor units.

    A fee of 0 means delivery is free or not known; a free-delivery offer then saves nothing.
    """

    items_cents: int
    delivery_fee_cents: int = 0

    def __post_init__(self) -> None:
        if self.items_cents < 0 or self.delivery_fee_cents < 0:
            raise ValueError("a basket is worth 0 or more")

    @property
    def total_cents(self) -> int:
        """What the customer would pay without any offer."""
        return self.items_cents + self.delivery_fee_cents
