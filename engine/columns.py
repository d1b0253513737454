"""Every column of the canonical tables: name, dtype and meaning, written once.

Conventions: instants are UTC and end in `_at`; money is integer minor units of the row's currency and ends in
`_cents` (minor units: yen have none, Omani rials have three digits); null means unknown, never zero.
Foreign names, zones and units are translated to these at the border (`engine.imports.intake`).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

UTC_INSTANT = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: a row without a `required` one is refused."""

    name: str
    dtype: pl.DataType | type[pl.DataType]
    about: str
    required: bool = False


def _schema(columns: tuple[Column, ...]) -> dict[str, pl.DataType | type[pl.DataType]]:
    return {c.name: c.dtype for c in columns}


ORDER_COLUMNS = (
    Column(
        "order_id",
        pl.String,
        "Unique over all history; derived from customer and instant where a file has none.",
        True,
    ),
    Column("customer_id", pl.String, "Who ordered.", True),
    Column("ordered_at", UTC_INSTANT, "When it was placed.", True),
    Column(
        "basket_no",
        pl.Int32,
        "Position among the customer's baskets where a file has no instants; null otherwise.",
    ),
    Column("vendor_id", pl.String, "Who cooked."),
    Column("zone", pl.String, "Where it was delivered, as the operator names areas."),
    Column("latitude", pl.Float64, "Degrees north of the delivery address."),
    Column("longitude", pl.Float64, "Degrees east of the delivery address."),
    Column("channel", pl.String, "Where it was placed: app, web, phone, counter."),
    Column("payment_method", pl.String, "How it was paid."),
    Column("offer_id", pl.String, "Offer used on it."),
    Column(
        "status",
        pl.String,
        "One of placed, delivered, cancelled, rejected, refunded; only delivered counts.",
        True,
    ),
    Column("order_cents", pl.Int64, "What the customer paid for it, discount taken off."),
    Column("discount_cents", pl.Int64, "Taken off the basket by offers."),
    Column("delivery_fee_cents", pl.Int64, "Charged for delivery, inside order_cents."),
    Column("currency", pl.String, "ISO 4217."),
    Column("rating", pl.Float32, "1 to 5; null where not rated."),
)
ORDERS = _schema(ORDER_COLUMNS)

LINE_COLUMNS = (
    Column("order_id", pl.String, "The order it belongs to.", True),
    Column(
        "line_no",
        pl.Int32,
        "Which of the order's lines with this item it is, from 0; with item_id its identity.",
        True,
    ),
    Column("customer_id", pl.String, "Repeated from the order, so that a scan needs no join.", True),
    Column("ordered_at", UTC_INSTANT, "Repeated from the order.", True),
    Column("status", pl.String, "Repeated from the order.", True),
    Column("item_id", pl.String, "The dish.", True),
    Column("vendor_id", pl.String, "Repeated from the order."),
    Column("quantity", pl.Float32, "Portions, above 0; 1 where a file has none.", True),
    Column("line_cents", pl.Int64, "Price of the line before order-level discounts."),
)
LINES = _schema(LINE_COLUMNS)

CUSTOMER_COLUMNS = (
    Column("customer_id", pl.String, "As orders name them.", True),
    Column("name", pl.String, "Sealed (encrypted) at rest."),
    Column("language", pl.String, "BCP 47 tag, such as en, zh-CN or pt-BR."),
    Column("timezone", pl.String, "IANA zone."),
    Column("zone", pl.String, "Home delivery zone."),
    Column("birthday", pl.Date, "Day of birth."),
    Column("gender", pl.String, "As given."),
    Column("registered_at", UTC_INSTANT, "When they signed up."),
    Column("referred_by", pl.String, "Customer who referred them."),
    Column("marketing_consent", pl.Boolean, "Consent as of the import; null where nobody asked."),
    Column("phone", pl.String, "E.164, sealed at rest."),
    Column("email", pl.String, "Sealed at rest."),
    Column("push_token", pl.String, "Sealed at rest."),
)
CUSTOMERS = _schema(CUSTOMER_COLUMNS)
SEALED = ("name", "phone", "email", "push_token")

ITEM_COLUMNS = (
    Column("item_id", pl.String, "As order lines name it.", True),
    Column("name", pl.String, "Shown to customers; item_id where missing."),
    Column("name_zh", pl.String, "Chinese name."),
    Column("vendor_id", pl.String, "Who cooks it."),
    Column("category", pl.String, "Menu section: main, drink, dessert."),
    Column("cuisine", pl.String, "Kitchen style."),
    Column("price_cents", pl.Int64, "List price."),
    Column("margin_cents", pl.Int64, "What one portion earns after its cost."),
    Column("available", pl.Boolean, "False hides it everywhere; missing means true."),
    Column("allergens", pl.String, "What it holds, separated by | , `none` where nothing; missing means nobody said."),
    Column("diets", pl.String, "Whom it suits, separated by | : vegetarian, vegan, halal."),
    Column("tags", pl.String, "Words separated by | ."),
    Column("description", pl.String, "Free text."),
)
ITEMS = _schema(ITEM_COLUMNS)

VENDOR_COLUMNS = (
    Column("vendor_id", pl.String, "As orders name it.", True),
    Column("name", pl.String, "Shown to customers."),
    Column("name_zh", pl.String, "Chinese name."),
    Column("zones", pl.String, "Zones it delivers to, separated by | ; missing means everywhere."),
    Column("timezone", pl.String, "IANA zone of its opening hours."),
    Column("opens", pl.String, "HH:MM local; missing means always open."),
    Column("closes", pl.String, "HH:MM local; at or before `opens` means after midnight."),
    Column("closed_weekdays", pl.String, "1 (Monday) to 7, separated by | ."),
    Column("latitude", pl.Float64, "Degrees north."),
    Column("longitude", pl.Float64, "Degrees east."),
    Column("cuisine", pl.String, "Kitchen style."),
    Column("available", pl.Boolean, "False hides all its dishes; missing means true."),
)
VENDORS = _schema(VENDOR_COLUMNS)

OFFER_COLUMNS = (
    Column("offer_id", pl.String, "As orders name it.", True),
    Column("name", pl.String, "Shown to customers."),
    Column("name_zh", pl.String, "Chinese name."),
    Column("kind", pl.String, "percent, amount or free_delivery.", True),
    Column("percent", pl.Float64, "Percent off (0-100], for kind percent."),
    Column("amount_cents", pl.Int64, "Taken off, for kind amount."),
    Column("cap_cents", pl.Int64, "Most it takes off; missing means no cap."),
    Column("min_spend_cents", pl.Int64, "Least basket it applies to; missing means none."),
    Column("valid_from", UTC_INSTANT, "First instant; missing means since ever."),
    Column("valid_until", UTC_INSTANT, "First instant it no longer holds; missing means for ever."),
    Column("zones", pl.String, "Where it holds, separated by | ; missing means everywhere."),
    Column("vendor_ids", pl.String, "Vendors it holds at, separated by | ; missing means all."),
    Column(
        "audience",
        pl.String,
        "everyone, first_order, or issued (only holders of a coupon); missing means everyone.",
    ),
    Column("max_per_customer", pl.Int64, "Redemptions one customer may have; missing means no limit."),
    Column("currency", pl.String, "ISO 4217."),
)
OFFERS = _schema(OFFER_COLUMNS)

STATUSES = ("placed", "delivered", "cancelled", "rejected", "refunded")
DAY_S = 86_400
KM_PER_DEGREE = 111.2

# Digits after the decimal point where they are not two (ISO 4217).
MINOR_DIGITS = {
    "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
    "CLP": 0, "ISK": 0, "JPY": 0, "KRW": 0, "PYG": 0, "UGX": 0, "VND": 0, "XAF": 0, "XOF": 0,
}  # fmt: skip


def minor_digits(currency: str) -> int:
    """Return how many digits the currency has after the decimal point."""
    return MINOR_DIGITS.get(currency, 2)
