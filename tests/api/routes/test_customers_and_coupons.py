"""One customer whole, and the coupons she may use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson

from campaigns.rewards.coupons import Coupon
from engine.files.encryption import seal_of
from tests.api.conftest import CUSTOMERS, OFFERS, fill


def coupons(app, customer="c001", **body):
    answer = app.client.post("/v1/recommend/coupons", json={"customer_id": customer, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(offers):
    return [offer["offer_id"] for offer in offers]


def test_offers_she_qualifies_for_are_ranked_and_the_rest_say_what_they_lack(app) -> None:
    answer = coupons(app, basket_cents=1500)
    assert ids(answer["items"]) == ["tenth"]
    assert answer["items"][0]["saving_cents"] == 150
    assert answer["items"][0]["reason"] == {"code": "saves_now", "text": "Takes $1.50 off this order"}
    (lacking,) = answer["not_yet"]
    assert (lacking["offer_id"], lacking["shortfall_cents"]) == ("five", 500)
    assert lacking["reason"] == {"code": "below_min_spend", "text": "$5 more for $5 off"}


def test_without_a_cart_her_usual_order_ranks_them(app) -> None:
    answer = coupons(app)
    assert ids(answer["items"]) == ["tenth", "five"]  # her usual order is 10.00: five is out of reach
    assert [item["reason"]["code"] for item in answer["items"]] == ["saves_usually", "add_to_use"]


def test_a_first_order_offer_is_only_for_a_first_order(app) -> None:
    assert "welcome" in ids(coupons(app, "stranger")["items"])
    assert "welcome" not in ids(coupons(app)["items"])


def test_reasons_read_chinese_for_a_chinese_reader(app) -> None:
    assert coupons(app, "c002", basket_cents=1500)["not_yet"][0]["reason"]["text"] == "再加 $5 立减 $5"


def test_an_issued_coupon_is_hers_alone_and_carries_its_code(app, monkeypatch) -> None:
    terms = {"kind": "amount", "percent_points": 0, "amount_cents": 900, "cap_cents": None, "min_spend_cents": 0}
    terms |= {"currency": "USD", "name": "Come back", "name_zh": "欢迎回来"}
    ends = datetime.now(UTC) + timedelta(days=3)
    held = {"c001": [Coupon("ABCD-EFGH", "secret", "c001", "winback", terms, ends)]}
    monkeypatch.setattr("api.routes.coupons.open_coupons", lambda _session, customer, *, at: held.get(customer, []))
    mine = coupons(app, basket_cents=1500)["items"][0]
    assert (mine["offer_id"], mine["code"], mine["saving_cents"]) == ("secret", "ABCD-EFGH", 900)
    assert mine["expires_at"] == ends.isoformat()
    assert "secret" not in ids(coupons(app, "c005")["items"])


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


def test_consent_is_what_she_said_last(app) -> None:
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


def test_her_groups_come_with_why_once_the_customer_table_is_built(app) -> None:
    from engine.customers.store import build_customer_table

    assert app.client.get("/v1/customers/c001").json()["profile"] is None
    build_customer_table(app.settings, now=datetime.now(UTC))
    found = app.client.get("/v1/customers/c001").json()
    assert found["profile"]["lifecycle"] in {"new", "active", "slowing", "likely_lapsed", "lapsed", "won_back"}
    assert {"rfm_group", "tier", "abcd", "p_no_order", "next_order_at"} <= found["profile"].keys()
    assert set(found["why"]) >= {"rfm_group", "tier", "lifecycle"}
