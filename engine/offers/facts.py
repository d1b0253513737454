"""What qualification asks about a customer, read from their orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from engine.events.orders import DELIVERED, UNDONE_STATUSES

LATEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerFacts:
    """What qualification asks about a customer.

    `orders` counts orders that stand, those on their way included (0 makes the next one the first).
    `usual_basket_cents` and `usual_delivery_fee_cents` are medians of delivered ones in minor units, None where no
    amount is known. `redemptions_by_offer` counts what was used; an offer not in it was never used. `issued_offer_ids`
    are the offers the customer holds an open coupon for.
    """

    customer_id: str
    orders: int
    usual_basket_cents: int | None = None
    usual_delivery_fee_cents: int | None = None
    redemptions_by_offer: Mapping[str, int] = field(default_factory=dict)
    issued_offer_ids: frozenset[str] = frozenset()


def customer_facts(orders: pl.LazyFrame, customer_id: str, *, offer_of_code: Mapping[str, str]) -> CustomerFacts:
    """Read the facts from `orders` (schema ORDERS); the usual order is the median of the latest 20, before discounts.

    An order that names a coupon's code counts as a redemption of the code's offer. An order on its way holds what it
    used; a cancelled, rejected or refunded one gives it back.
    """
    standing = (
        orders.filter((pl.col("customer_id") == customer_id) & ~pl.col("status").is_in(UNDONE_STATUSES))
        .filter(~(pl.col("order_cents") < 0).fill_null(False))
        .select("ordered_at", "order_cents", "discount_cents", "delivery_fee_cents", "offer_id", "status")
        .sort("ordered_at")
        .collect()
    )
    own = standing.filter(pl.col("status") == DELIVERED)
    fee = pl.col("delivery_fee_cents").fill_null(0)
    dishes = pl.col("order_cents") + pl.col("discount_cents").fill_null(0) - fee
    usual, usual_fee = own.tail(LATEST).drop_nulls("order_cents").select(dishes.median(), fee=fee.median()).row(0)
    return CustomerFacts(
        customer_id=customer_id,
        orders=standing.height,
        usual_basket_cents=None if usual is None else round(usual),
        usual_delivery_fee_cents=None if usual_fee is None else round(usual_fee),
        redemptions_by_offer=Counter(offer_of_code.get(each, each) for each in standing["offer_id"].drop_nulls()),
    )
