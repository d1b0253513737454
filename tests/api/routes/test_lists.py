"""The lists beside the home list, over HTTP: one request shape, one way to say no."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.api.conftest import DISHES, VENDOR, App

ROUTES: dict[str, dict[str, Any]] = {
    "dishes": {"customer_id": "c001"},
    "similar": {"customer_id": "c001", "item_id": "d05"},
    "addons": {"customer_id": "c001", "context": {"cart": ["d05"]}},
    "again": {"customer_id": "c001"},
    "vendors": {"customer_id": "c001"},
    "for-segment": {"segment": {"orders": {"at_least": 1}}},
}


def ask(app: App, route: str, status: int = 200, **body: Any) -> dict[str, Any]:
    answer = app.client.post(f"/v1/recommend/{route}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.mark.parametrize("route", ROUTES)
def test_every_list_answers_with_reasons_in_both_languages(standing: App, route: str) -> None:
    english, chinese = (ask(standing, route, **ROUTES[route], limit=3, language=lang) for lang in ("en", "zh"))
    assert {"request_id", "model_version", "items", "notes"} <= set(english)
    assert english["items"]
    for ours, theirs in zip(english["items"], chinese["items"], strict=True):
        assert ours["reason"]["code"] == theirs["reason"]["code"]
        assert ours["reason"]["text"].isascii()
        assert not theirs["reason"]["text"].isascii()


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 10_000}, "limit"),
        ({"exclude": ["d"] * 10_001}, "exclude"),
        ({"candidates": ["x" * 201]}, "candidates[0]"),
        ({"candidates": ["a\u0000b"]}, "candidates[0]"),
        ({"context": {"at": "2999-01-01T00:00:00Z", "cart": ["d05"]}}, "context.at"),
        ({"context": {"at": "1970-01-01T00:00:00Z", "cart": ["d05"]}}, "context.at"),
        ({"context": {"diets": ["vegn"], "cart": ["d05"]}}, "context.diets[0]"),
        ({"language": "french"}, "language"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_a_wrong_field_is_a_422_with_its_path_on_every_list(
    standing: App, route: str, wrong: dict[str, Any], field: str
) -> None:
    problem = ask(standing, route, status=422, **(ROUTES[route] | wrong))
    assert problem["code"] == "bad_request"
    assert problem["field"] == field


@pytest.mark.parametrize("route", ROUTES)
def test_every_list_honours_context_candidates_and_exclusions(standing: App, route: str) -> None:
    context = {"zone": "z0", "cart": ["d05"]}
    asked = ROUTES[route] | {"context": context, "candidates": DISHES[:8], "exclude": ["d00"], "limit": 12}
    answer = ask(standing, route, **asked)
    shown = [dish for item in answer["items"] for dish in item.get("dishes", [item.get("item_id")])]
    fine = {dish for dish in DISHES[:8] if VENDOR[dish] != "v1"} - {"d00", "d05"}
    assert set(shown) <= fine
    assert "fewer_than_asked" in answer["notes"]
    assert answer["why_empty"]["code"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    ["customer_id", "limit", "context", "exclude", "candidates", "language", "lists", "item_id", "segment", "explain"]
)
words = st.text(max_size=12) | st.sampled_from(["\ud800", "a\u0000", "🍜", "汤", "x" * 10_000, "c001", "d05"])


@given(
    route=st.sampled_from(sorted(ROUTES)),
    body=st.dictionaries(names | st.sampled_from(["\ud800", "🍜"]), anything | words | st.lists(words, max_size=3)),
    context=st.dictionaries(
        st.sampled_from(["zone", "vendor_id", "cart", "clicked", "session_id", "at", "latitude", "allergens"]),
        anything | words | st.lists(words, max_size=3),
    ),
)
@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_that_is_sent_can_break_the_service(
    standing: App, route: str, body: dict[str, Any], context: dict[str, Any]
) -> None:
    content = json.dumps({"context": context} | ROUTES[route] | body)
    answer = standing.client.post(
        f"/v1/recommend/{route}", content=content, headers={"content-type": "application/json"}
    )
    assert answer.status_code in {200, 404, 422}, answer.text
    assert answer.json()["code" if answer.status_code != 200 else "notes"] is not None


@given(
    route=st.sampled_from(sorted(ROUTES)),
    ids=st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30), max_size=4),
    customer=st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30),
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_any_text_may_be_an_id(standing: App, route: str, ids: list[str], customer: str) -> None:
    body = ROUTES[route] | {"exclude": ids, "candidates": [*ids, *DISHES]}
    if route != "for-segment":
        body["customer_id"] = customer
    body["context"] = {
        "cart": [*ids, "d05"],
        "zone": customer,
        "vendor_id": None,
        "clicked": ids,
        "session_id": customer,
    }
    assert ask(standing, route, **body)["notes"] is not None


def test_json_nested_beyond_reason_is_a_problem_and_not_a_crash(standing: App) -> None:
    for content in ("[" * 100_000, '{"context":' * 50_000, "[" * 100_000 + "]" * 100_000):
        answer = standing.client.post(
            "/v1/recommend/dishes", content=content, headers={"content-type": "application/json"}
        )
        assert 400 <= answer.status_code < 500
        assert answer.headers["content-type"] == "application/problem+json"


def test_an_unknown_dish_or_segment_is_a_404_with_the_nearest_name(standing: App) -> None:
    problem = ask(standing, "similar", status=404, item_id="d055")
    assert (problem["code"], problem["field"]) == ("not_found", "item_id")
    assert "did you mean 'd05'" in problem["detail"]
    problem = ask(standing, "for-segment", status=404, segment="dormnt")
    assert "did you mean 'dormant'" in problem["detail"]


def test_a_wrong_segment_tree_is_told_by_its_path(standing: App) -> None:
    problem = ask(standing, "for-segment", status=422, segment={"all": [{"ordres": {"at_least": 1}}]})
    assert problem["code"] == "bad_definition"
    assert "ordres" in problem["field"]
    assert ask(standing, "for-segment", status=422, segment={"orders": {"at_least": 1}}, parameters={"a": 1})


def test_an_empty_cart_cannot_be_completed(standing: App) -> None:
    assert ask(standing, "addons", status=422, customer_id="c001")["field"] == "context.cart"


def test_only_the_home_list_gives_slots_away_by_lot_and_others_say_so(standing: App) -> None:
    answer = ask(standing, "again", customer_id="c001", lists={"explore_share": 0.3})
    assert "not_explored" in answer["notes"]


def test_a_segment_is_answered_with_how_many_it_asked(standing: App) -> None:
    answer = ask(standing, "for-segment", segment={"orders": {"at_least": 1}}, limit=2)
    assert answer["members"] == answer["sampled"] == answer["everybody"] == 60
    assert all(item["fits"] <= 60 for item in answer["items"])


def test_vendors_explain_what_their_score_is_made_of(standing: App) -> None:
    (first, *_) = ask(standing, "vendors", customer_id="c001", explain=True)["items"]
    assert first["score"] == pytest.approx(sum(first["explanation"]["contributions"].values()), abs=1e-5)


@pytest.mark.parametrize("route", ROUTES)
def test_a_key_without_the_scope_is_refused(standing: App, route: str) -> None:
    from tests.api.conftest import key_for

    headers = {"Authorization": f"Bearer {key_for(standing.settings, 'events')}"}
    answer = standing.client.post(f"/v1/recommend/{route}", json=ROUTES[route], headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize("route", ROUTES)
def test_every_list_explains_what_its_filters_took(standing: App, route: str) -> None:
    plain, told = (ask(standing, route, **ROUTES[route], explain=explain) for explain in (False, True))
    assert "filters" not in plain
    assert told["filters"]["menu"] == 12


@pytest.mark.parametrize("route", ROUTES)
def test_half_a_point_is_refused_on_every_list(standing: App, route: str) -> None:
    for told, lacking in (("latitude", "longitude"), ("longitude", "latitude")):
        body = ROUTES[route] | {"context": ROUTES[route].get("context", {}) | {told: 31.2}}
        found = ask(standing, route, 422, **body)
        assert (found["code"], found["field"]) == ("bad_request", f"context.{lacking}")
        assert "latitude and longitude" in found["detail"]


@pytest.mark.parametrize("route", ROUTES)
def test_taps_and_who_brought_them_are_used_or_said_not_to_be(standing: App, route: str) -> None:
    told = {"clicked": ["d07"], "session_id": "s-1", "referred_by": "c002"}
    body = ROUTES[route] | {"context": ROUTES[route].get("context", {}) | told}
    notes = ask(standing, route, **body)["notes"]
    assert ("clicked_not_used" in notes) == (route not in {"dishes", "again"})
    assert ("session_id_not_used" in notes) == (route == "for-segment")
    assert ("referred_by_not_used" in notes) == (route in {"similar", "again", "for-segment"})


def test_every_route_shows_an_example_of_question_and_answer(standing: App) -> None:
    paths = standing.client.get("/openapi.json").json()["paths"]
    for route in ROUTES:
        post = paths[f"/v1/recommend/{route}"]["post"]
        assert post["responses"]["200"]["content"]["application/json"]["example"]["items"]
