"""What is no JSON, or no text, is refused with its place, on every route."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.conftest import App

ROUTES = [
    "/v1/recommend/dishes",
    "/v1/recommend/coupons",
    "/v1/recommend/for-segment",
    "/v1/events",
    "/v1/segments/count",
    "/v1/segments/preview",
    "/v1/segments/explain",
]
DEEP = b"[" * 100_000 + b"]" * 100_000
HALF = "x\ud83d"


def post(standing: App, path: str, body: bytes | dict[str, Any]) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return standing.client.post(path, content=content, headers={"content-type": "application/json"})


def view(**properties: int | str) -> dict[str, Any]:
    return {"events": [{"event_id": "e", "type": "view", "customer_id": "c001", "properties": properties}]}


def order(**properties: Any) -> dict[str, Any]:
    lines: dict[str, Any] = {"order_id": "o", "items": [{"item_id": "d01"}]} | properties
    return {"events": [{"event_id": "e", "type": "order", "customer_id": "c001", "properties": lines}]}


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("body", [b'{"limit": ', b'{"name": "\xff"}', b'{"limit": NaN}', b'{"a": ' + DEEP + b"}", DEEP])
def test_what_is_no_json_is_called_malformed_on_every_route(standing: App, path: str, body: bytes) -> None:
    answer = post(standing, path, body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["field"]) == ("malformed_json", "body")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/events", view(item_id=HALF), "events[0].properties.item_id"),
        ("/v1/events", view(item_id="d\0"), "events[0].properties.item_id"),
        ("/v1/events", view(item_id="d01", **{HALF: 1}), "events[0].properties"),
        ("/v1/events", order(order_id=HALF), "events[0].properties.order_id"),
        ("/v1/events", order(items=[{"item_id": HALF}]), "events[0].properties.items[0].item_id"),
        ("/v1/events", order(items=[{"item_id": "d01", HALF: 1}]), "events[0].properties.items[0]"),
        ("/v1/events", order(status=HALF), "events[0].properties.status"),
        ("/v1/recommend/dishes", {"customer_id": HALF}, "customer_id"),
        ("/v1/recommend/dishes", {"context": {"cart": ["d01", HALF]}}, "context.cart[1]"),
        ("/v1/recommend/dishes", {HALF: 1}, "body"),
        ("/v1/recommend/for-segment", {"segment": HALF}, "segment"),
        ("/v1/recommend/for-segment", {"segment": {"segment": "\ud800"}}, "segment.segment"),
        ("/v1/recommend/for-segment", {"segment": "dormant", "parameters": {"a": HALF}}, "parameters.a"),
        ("/v1/segments/count", {"segment": {"all": [{"tier": HALF}]}}, "segment.all[0].tier"),
        ("/v1/segments/explain", {"segment": "dormant", "customer_id": HALF}, "customer_id"),
        ("/v1/recommend/coupons", {"customer_id": "c001", "context": {"zone": HALF}}, "context.zone"),
    ],
)
def test_half_a_character_is_refused_with_its_place(standing: App, path: str, body: dict[str, Any], field: str) -> None:
    answer = post(standing, path, body)
    assert answer.status_code == 422, answer.text
    assert (answer.json()["code"], answer.json()["field"]) == ("bad_request", field)


def test_a_whole_character_beyond_the_first_plane_is_text(standing: App) -> None:
    body = json.dumps(view(item_id="d")).encode().replace(b'"d"', b'"\\ud83c\\udf5c"')
    assert post(standing, "/v1/events", body).json()["accepted"] == 1


def test_names_in_paths_hold_no_control_characters(standing: App) -> None:
    answer = standing.client.get("/v1/customers/a%00b")
    assert (answer.status_code, answer.json()["field"]) == (422, "customer_id")
    assert standing.client.get("/v1/segments/a%00b").json()["field"] == "name"
