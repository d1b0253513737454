"""One customer whole."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import orjson
import pytest

from engine.columns import CUSTOMERS
from engine.customers.store import build_customer_table
from engine.files.encryption import seal_of
from tests.api.conftest import App, fill


def test_one_answer_shows_a_customer_whole(app: App) -> None:
    app.tell({"event_id": "e1", "type": "view", "customer_id": "c001", "properties": {"item_id": "d03"}})
    found = app.client.get("/v1/customers/c001").json()
    assert found["figures"]["orders"] == len(found["latest_orders"])
    assert found["figures"]["days_since_last_order"] > 0
    assert found["favourites"][0]["orders"] >= found["favourites"][-1]["orders"]
    assert found["latest_events"][0]["properties"] == {"item_id": "d03"}
    assert found["coupons"] == []


def test_case_10_an_order_told_a_moment_ago_counts_in_the_very_next_answer(app: App) -> None:
    before = app.client.get("/v1/customers/c001").json()
    told = {"order_id": "now", "items": [{"item_id": "d07", "unit_price_cents": 900}]}
    app.tell({"event_id": "e1", "type": "order", "customer_id": "c001", "properties": told})
    after = app.client.get("/v1/customers/c001").json()
    assert after["figures"]["orders"] == before["figures"]["orders"] + 1
    assert after["figures"]["revenue_cents"] == before["figures"]["revenue_cents"] + 900
    assert after["latest_orders"][0]["order_id"] == "now"
    told = {"order_id": "now", "status": "cancelled"}
    app.tell({"event_id": "e2", "type": "order_status", "customer_id": "c001", "properties": told})
    undone = app.client.get("/v1/customers/c001").json()
    assert undone["figures"]["orders"] == before["figures"]["orders"]
    assert undone["favourites"] == before["favourites"]


def test_contact_details_stay_sealed(app: App) -> None:
    seal = seal_of(app.settings)
    row = {"customer_id": "c009", "phone": seal.seal("+15551234567"), "name": seal.seal("Ann")}
    fill(app.settings, "customers", CUSTOMERS, [row])
    answer = app.client.get("/v1/customers/c009")
    assert answer.json()["reachable"] == {"phone": True, "email": False, "push_token": False}
    assert "5551234567" not in answer.text
    assert "s1:" not in answer.text


def test_consent_is_what_was_said_last(app: App) -> None:
    assert app.client.get("/v1/customers/c002").json()["consent"] == {"any": True}
    app.tell({"event_id": "e1", "type": "consent", "customer_id": "c002", "properties": {"granted": False}})
    assert app.client.get("/v1/customers/c002").json()["consent"] == {"any": False}


def test_a_customer_known_only_from_events_is_shown(app: App) -> None:
    app.tell({"event_id": "e1", "type": "view", "customer_id": "fresh", "properties": {"item_id": "d03"}})
    found = app.client.get("/v1/customers/fresh").json()
    assert found["favourites"] == []
    assert len(found["latest_events"]) == 1


def test_nobody_is_404_with_a_stable_code(app: App) -> None:
    answer = app.client.get("/v1/customers/nobody")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_answers_are_json_that_any_reader_takes(app: App) -> None:
    assert orjson.loads(app.client.get("/v1/customers/c001").content)["customer_id"] == "c001"


def test_the_groups_come_with_why_once_the_customer_table_is_built(app: App) -> None:
    assert app.client.get("/v1/customers/c001").json()["profile"] is None
    build_customer_table(app.settings, now=datetime.now(UTC))
    found = app.client.get("/v1/customers/c001").json()
    assert found["profile"]["lifecycle"] in {"new", "active", "slowing", "likely_lapsed", "lapsed", "won_back"}
    assert {"rfm_group", "tier", "abcd", "p_no_order", "next_order_at"} <= found["profile"].keys()
    assert set(found["why"]) >= {"rfm_group", "tier", "lifecycle"}


@pytest.mark.parametrize("who", ["user/13", "a//b", "/led", "trailing/", "user?x=1#y", "José Ñandú"])
def test_case_08_an_id_with_any_sign_has_its_page(app: App, who: str) -> None:
    app.tell({"event_id": "e1", "type": "view", "customer_id": who, "properties": {"item_id": "d03"}})
    answer = app.client.get(f"/v1/customers/{quote(who, safe='')}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["customer_id"] == who


def test_the_path_of_a_customer_reads_plainly_in_openapi(app: App) -> None:
    assert "/v1/customers/{customer_id}" in app.client.get("/openapi.json").json()["paths"]
