"""What a held coupon promises: every term of its offer as it was at issue.

Coupons issued by release 0.1.0 hold only some terms. The missing ones (zones, vendors, audience, validity, limit per
customer) are taken from the offer they came from: the one written in the run's stored definition, or the row of the
offers table that it names. Where neither is there, the terms are unknown and the coupon is not offered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import orjson
import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.definition.offer_terms import parse_terms
from campaigns.rewards.coupons import IssuedCoupon
from campaigns.rows import RunRow
from engine.errors import BadDefinition
from engine.offers.offer import Offer


def promised_offers(session: Session, coupons: Sequence[IssuedCoupon], offers: pl.DataFrame) -> list[Offer | None]:
    """Return what each coupon promises, no longer than the coupon holds; None where its terms are unknown.

    `offers` is the offers table (schema OFFERS); it and the runs are asked only for coupons that lack terms.
    """
    origins = _origins(session, {each.run_id for each in coupons if not _is_whole(each.terms)}, offers)
    return [promised_offer(each, origins.get(each.run_id)) for each in coupons]


def promised_offer(coupon: IssuedCoupon, origin: Offer | None) -> Offer | None:
    """Return what a coupon promises, None where its terms are unknown; `origin` is the offer its run gave, if known."""
    terms = coupon.terms if _is_whole(coupon.terms) else complete_terms(coupon.terms, origin)
    if terms is None:
        return None
    try:
        offer = Offer.from_terms(terms)
    except BadDefinition:  # written by a later release
        return None
    ends = coupon.expires_at if offer.valid_until is None else min(offer.valid_until, coupon.expires_at)
    return replace(offer, valid_until=ends)


def complete_terms(old: Mapping[str, object], origin: Offer | None) -> dict[str, object] | None:
    """Return whole terms: those release 0.1.0 stored, and the rest of `origin`; None without an origin."""
    if origin is None:
        return None
    kept = {name: old[name] for name in ("kind", "currency", "name", "name_zh", "min_spend_cents")}
    # The figures of every kind lay side by side; a kind reads its own.
    return origin.to_terms() | kept | {"discount": old}


def _is_whole(terms: Mapping[str, object]) -> bool:
    return "version" in terms


def _origins(session: Session, run_ids: Iterable[int], offers: pl.DataFrame) -> dict[int, Offer]:
    """Return the offer of each run whose offer is still known, by run id."""
    ids = sorted(run_ids)
    if not ids:
        return {}
    rows = session.execute(
        select(RunRow.id, RunRow.campaign_id, RunRow.currency, RunRow.definition).where(RunRow.id.in_(ids))
    )
    found: dict[int, Offer] = {}
    for run_id, campaign_id, currency, definition in rows:
        try:
            terms = parse_terms(orjson.loads(definition).get("offer"), campaign_id=campaign_id, currency=currency)
            if terms is not None:
                found[run_id] = terms.resolve(offers, currency=currency)
        except BadDefinition:
            continue
    return found
