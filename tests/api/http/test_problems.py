"""Every fault is a problem document, and says what is wrong where; a wrong kind of value is never read as another."""

from __future__ import annotations

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.api.conftest import App


def posted(standing: App, path: str, body: list[Any] | dict[str, Any]) -> dict[str, Any]:
    answer = standing.client.post(path, json=body)
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert answer.status_code == 422
    return answer.json()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"limit": True}, "limit"),
        ({"limit": "5"}, "limit"),
        ({"limit": 5.5}, "limit"),
        ({"explain": "yes"}, "explain"),
        ({"explain": 1}, "explain"),
        ({"context": {"latitude": True, "longitude": 1}}, "context.latitude"),
        ({"context": {"latitude": 1, "longitude": "1"}}, "context.longitude"),
        ({"context": {"at": 1_764_000_000}}, "context.at"),
        ({"context": {"at": "1764000000"}}, "context.at"),
        ({"context": {"at": "2026-01-16"}}, "context.at"),
        ({"context": {"at": True}}, "context.at"),
        ({"lists": {"most_per_vendor": True}}, "lists.most_per_vendor"),
        ({"lists": {"most_per_vendor": "1"}}, "lists.most_per_vendor"),
        ({"lists": {"repeat_max": True}}, "lists.repeat_max"),
        ({"customer_id": 5}, "customer_id"),
    ],
)
@pytest.mark.parametrize("shelf", ["dishes", "addons"])
def test_a_wrong_kind_of_value_is_refused_and_not_read_as_another(
    standing: App, shelf: str, body: dict[str, Any], field: str
) -> None:
    found = posted(standing, f"/v1/recommend/{shelf}", body)
    assert (found["code"], found["field"]) == ("bad_request", field)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/recommend/coupons", {"customer_id": "c001", "limit": True}, "limit"),
        ("/v1/recommend/coupons", {"customer_id": "c001", "basket_cents": "4300"}, "basket_cents"),
        ("/v1/recommend/coupons", {"customer_id": "c001", "delivery_fee_cents": False}, "delivery_fee_cents"),
        ("/v1/recommend/coupons", {"customer_id": "c001", "context": {"at": 0}}, "context.at"),
        ("/v1/segments/preview", {"segment": "dormant", "sample": True}, "sample"),
        ("/v1/segments/preview", {"segment": "dormant", "sample": "5"}, "sample"),
        ("/v1/segments/count", {"segment": "dormant", "as_of": 20260101}, "as_of"),
        ("/v1/segments/count", {"segment": 5}, "segment"),
        ("/v1/segments/explain", {"segment": [], "customer_id": "c001"}, "segment"),
        ("/v1/recommend/for-segment", {"segment": 5}, "segment"),
        ("/v1/recommend/for-segment", {"segment": ""}, "segment"),
        ("/v1/recommend/for-segment", {"segment": "one_timers", "limit": "5"}, "limit"),
        ("/v1/recommend/for-segment", {}, "segment"),
        ("/v1/events", {"events": [{"event_id": "e", "type": "view", "customer_id": "c", "at": 5}]}, "events[0].at"),
        ("/v1/events", {"events": [{"type": "view", "customer_id": "c"}]}, "events[0].event_id"),
        ("/v1/events", {"events": {}}, "events"),
        ("/v1/events", [], "body"),
    ],
)
def test_every_route_names_the_field_as_it_was_sent(
    standing: App, path: str, body: list[Any] | dict[str, Any], field: str
) -> None:
    found = posted(standing, path, body)
    assert (found["code"], found["field"]) == ("bad_request", field)
    assert all(each["field"] == field for each in found["errors"])


def test_whole_numbers_will_do_where_fractions_are_asked(standing: App) -> None:
    assert standing.dishes(context={"latitude": 31, "longitude": 121}, lists={"repeat_max": 1})["items"]


def test_a_field_that_may_be_two_things_says_both(standing: App) -> None:
    detail = posted(standing, "/v1/segments/count", {"segment": 5})["detail"]
    assert "string" in detail
    assert "dictionary" in detail


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"customer_id": "a\nb"}, "control character"),
        ({"language": "french"}, "a language tag such as en, zh-CN or pt-BR"),
        ({"request_id": "a b"}, "1 to 64"),
        ({"context": {"at": "2026-01-16T12:05:00"}}, "offset"),
        ({"context": {"alergens": ["milk"]}}, "no field of this request"),
        ([], "JSON object"),
    ],
)
def test_a_refusal_says_in_words_what_to_send(standing: App, body: list[Any] | dict[str, Any], says: str) -> None:
    assert says in posted(standing, "/v1/recommend/dishes", body)["detail"]


def test_a_body_that_is_not_said_to_be_json_is_told_how_to_send_it(standing: App) -> None:
    answer = standing.client.post("/v1/recommend/dishes", content=b"{}", headers={"content-type": "text/plain"})
    assert "content-type: application/json" in answer.json()["detail"]


def test_an_unknown_route_is_told_with_the_nearest_and_a_wrong_method_with_the_right_one(standing: App) -> None:
    for path, says in (("/v1/recommend/dishs", "did you mean '/v1/recommend/dishes'?"), ("/moon", "no route '/moon'")):
        found = standing.client.post(path, json={}).json()
        assert found["code"] == "not_found"
        assert says in found["detail"]
    assert "takes POST only" in standing.client.get("/v1/recommend/dishes").json()["detail"]


def test_an_instant_in_the_first_or_last_year_is_refused_and_not_stored(standing: App) -> None:
    for at in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        event = {"event_id": "e", "type": "view", "customer_id": "c", "at": at, "properties": {"item_id": "d01"}}
        assert posted(standing, "/v1/events", {"events": [event]})["field"] == "events[0].at"


def test_a_channel_too_long_for_its_column_is_refused(standing: App) -> None:
    consent = {"granted": True, "channel": "x" * 41}
    event = {"event_id": "e", "type": "consent", "customer_id": "c", "properties": consent}
    assert posted(standing, "/v1/events", {"events": [event]})["field"] == "events[0].properties.channel"


@pytest.mark.parametrize("path", ["/v1/recommend/dishes", "/v1/segments/count"])
def test_a_fault_nobody_foresaw_is_a_problem_and_is_logged_under_its_request_id(
    standing: App, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def broken(*_args: object, **_more: object) -> None:
        raise ZeroDivisionError("secret inside")

    monkeypatch.setattr("api.routes.recommend.recommend_dishes", broken)
    monkeypatch.setattr("engine.segments.library.segment_rule", broken)
    body = {} if "dishes" in path else {"segment": "dormant"}
    with capture_logs() as logged:
        answer = standing.client.post(path, json=body)
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert found["code"] == "internal"
    assert "secret" not in json.dumps(found)
    (line,) = [each for each in logged if each["event"] == "request_failed"]
    assert (line["request_id"], line["route"]) == (found["request_id"], path)
    assert line["log_level"] == "error"


@pytest.mark.parametrize("taken", [{"name": "new"}, {"rule": {"orders": {"at_least": 1}}}])
@pytest.mark.parametrize("path", ["/v1/segments/count", "/v1/recommend/for-segment"])
def test_no_parameter_puts_another_segment_in_the_place_of_the_one_asked_for(
    standing: App, path: str, taken: dict[str, Any]
) -> None:
    found = posted(standing, path, {"segment": "dormant", "parameters": taken})
    assert (found["code"], found["field"]) == ("bad_definition", "parameters")
