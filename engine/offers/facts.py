"""What qualification asks about a customer, read from their orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

LATEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerFacts:
    """What qualification asks about a customer.

    `orders` counts delivered orders (0 makes the next one the first). `usual_basket_cents` and
    `usual_delivery_fee_cents` are medians in minor units, None where no order has a known amount.
    `redemptions_by_offer` counts what was used; an offer not in it was never used. `issued_offer_ids` are the offers
    the customer holds an open coupon for.
    """

    customer_id: str
    orders: int
    usual_basket_cents: int | None = None
    usual_delivery_fee_cents: int | None = None
    redemptions_by_offer: Mapping[str, int] = field(default_factory=dict)
    issued_offer_ids: frozenset[str] = frozenset()


def customer_facts(orders: pl.LazyFrame, customer_id: str, *, offer_of_code: Mapping[str, str]) -> CustomerFacts:
    """Read the facts from `orders` (schema ORDERS); the usual order is the median of the latest 20, before discounts.

    An order that names a coupon's code counts as a redemption of the code's offer.
    """
    own = (
        orders.filter((pl.col("customer_id") == customer_id) & (pl.col("status") == "delivered"))
        .select("ordered_at", "order_cents", "discount_cents", "delivery_fee_cents", "offer_id")
        .sort("ordered_at")
        .collect()
    )
    fee = pl.col("delivery_fee_cents").fill_null(0)
    dishes = pl.col("order_cents") + pl.col("discount_cents").fill_null(0) - fee
    usual, usual_fee = own.tail(LATEST).drop_nulls("order_cents").select(dishes.median(), fee=fee.median()).row(0)
    return CustomerFacts(
        customer_id=customer_id,
        orders=own.height,
        usual_basket_cents=None if usual is None else round(usual),
        usual_delivery_fee_cents=None if usual_fee is None else round(usual_fee),
        redemptions_by_offer=Counter(offer_of_code.get(each, each) for each in own["offer_id"].drop_nulls()),
    )
