"""Coupons: one customer's right to an offer, its code and how long it holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.rows import CouponRow
from engine.events.orders import UNDONE_STATUSES
from engine.files.encryption import Seal
from engine.offers.offer import Offer

# Thirty-two signs, five bits each; without 0 O 1 I, which people take for one another.
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
CODE_BYTES = 8
CODE_LENGTH = 12
SAMPLE_CODE = "SAMPLE-CODE-ONLY"
ISSUED = "issued"
REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class IssuedCoupon:
    """A coupon somebody holds; `terms` is the offer as it was at issue (`campaigns.rewards.terms` reads it)."""

    code: str
    offer_id: str
    customer_id: str
    campaign_id: str
    run_id: int
    terms: Mapping[str, object]
    issued_at: datetime
    expires_at: datetime


def code_key(seal: Seal) -> bytes:
    """Return the secret that codes are drawn under.

    Sealing the same text always gives the same string and nobody without the home's key can give it, so the hash of
    a sealed label is a key of its own; the home's key itself never leaves `engine.files.encryption`.
    """
    return hashlib.blake2b(seal.seal("coupon codes").encode(), digest_size=32).digest()


def draw_code(key: bytes, message_id: str) -> str:
    """Return the code of a message's coupon, `XXXX-XXXX-XXXX`: 60 bits that cannot be guessed without the key."""
    digest = hashlib.blake2b(message_id.encode(), key=key, digest_size=CODE_BYTES).digest()
    number = int.from_bytes(digest, "big")
    signs = "".join(ALPHABET[(number >> (5 * i)) & 31] for i in range(CODE_LENGTH))
    return "-".join(signs[i : i + 4] for i in range(0, CODE_LENGTH, 4))


def expiry(
    offer: Offer, *, now: datetime, valid_days: int, timezone: str | None, fallback: str
) -> tuple[datetime, str]:
    """Return the first instant a coupon no longer holds and the last day it does, as its holder's calendar has it.

    It holds to the end of a day, because people read "until 1 December" that way; an offer that ends sooner ends it.
    """
    zone = _zone(timezone, fallback)
    last_day = (now.astimezone(zone) + timedelta(days=valid_days)).date()
    ends = datetime.combine(last_day + timedelta(days=1), time(0), tzinfo=zone).astimezone(UTC)
    if offer.valid_until is not None and offer.valid_until < ends:
        ends = offer.valid_until
        last_day = (ends - timedelta(microseconds=1)).astimezone(zone).date()
    return ends, last_day.isoformat()


def terms_json(offer: Offer) -> str:
    """Return every term of what the coupon promises, for the row."""
    return orjson.dumps(offer.to_terms()).decode()


def open_coupons(session: Session, customer_id: str, *, at: datetime) -> list[IssuedCoupon]:
    """Return the coupons a customer holds at `at`, soonest to end first."""
    rows = session.scalars(
        select(CouponRow)
        .where(CouponRow.customer_id == customer_id, CouponRow.state == ISSUED)
        .where(CouponRow.issued_at <= at, CouponRow.expires_at > at)
        .order_by(CouponRow.expires_at, CouponRow.code)
    )
    return [
        IssuedCoupon(
            row.code,
            row.offer_id,
            row.customer_id,
            row.campaign_id,
            row.run_id,
            orjson.loads(row.terms),
            row.issued_at,
            row.expires_at,
        )
        for row in rows
    ]


def unused_coupons(coupons: Iterable[IssuedCoupon], orders: pl.DataFrame) -> list[IssuedCoupon]:
    """Return the coupons that no order used, in their order; `orders` (schema ORDERS) are the holder's.

    A coupon is good for one order, and one on its way holds it. An order that names the offer instead of a code used
    the coupon of that offer that was to end soonest of those issued before it.
    """
    standing = orders.filter(~pl.col("status").is_in(UNDONE_STATUSES) & pl.col("offer_id").is_not_null())
    uses = list(standing.sort("ordered_at").select("offer_id", "ordered_at").iter_rows())
    named = {name for name, _ in uses}
    held = sorted(coupons, key=lambda each: each.expires_at)
    used = {each.code for each in held if each.code in named}
    for name, at in uses:
        open_then = (c for c in held if c.offer_id == name and c.code not in used and c.issued_at <= at < c.expires_at)
        if (spent := next(open_then, None)) is not None:
            used.add(spent.code)
    return [each for each in held if each.code not in used]


def codes_issued_to(session: Session, customer_id: str) -> dict[str, str]:
    """Return code -> offer_id of every coupon a customer was ever issued: an order may name either."""
    rows = session.execute(select(CouponRow.code, CouponRow.offer_id).where(CouponRow.customer_id == customer_id))
    return {row.code: row.offer_id for row in rows}


def _zone(timezone: str | None, fallback: str) -> ZoneInfo:
    for name in (timezone, fallback):
        try:
            if name:
                return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return ZoneInfo("UTC")
