"""One customer whole, and the coupons they may use."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from campaigns.rewards.coupons import IssuedCoupon
from engine.database.session import connect
from engine.files.encryption import seal_of
from engine.history.compaction import compact_inbox
from engine.offers.kinds.amount import Amount
from engine.offers.offer import Offer
from tests.api.conftest import CUSTOMERS, OFFERS, fill

COME_BACK = Offer(offer_id="secret", discount=Amount(900), currency="USD", name="Come back", audience="issued")


def coupons(app, customer="c001", **body):
    answer = app.client.post("/v1/recommend/coupons", json={"customer_id": customer, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(offers):
    return [offer["offer_id"] for offer in offers]


def test_offers_a_customer_qualifies_for_are_ranked_and_the_rest_say_what_they_lack(app) -> None:
    answer = coupons(app, basket_cents=1500)
    assert ids(answer["items"]) == ["tenth"]
    assert answer["items"][0]["saving_cents"] == 150
    assert answer["items"][0]["reason"] == {"code": "saves_now", "text": "Takes $1.50 off this order"}
    (lacking,) = answer["not_yet"]
    assert (lacking["offer_id"], lacking["shortfall_cents"]) == ("five", 500)
    assert lacking["reason"] == {"code": "below_min_spend", "text": "$5 more for $5 off"}


def test_without_a_cart_the_usual_order_ranks_them(app) -> None:
    answer = coupons(app)
    assert ids(answer["items"]) == ["tenth", "five"]  # the usual order is 10.00: five is out of reach
    assert [item["reason"]["code"] for item in answer["items"]] == ["saves_usually", "add_to_use"]


def test_a_first_order_offer_is_only_for_a_first_order(app) -> None:
    assert "welcome" in ids(coupons(app, "stranger")["items"])
    assert "welcome" not in ids(coupons(app)["items"])


def test_reasons_read_chinese_for_a_chinese_reader(app) -> None:
    assert coupons(app, "c002", basket_cents=1500)["not_yet"][0]["reason"]["text"] == "再加 $5 立减 $5"


def hold(app, monkeypatch, offer, *, customer="c001"):
    """Let a customer hold a coupon ABCD-EFGH of `offer`; return when it ends."""
    ends = datetime.now(UTC) + timedelta(days=3)
    held = {customer: [IssuedCoupon("ABCD-EFGH", offer.offer_id, customer, "winback", 1, offer.to_terms(), ends)]}
    monkeypatch.setattr("api.routes.coupons.open_coupons", lambda _session, customer, *, at: held.get(customer, []))
    codes = {"ABCD-EFGH": offer.offer_id}
    monkeypatch.setattr("api.routes.coupons.codes_issued_to", lambda _session, _customer: codes)
    return ends


def test_an_issued_coupon_is_its_holders_alone_and_carries_its_code(app, monkeypatch) -> None:
    ends = hold(app, monkeypatch, COME_BACK)
    mine = coupons(app, basket_cents=1500)["items"][0]
    assert (mine["offer_id"], mine["code"], mine["saving_cents"]) == ("secret", "ABCD-EFGH", 900)
    assert mine["expires_at"] == ends.isoformat()
    assert "secret" not in ids(coupons(app, "c005")["items"])


@pytest.mark.parametrize(
    ("bound", "code"),
    [
        ({"vendor_ids": frozenset({"v1"})}, "other_vendor"),
        ({"zones": frozenset({"z1"})}, "other_zone"),
        ({"valid_from": datetime.now(UTC) + timedelta(days=2)}, "not_yet_valid"),
    ],
)
def test_a_coupon_keeps_every_bound_of_its_offer(app, monkeypatch, bound, code) -> None:
    hold(app, monkeypatch, replace(COME_BACK, **bound))
    answer = coupons(app, basket_cents=1500, context={"zone": "z0", "vendor_id": "v0"})
    assert "secret" not in ids(answer["items"])
    assert {each["offer_id"]: each["reason"]["code"] for each in answer["not_yet"]}["secret"] == code


def test_a_used_code_counts_against_its_offers_limit(app, monkeypatch) -> None:
    hold(app, monkeypatch, replace(COME_BACK, max_per_customer=1))
    assert "secret" in ids(coupons(app, basket_cents=1500)["items"])
    dishes = [{"item_id": "d01", "quantity": 1, "unit_price_cents": 1500}]
    used = {"order_id": "u1", "offer_id": "ABCD-EFGH", "discount_cents": 900, "items": dishes}
    app.tell({"event_id": "u1", "type": "order", "customer_id": "c001", "properties": used})
    engine = connect(app.settings)
    compact_inbox(engine, app.settings)
    engine.dispose()
    answer = coupons(app, basket_cents=1500)
    assert "secret" not in ids(answer["items"]) + ids(answer["not_yet"])


def test_the_limit_cuts_the_list(app) -> None:
    assert len(coupons(app, limit=1)["items"]) == 1


def test_one_answer_shows_a_customer_whole(app) -> None:
    app.tell({"event_id": "e1", "type": "view", "customer_id": "c001", "properties": {"item_id": "d03"}})
    found = app.client.get("/v1/customers/c001").json()
    assert found["figures"]["orders"] == len(found["latest_orders"])
    assert found["figures"]["days_since_last_order"] > 0
    assert found["favourites"][0]["orders"] >= found["favourites"][-1]["orders"]
    assert found["latest_events"][0]["properties"] == {"item_id": "d03"}
    assert found["coupons"] == []


def test_contact_details_stay_sealed(app) -> None:
    seal = seal_of(app.settings)
    row = {"customer_id": "c009", "phone": seal.seal("+15551234567"), "name": seal.seal("Ann")}
    fill(app.settings, "customers", CUSTOMERS, [row])
    answer = app.client.get("/v1/customers/c009")
    assert answer.json()["reachable"] == {"phone": True, "email": False, "push_token": False}
    assert "5551234567" not in answer.text
    assert "s1:" not in answer.text


def test_consent_is_what_was_said_last(app) -> None:
    assert app.client.get("/v1/customers/c002").json()["consent"] == {"any": True}
    app.tell({"event_id": "e1", "type": "consent", "customer_id": "c002", "properties": {"granted": False}})
    assert app.client.get("/v1/customers/c002").json()["consent"] == {"any": False}


def test_a_customer_known_only_from_events_is_shown(app) -> None:
    app.tell({"event_id": "e1", "type": "view", "customer_id": "fresh", "properties": {"item_id": "d03"}})
    found = app.client.get("/v1/customers/fresh").json()
    assert found["favourites"] == []
    assert len(found["latest_events"]) == 1


def test_nobody_is_404_with_a_stable_code(app) -> None:
    answer = app.client.get("/v1/customers/nobody")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_answers_are_json_that_any_reader_takes(app) -> None:
    assert orjson.loads(app.client.get("/v1/customers/c001").content)["customer_id"] == "c001"


def test_free_delivery_of_a_free_delivery_promises_no_saving(app) -> None:
    fill(app.settings, "offers", OFFERS, [{"offer_id": "ride", "kind": "free_delivery"}])
    app.client.portal.call(app.client.app.state.live.refresh)
    found = {item["offer_id"]: item for item in coupons(app, basket_cents=1500)["items"]}
    assert found["ride"]["reason"] == {"code": "yours", "text": "Yours to use"}


def test_the_groups_come_with_why_once_the_customer_table_is_built(app) -> None:
    from engine.customers.store import build_customer_table

    assert app.client.get("/v1/customers/c001").json()["profile"] is None
    build_customer_table(app.settings, now=datetime.now(UTC))
    found = app.client.get("/v1/customers/c001").json()
    assert found["profile"]["lifecycle"] in {"new", "active", "slowing", "likely_lapsed", "lapsed", "won_back"}
    assert {"rfm_group", "tier", "abcd", "p_no_order", "next_order_at"} <= found["profile"].keys()
    assert set(found["why"]) >= {"rfm_group", "tier", "lifecycle"}
