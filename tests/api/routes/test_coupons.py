"""The coupons a customer may use, ranked and worded, and what the others lack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from fastapi import FastAPI

from campaigns.rewards.coupons import IssuedCoupon
from engine.columns import OFFERS
from engine.database.session import connect
from engine.history.compaction import compact_inbox
from engine.offers.kinds.amount import Amount
from engine.offers.offer import Offer
from tests.api.conftest import App, fill

COME_BACK = Offer(offer_id="secret", discount=Amount(900), currency="USD", name="Come back", audience="issued")


def coupons(app: App, customer: str = "c001", **body: object) -> dict[str, Any]:
    answer = app.client.post("/v1/recommend/coupons", json={"customer_id": customer, **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids(offers: Iterable[Mapping[str, Any]]) -> list[str]:
    return [offer["offer_id"] for offer in offers]


def test_offers_a_customer_qualifies_for_are_ranked_and_the_rest_say_what_they_lack(app: App) -> None:
    answer = coupons(app, basket_cents=1500)
    assert ids(answer["items"]) == ["tenth"]
    assert answer["items"][0]["saving_cents"] == 150
    assert answer["items"][0]["reason"] == {"code": "saves_now", "text": "Takes $1.50 off this order"}
    (lacking,) = answer["not_yet"]
    assert (lacking["offer_id"], lacking["shortfall_cents"]) == ("five", 500)
    assert lacking["reason"] == {"code": "below_min_spend", "text": "$5 more for $5 off"}


def test_without_a_cart_the_usual_order_ranks_them(app: App) -> None:
    answer = coupons(app)
    assert ids(answer["items"]) == ["tenth", "five"]  # the usual order is 10.00: five is out of reach
    assert [item["reason"]["code"] for item in answer["items"]] == ["saves_usually", "add_to_use"]


def test_a_first_order_offer_is_only_for_a_first_order(app: App) -> None:
    assert "welcome" in ids(coupons(app, "stranger")["items"])
    assert "welcome" not in ids(coupons(app)["items"])


def test_reasons_read_chinese_for_a_chinese_reader(app: App) -> None:
    assert coupons(app, "c002", basket_cents=1500)["not_yet"][0]["reason"]["text"] == "再加 $5 立减 $5"


def refresh(app: App) -> None:
    assert app.client.portal is not None
    app.client.portal.call(cast(FastAPI, app.client.app).state.live.refresh)


def hold(monkeypatch: pytest.MonkeyPatch, offer: Offer, *, customer: str = "c001") -> datetime:
    """Let a customer hold a coupon ABCD-EFGH of `offer`; return when it ends."""
    now = datetime.now(UTC)
    ends = now + timedelta(days=3)
    held = {customer: [IssuedCoupon("ABCD-EFGH", offer.offer_id, customer, "winback", 1, offer.to_terms(), now, ends)]}
    monkeypatch.setattr("api.routes.coupons.open_coupons", lambda _session, customer, **_: held.get(customer, []))
    codes = {"ABCD-EFGH": offer.offer_id}
    monkeypatch.setattr("api.routes.coupons.codes_issued_to", lambda _session, _customer: codes)
    return ends


def test_an_issued_coupon_is_its_holders_alone_and_carries_its_code(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = hold(monkeypatch, COME_BACK)
    mine = coupons(app, basket_cents=1500)["items"][0]
    assert (mine["offer_id"], mine["code"], mine["saving_cents"]) == ("secret", "ABCD-EFGH", 900)
    assert mine["expires_at"] == ends.isoformat()
    assert "secret" not in ids(coupons(app, "c005")["items"])


@pytest.mark.parametrize(
    ("bound", "code"),
    [
        (replace(COME_BACK, vendor_ids=frozenset({"v1"})), "other_vendor"),
        (replace(COME_BACK, zones=frozenset({"z1"})), "other_zone"),
        (replace(COME_BACK, valid_from=datetime.now(UTC) + timedelta(days=2)), "not_yet_valid"),
    ],
)
def test_a_coupon_keeps_every_bound_of_its_offer(
    app: App, monkeypatch: pytest.MonkeyPatch, bound: Offer, code: str
) -> None:
    hold(monkeypatch, bound)
    answer = coupons(app, basket_cents=1500, context={"zone": "z0", "vendor_id": "v0"})
    assert "secret" not in ids(answer["items"])
    assert {each["offer_id"]: each["reason"]["code"] for each in answer["not_yet"]}["secret"] == code


def order(app: App, order_id: str, customer: str = "c001", **properties: object) -> None:
    dishes = [{"item_id": "d01", "quantity": 1, "unit_price_cents": 1500}]
    told = {"order_id": order_id, "items": dishes} | properties
    app.tell({"event_id": order_id, "type": "order", "customer_id": customer, "properties": told})


def compact(app: App) -> None:
    engine = connect(app.settings)
    compact_inbox(engine, app.settings)
    engine.dispose()


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("limit", [1, None])
@pytest.mark.parametrize("named", ["ABCD-EFGH", "secret"])
def test_case_11_a_used_coupon_is_not_offered_again_in_the_very_next_answer(
    app: App, monkeypatch: pytest.MonkeyPatch, compacted: bool, limit: int | None, named: str
) -> None:
    hold(monkeypatch, replace(COME_BACK, max_per_customer=limit))
    assert "secret" in ids(coupons(app, basket_cents=1500)["items"])
    order(app, "u1", offer_id=named, discount_cents=900)
    if compacted:
        compact(app)
    answer = coupons(app, basket_cents=1500)
    assert "secret" not in ids(answer["items"]) + ids(answer["not_yet"])


@pytest.mark.parametrize("status", [None, "placed", "delivered"])
def test_case_10_an_offer_used_now_is_not_offered_in_the_very_next_answer(app: App, status: str | None) -> None:
    once = {"offer_id": "once", "kind": "amount", "amount_cents": 500, "max_per_customer": 1}
    fill(app.settings, "offers", OFFERS, [once, {"offer_id": "welcome", "kind": "percent", "percent": 10.0,
                                                "audience": "first_order"}])  # fmt: skip
    refresh(app)
    assert {"once", "welcome"} <= set(ids(coupons(app, "newcomer", basket_cents=1500)["items"]))
    order(app, "n1", "newcomer", offer_id="once", **({"status": status} if status else {}))
    assert not {"once", "welcome"} & set(ids(coupons(app, "newcomer", basket_cents=1500)["items"]))


def test_a_cancelled_order_gives_back_what_it_used_at_once(app: App) -> None:
    order(app, "n1", "newcomer", status="placed")
    assert "welcome" not in ids(coupons(app, "newcomer", basket_cents=1500)["items"])
    told = {"order_id": "n1", "status": "cancelled"}
    app.tell({"event_id": "n2", "type": "order_status", "customer_id": "newcomer", "properties": told})
    assert "welcome" in ids(coupons(app, "newcomer", basket_cents=1500)["items"])


def test_an_order_is_not_held_against_a_question_about_an_earlier_instant(app: App) -> None:
    order(app, "n1", "newcomer")
    then = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert "welcome" in ids(coupons(app, "newcomer", basket_cents=1500, context={"at": then})["items"])


def test_the_limit_cuts_the_list(app: App) -> None:
    assert len(coupons(app, limit=1)["items"]) == 1


def test_free_delivery_of_a_free_delivery_promises_no_saving(app: App) -> None:
    fill(app.settings, "offers", OFFERS, [{"offer_id": "ride", "kind": "free_delivery"}])
    refresh(app)
    found = {item["offer_id"]: item for item in coupons(app, basket_cents=1500)["items"]}
    assert found["ride"]["reason"] == {"code": "yours", "text": "Yours to use"}
