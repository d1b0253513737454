"""`POST /v1/recommend/coupons`: what a customer may use now, ranked by a first honest rule, and what the rest lack."""

from __future__ import annotations

from datetime import datetime
from secrets import token_hex
from typing import Annotated

import polars as pl
from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from api.http.auth import Caller, requires, utc_now
from api.http.json_body import JsonRoute
from api.http.openapi import answers
from api.routes.recommend import as_bytes
from api.schemas.requests import CouponsRequest, instant_or
from api.schemas.responses import Coupon, CouponsAnswer, Refused
from api.serving.state import ServingState
from campaigns.rewards.coupons import codes_issued_to, open_coupons, unused_coupons
from campaigns.rewards.terms import promised_offers
from engine.database.session import transaction
from engine.events.values import check_point
from engine.history.compaction import orders_of_customer
from engine.history.tables import read_table
from engine.language import text_language
from engine.offers.basket import Basket
from engine.offers.facts import CustomerFacts, customer_facts
from engine.offers.present import HeldOffer, ShownOffers, present
from engine.offers.table import offers_from
from engine.recommend.request import check_instant

router = APIRouter(prefix="/v1/recommend", tags=["recommend"], route_class=JsonRoute)

COUPONS_EXAMPLE = {
    "request_id": "5f0c7d5e1f3b4c0c8d1f0f6f3e0f2a12",
    "items": [
        {
            "offer_id": "save-5",
            "name": "5 off from 30",
            "code": None,
            "saving_cents": 500,
            "currency": "USD",
            "expires_at": None,
            "reason": {"code": "saves_now", "text": "Takes $5 off this order"},
        }
    ],
    "not_yet": [
        {
            "offer_id": "save-20",
            "name": "20 off from 50",
            "code": None,
            "shortfall_cents": 700,
            "reason": {"code": "below_min_spend", "text": "$7 more for $20 off"},
        }
    ],
}


@router.post(
    "/coupons",
    summary="Coupons a customer qualifies for",
    responses=answers(CouponsAnswer, COUPONS_EXAMPLE),
)
async def coupons(
    request: Request, body: CouponsRequest, _caller: Annotated[Caller, Depends(requires("recommend"))]
) -> Response:
    """Rank the offers a customer may use by what they save on their usual order, and say what the others lack.

    A first honest rule, no estimate of what an offer changes. Coupons that a campaign issued to them carry their code;
    `not_yet` holds only what a bigger basket, another zone or another vendor would open.
    """
    live: ServingState = request.app.state.live
    check_point(body.context.latitude, body.context.longitude)
    at = instant_or(body.context.at, utc_now())
    if live.snapshot is not None and body.context.at is not None:
        check_instant(live.snapshot.published, at, utc_now())
    home, language = live.settings.timezone, live.settings.language
    if live.snapshot:
        language = live.snapshot.published.language(body.customer_id, language)
    language = text_language(body.language, language)
    table = await run_in_threadpool(_table, live)
    held, facts = await run_in_threadpool(_customer, live, body.customer_id, body.context.at and at, table)
    shown = present(
        offers_from(table, currency=live.settings.currency),
        held,
        facts,
        None if body.basket_cents is None else Basket(body.basket_cents, body.delivery_fee_cents or 0),
        at=at,
        zone=body.context.zone,
        vendor_id=body.context.vendor_id,
        timezone=live.snapshot.published.timezone(body.customer_id, home) if live.snapshot else home,
        language=language,
        limit=body.limit,
    )
    return as_bytes(coupons_body(shown, token_hex(16)))


def coupons_body(shown: ShownOffers, request_id: str) -> CouponsAnswer:
    """Return the JSON form of offers shown to a customer."""
    usable: list[Coupon] = [
        {
            "offer_id": each.offer_id,
            "name": each.name,
            "code": each.code,
            "saving_cents": each.saving_cents,
            "currency": each.currency,
            "expires_at": each.expires_at,
            "reason": {"code": each.reason.code, "text": each.reason.text},
        }
        for each in shown.items
    ]
    locked: list[Refused] = [
        {
            "offer_id": each.offer_id,
            "name": each.name,
            "code": each.code,
            "shortfall_cents": each.shortfall_cents,
            "reason": {"code": each.reason.code, "text": each.reason.text},
        }
        for each in shown.not_yet
    ]
    return {"request_id": request_id, "items": usable, "not_yet": locked}


def _table(live: ServingState) -> pl.DataFrame:
    return live.snapshot.offers if live.snapshot else read_table(live.settings, "offers")


def _customer(
    live: ServingState, customer_id: str, at: datetime | None, table: pl.DataFrame
) -> tuple[list[HeldOffer], CustomerFacts]:
    """Return the offers of the coupons a customer may still use, less those of unknown terms, and the customer's facts.

    The orders of the inbox count in the very next answer; `at` None is now.
    """
    with transaction(live.engine) as session:
        orders, _ = orders_of_customer(session, live.settings, customer_id, before=at)
        coupons = unused_coupons(open_coupons(session, customer_id, at=at or utc_now()), orders)
        promised = promised_offers(session, coupons, table)
        codes = codes_issued_to(session, customer_id)
    held = [HeldOffer(coupon.code, offer) for coupon, offer in zip(coupons, promised, strict=True) if offer is not None]
    return held, customer_facts(orders.lazy(), customer_id, offer_of_code=codes)
