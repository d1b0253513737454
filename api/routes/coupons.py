"""`POST /v1/recommend/coupons`: what she may use now, ranked by a first honest rule, and what the rest lack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from secrets import token_hex
from typing import Annotated, Any

import polars as pl
from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from api.http.auth import Caller, requires, utc_now
from api.http.json_body import JsonRoute
from api.routes.recommend import as_bytes
from api.schemas.requests import CouponsRequest, instant_or
from api.schemas.responses import CouponsAnswer, answers
from api.serving.live import Live
from campaigns.rewards.coupons import codes_issued_to, open_coupons
from campaigns.rewards.terms import promised_offers
from engine.database.session import transaction
from engine.history.orders import History
from engine.history.tables import read_table
from engine.money import money_text
from engine.offers.basket import Basket
from engine.offers.offer import Offer, offers_from, saving_on
from engine.offers.qualify import CustomerFacts, NotQualified, Qualified, qualify, rank
from engine.recommend.request import check_instant, check_point

router = APIRouter(prefix="/v1/recommend", tags=["recommend"], route_class=JsonRoute)
LATEST = 20

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
SENTENCES = {
    "saves_now": {"en": "Takes {worth} off this order", "zh": "本单立减 {worth}"},
    "saves_usually": {"en": "Takes {worth} off your usual order", "zh": "按您平时的订单可减 {worth}"},
    "add_to_use": {"en": "{worth} off when you add a little", "zh": "稍微凑单即可减 {worth}"},
    "yours": {"en": "Yours to use", "zh": "可直接使用"},
}


@router.post(
    "/coupons",
    summary="Coupons a customer qualifies for",
    responses=answers(CouponsAnswer, COUPONS_EXAMPLE),
)
async def coupons(
    request: Request, body: CouponsRequest, _caller: Annotated[Caller, Depends(requires("recommend"))]
) -> Response:
    """Rank the offers she may use by what they save on her usual order, and say what the others lack.

    A first honest rule, no estimate of what an offer changes. Coupons that a campaign issued to her carry their code;
    `not_yet` holds only what a bigger basket, another zone or another vendor would open.
    """
    live: Live = request.app.state.live
    check_point(body.context.latitude, body.context.longitude)
    at = instant_or(body.context.at, utc_now())
    if live.answering is not None and body.context.at is not None:
        check_instant(live.answering.served, at, utc_now())
    language = body.language or (live.answering.served.language(body.customer_id) if live.answering else "en")
    table = await run_in_threadpool(_table, live)
    offers = offers_from(table, currency=live.settings.currency)
    held, facts = await run_in_threadpool(_customer, live, body.customer_id, at, table)
    return as_bytes(answer(offers, held, facts, body, at=at, language=language))


def answer(
    terms: tuple[Offer, ...],
    held: list[tuple[str, Offer]],
    facts: CustomerFacts,
    body: CouponsRequest,
    *,
    at: datetime,
    language: str,
) -> dict[str, Any]:
    """Return the JSON body: `held` (code, offer) replaces the offers of `terms` it was issued from."""
    own = {offer.offer_id for _, offer in held}
    offers = [offer for offer in terms if offer.offer_id not in own] + [offer for _, offer in held]
    codes = [None] * (len(offers) - len(held)) + [code for code, _ in held]
    basket = None if body.basket_cents is None else Basket(body.basket_cents, body.delivery_fee_cents or 0)
    facts = replace(facts, issued_offer_ids=frozenset(own))
    judged = qualify(offers, facts, basket, at=at, zone=body.context.zone, vendor_id=body.context.vendor_id)
    code_of = {id(each): code for each, code in zip(judged, codes, strict=True)}
    ranked = rank((each for each in judged if isinstance(each, Qualified)), facts, basket)[: body.limit]
    refused = [each for each in judged if isinstance(each, NotQualified) and each.reason.code in OPENABLE]
    return {
        "request_id": token_hex(16),
        "items": [_item(each, code_of[id(each)], facts, language) for each in ranked],
        "not_yet": [
            {
                "offer_id": each.offer.offer_id,
                "name": each.offer.title(language),
                "code": code_of[id(each)],
                "shortfall_cents": each.shortfall_cents,
                "reason": {"code": each.reason.code, "text": each.reason.text(language)},
            }
            for each in refused
        ],
    }


# What the customer can change herself; the rest (used up, not hers, expired) would only disappoint.
OPENABLE = frozenset({"below_min_spend", "other_zone", "other_vendor", "not_yet_valid"})


def _item(each: Qualified, code: str | None, facts: CustomerFacts, language: str) -> dict[str, Any]:
    offer = each.offer
    if each.saving_cents:
        reason, saving = "saves_now", each.saving_cents
    elif each.saving_cents == 0 or facts.usual_basket_cents is None:  # free delivery of what is delivered free
        reason, saving = "yours", 0
    else:
        usual = Basket(facts.usual_basket_cents, facts.usual_delivery_fee_cents or 0)
        saving = saving_on(offer, usual)
        reason = "saves_usually" if saving else "add_to_use"
    worth = money_text(saving, offer.currency) if saving else offer.worth(language)
    return {
        "offer_id": offer.offer_id,
        "name": offer.title(language),
        "code": code,
        "saving_cents": each.saving_cents,
        "currency": offer.currency,
        "expires_at": offer.valid_until.isoformat() if offer.valid_until else None,
        "reason": {
            "code": reason,
            "text": SENTENCES[reason]["zh" if language == "zh" else "en"].format(worth=worth),
        },
    }


def _table(live: Live) -> pl.DataFrame:
    return live.answering.offers if live.answering else read_table(live.settings, "offers")


def _customer(
    live: Live, customer_id: str, at: datetime, table: pl.DataFrame
) -> tuple[list[tuple[str, Offer]], CustomerFacts]:
    """Return (code, offer) of the coupons the customer holds, less those whose terms are unknown, and their facts."""
    with transaction(live.engine) as session:
        coupons = open_coupons(session, customer_id, at=at)
        promised = promised_offers(session, coupons, table)
        codes = codes_issued_to(session, customer_id)
    held = [(coupon.code, offer) for coupon, offer in zip(coupons, promised, strict=True) if offer is not None]
    return held, customer_facts(History(live.settings.history_folder), customer_id, at, offer_of_code=codes)


def customer_facts(
    history: History, customer_id: str, at: datetime, *, offer_of_code: Mapping[str, str]
) -> CustomerFacts:
    """Read from history what qualification asks; the usual order is the median of the latest 20, before discounts.

    An order that names a coupon's code counts as a redemption of its offer.
    """
    own = (
        history.orders(as_of=at)
        .filter((pl.col("customer_id") == customer_id) & (pl.col("status") == "delivered"))
        .select("ordered_at", "order_cents", "discount_cents", "delivery_fee_cents", "offer_id")
        .sort("ordered_at")
        .collect()
    )
    fee = pl.col("delivery_fee_cents").fill_null(0)
    dishes = pl.col("order_cents") + pl.col("discount_cents").fill_null(0) - fee
    usual, usual_fee = own.tail(LATEST).drop_nulls("order_cents").select(dishes.median(), fee=fee.median()).row(0)
    redeemed = Counter(offer_of_code.get(each, each) for each in own["offer_id"].drop_nulls())
    return CustomerFacts(
        customer_id=customer_id,
        orders=own.height,
        usual_basket_cents=None if usual is None else round(usual),
        usual_delivery_fee_cents=None if usual_fee is None else round(usual_fee),
        redemptions_by_offer=redeemed,
    )
