"""Dishes over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from engine.columns import ITEMS
from engine.settings import Settings
from tests.api.conftest import DISHES, VENDOR, App, fill


def order(dish: str, number: int = 1, customer: str = "c001", **more: Any) -> dict[str, Any]:
    return {
        "event_id": f"e{number}",
        "type": "order",
        "customer_id": customer,
        "properties": {"order_id": f"new{number}", "items": [{"item_id": dish}], **more},
    }


def instant(**later: int) -> str:
    return (datetime.now(UTC) + timedelta(**later)).isoformat()


def test_a_known_customer_gets_ranked_dishes_with_reasons(app: App) -> None:
    answer = app.dishes(limit=4)
    assert set(answer) == {"request_id", "model_version", "items", "notes"}
    assert len(answer["items"]) == 4
    for item in answer["items"]:
        assert set(item) == {"item_id", "name", "score", "source", "reason", "propensity"}
        assert item["propensity"] == 1
        assert item["reason"].keys() == {"code", "text"}
        assert item["name"] == item["item_id"].upper()
    assert len(app.dishes(limit=4)["request_id"]) == 32


def test_each_answer_has_its_own_request_id(app: App) -> None:
    assert app.dishes()["request_id"] != app.dishes()["request_id"]


def test_an_order_sent_as_event_changes_the_very_next_answer(app: App) -> None:
    before = [item["item_id"] for item in app.dishes("stranger", limit=12)["items"]]
    rare = before[-1]
    assert app.tell(order(rare, customer="stranger")) == {"accepted": 1, "duplicates": 0, "fresh": True}
    after = app.dishes("stranger", limit=12)
    assert after["items"][0]["item_id"] == rare
    assert after["notes"] == []


def test_a_visitor_without_account_gets_popular_dishes_and_the_note(app: App) -> None:
    answer = app.dishes(None, limit=3)
    assert answer["notes"] == ["unknown_customer"]
    assert len(answer["items"]) == 3


def test_the_context_filters_what_cannot_be_ordered(app: App) -> None:
    answer = app.dishes(context={"zone": "z0", "cart": ["d00"], "at": instant(hours=1)}, exclude=["d02"], limit=50)
    shown = {item["item_id"] for item in answer["items"]}
    assert shown == {d for d in DISHES if VENDOR[d] != "v1"} - {"d00", "d02"}
    assert answer["notes"] == ["fewer_than_asked"]
    assert answer["why_empty"] == {"code": "out_of_zone", "text": "Other vendors do not deliver to that zone"}


def test_a_vendor_page_and_given_candidates_narrow_the_list(app: App) -> None:
    assert {VENDOR[i["item_id"]] for i in app.dishes(context={"vendor_id": "v2"})["items"]} == {"v2"}
    assert [i["item_id"] for i in app.dishes(candidates=["d03", "unknown"])["items"]] == ["d03"]


def test_the_customers_language_words_the_reasons_unless_the_request_says_otherwise(app: App) -> None:
    assert "您" in app.dishes("c002", limit=1)["items"][0]["reason"]["text"]
    assert "You" in app.dishes("c002", limit=1, language="en")["items"][0]["reason"]["text"]


@pytest.mark.parametrize(
    ("tag", "customer", "words"),
    [("zh-Hant-TW", "c001", "您"), ("en-GB", "c002", "You"), ("de", "c002", "您"), ("de", "c001", "You")],
)
def test_regional_tags_get_their_languages_words_and_others_the_customers(
    app: App, tag: str, customer: str, words: str
) -> None:
    assert words in app.dishes(customer, limit=1, language=tag)["items"][0]["reason"]["text"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 10_000}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"customer_id": ""}, "customer_id"),
        ({"customer_id": "x" * 201}, "customer_id"),
        ({"customer_id": "a\nb"}, "customer_id"),
        ({"context": {"at": "yesterday"}}, "context.at"),
        ({"context": {"at": "2026-01-01T12:00:00"}}, "context.at"),
        ({"context": {"latitude": 91}}, "context.latitude"),
        ({"context": {"cart": ["a", 5]}}, "context.cart[1]"),
        ({"context": {"zoen": "z0"}}, "context.zoen"),
        ({"exclude": ["d"] * 10_001}, "exclude"),
        ({"context": {"clicked": ["d"] * 51}}, "context.clicked"),
        ({"context": {"allergens": ["penuts"]}}, "context.allergens[0]"),
        ({"context": {"at": "2001-01-01T00:00:00Z"}}, "context.at"),
        ({"context": {"at": "0001-01-01T00:00:00+14:00"}}, "context.at"),
        ({"context": {"at": "9999-12-31T23:59:59-14:00"}}, "context.at"),
        ({"lists": {"explore_share": 0.6}}, "lists.explore_share"),
        ({"lists": {"repeat_min": 0.8, "repeat_max": 0.5}}, "lists.repeat_min"),
        ({"lists": {"most_per_vender": 1}}, "lists.most_per_vender"),
        ({"exclude": ["x" * 1_000_000]}, "exclude[0]"),
        ({"request_id": "no blanks"}, "request_id"),
        ({"language": "french"}, "language"),
        ({"customer": "c001"}, "customer"),
    ],
)
def test_a_wrong_field_is_a_422_problem_with_its_path(app: App, body: dict[str, Any], field: str) -> None:
    answer = app.client.post("/v1/recommend/dishes", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "bad_request"
    assert problem["field"] == field
    assert problem["status"] == 422


def test_malformed_json_says_where(app: App) -> None:
    answer = app.client.post(
        "/v1/recommend/dishes", content=b'{"limit": ', headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["code"] == "malformed_json"
    assert "character" in answer.json()["detail"]


def test_a_huge_body_is_refused_before_it_is_read(app: App) -> None:
    answer = app.client.post("/v1/recommend/dishes", content=b"x" * (5 * 1024 * 1024))
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"


def test_a_huge_body_without_a_length_is_refused_too(app: App) -> None:
    answer = app.client.post("/v1/recommend/dishes", content=(b"x" * 1024 * 1024 for _ in range(6)))
    assert answer.status_code == 413


def test_unknown_routes_and_methods_are_problems_too(app: App) -> None:
    assert app.client.get("/v1/nothing").json()["code"] == "not_found"
    assert app.client.get("/v1/recommend/dishes").json()["code"] == "method_not_allowed"


def test_a_dish_sold_out_now_is_gone_without_training(app: App) -> None:
    favourite = app.dishes(limit=1)["items"][0]["item_id"]
    fill(app.settings, "items", ITEMS, [{"item_id": favourite, "available": False}])
    app.call(app.live.refresh)
    assert favourite not in {item["item_id"] for item in app.dishes(limit=12)["items"]}


def test_before_the_first_training_it_says_what_to_do(settings: Settings) -> None:
    from tests.api.conftest import opened

    with opened(settings) as running:
        assert running.dishes(status=503)["code"] == "no_model"
        assert "regulars train" in running.dishes(status=503)["detail"]
        assert running.client.get("/health/ready").status_code == 503
        assert running.client.get("/health/live").status_code == 200


def test_a_broken_artifact_leaves_the_old_one_serving_and_health_says_so(app: App) -> None:
    from engine import artifact

    root = app.settings.artifacts_folder
    version = app.dishes()["model_version"]
    artifact.write(root, "broken", {"nothing": pl.Series([1]).to_numpy()}, {})
    (root / "broken" / "nothing.npy").write_bytes(b"junk")
    artifact.activate(root, "broken")
    app.call(app.live.refresh)
    assert app.dishes()["model_version"] == version
    ready = app.client.get("/health/ready").json()
    assert ready["status"] == "degraded"
    assert "artifact_broken" in ready["fault"]


def test_five_thousand_excluded_ids_are_honoured_and_unknown_ones_counted(app: App) -> None:
    answer = app.dishes(exclude=[*(f"gone-{n}" for n in range(4_990)), *DISHES[:10]], limit=5)
    assert {item["item_id"] for item in answer["items"]} <= set(DISHES[10:])
    assert answer["unknown_ids"] == {"exclude": 4_990}
    assert {"unknown_ids", "fewer_than_asked"} <= set(answer["notes"])
    assert answer["why_empty"]["code"] == "all_excluded"


def test_a_cart_of_unknown_dishes_is_said_to_be_unknown(app: App) -> None:
    answer = app.dishes(context={"cart": ["汤", "🍜", "nobody's"]}, limit=2)
    assert answer["unknown_ids"] == {"context.cart": 3}
    assert len(answer["items"]) == 2


def test_the_past_is_answered_with_a_note_and_next_month_without(app: App) -> None:
    assert app.dishes(context={"at": instant(days=-9)})["notes"] == ["past_at"]
    assert app.dishes(context={"at": instant(days=30)})["notes"] == []


def test_many_wrong_ids_make_a_short_message(app: App) -> None:
    answer = app.client.post("/v1/recommend/dishes", json={"exclude": [""] * 9_000})
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 20


def test_an_allergen_leaves_out_what_holds_it_and_what_nobody_labelled(app: App) -> None:
    answer = app.dishes(context={"allergens": ["花生"]}, limit=12)
    assert answer["items"] == []
    assert answer["why_empty"]["code"] == "allergens"
    fill(
        app.settings, "items", ITEMS, [{"item_id": "d03", "allergens": "none"}, {"item_id": "d04", "allergens": "nut"}]
    )
    app.call(app.live.refresh)
    assert {i["item_id"] for i in app.dishes(context={"allergens": ["peanuts"]})["items"]} == {"d03", "d04"}
    assert {i["item_id"] for i in app.dishes(context={"allergens": ["nuts"]})["items"]} == {"d03"}


def test_an_explanation_adds_up_and_tells_what_filters_took(app: App) -> None:
    answer = app.dishes(limit=3, explain=True, exclude=["d00"], context={"zone": "z0"})
    assert answer["filters"]["menu"] == 12
    assert answer["filters"]["excluded"] == 1
    assert answer["filters"]["out_of_zone"] == 4
    assert answer["filters"]["left"] == 12 - 1 - 4
    for place, item in enumerate(answer["items"], 1):
        told = item["explanation"]
        assert told["rank"] == place
        assert max(told["contributions"], key=lambda name: told["contributions"][name]) == item["source"]
        assert told["changes"] == []


def test_the_same_request_id_draws_the_same_lots(app: App) -> None:
    lists = {"explore_share": 0.5, "explore_after": 0}
    first = app.dishes(limit=6, lists=lists, request_id="screen-7")
    assert first["request_id"] == "screen-7"
    assert app.dishes(limit=6, lists=lists, request_id="screen-7")["items"] == first["items"]


def test_lots_asked_for_where_no_dish_is_new_are_said_not_to_be_drawn(app: App) -> None:
    assert "not_explored" in app.dishes(limit=3, lists={"explore_share": 0.5})["notes"]
    assert "not_explored" not in app.dishes(limit=3, lists={"most_per_vendor": 2})["notes"]


def test_an_operators_file_arranges_lists_at_once_and_a_broken_one_changes_nothing(app: App) -> None:
    file = app.settings.home / "recommend.yaml"
    file.write_text("lists: {most_per_vendor: 1}\n", encoding="utf-8")
    app.call(app.live.refresh)
    assert sorted(VENDOR[i["item_id"]] for i in app.dishes(limit=3)["items"]) == ["v0", "v1", "v2"]
    file.write_text("lists: {most_per_vendor: many}\n", encoding="utf-8")
    app.call(app.live.refresh)
    assert sorted(VENDOR[i["item_id"]] for i in app.dishes(limit=3)["items"]) == ["v0", "v1", "v2"]
    assert "most_per_vendor" in app.client.get("/health/ready").json()["fault"]


def test_what_an_anonymous_session_taps_steers_its_next_list(app: App) -> None:
    before = [item["item_id"] for item in app.dishes(None, limit=12)["items"]]
    rare = before[-1]
    app.tell({"event_id": "tap", "type": "click", "customer_id": "session-9", "properties": {"item_id": rare}})
    after = app.dishes(None, limit=12, context={"session_id": "session-9"})
    assert [item["item_id"] for item in after["items"]].index(rare) < 4
    assert [item["item_id"] for item in app.dishes(None, limit=12)["items"]] == before


def test_what_she_tapped_before_she_signed_in_counts_beside_her_own_events(app: App) -> None:
    order_of = [item["item_id"] for item in app.dishes("newcomer", limit=12)["items"]]
    first, second = order_of[-1], order_of[-2]
    for number, (who, dish) in enumerate((("session-9", first), ("newcomer", second))):
        app.tell({"event_id": f"t{number}", "type": "click", "customer_id": who, "properties": {"item_id": dish}})
    alone = [item["item_id"] for item in app.dishes("newcomer", limit=12)["items"]]
    both = [item["item_id"] for item in app.dishes("newcomer", limit=12, context={"session_id": "session-9"})["items"]]
    assert both.index(first) < 4 < alone.index(first)
    assert both.index(second) < 4


def test_a_session_is_asked_beside_its_customer_and_never_twice(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    live = app.live
    asked: list[str] = []

    class Counting:
        async def recent(self, customer_id: str) -> list[Any]:
            asked.append(customer_id)
            return []

    monkeypatch.setattr(live.recent_events, "online", Counting())
    app.call(live.recent, "ann", "session-9")
    app.call(live.recent, "ann", "ann")
    app.call(live.recent, "ann", None)
    app.call(live.recent, None, "session-9")
    assert asked == ["ann", "session-9", "ann", "ann", "session-9"]


def test_a_bad_rating_sends_a_dish_to_the_end(app: App) -> None:
    app.tell(order("d05", 1, "stranger"))
    assert app.dishes("stranger", limit=1)["items"][0]["item_id"] == "d05"
    rating = {"order_id": "new1", "rating": 1, "item_id": "d05"}
    app.tell({"event_id": "r", "type": "rating", "customer_id": "stranger", "properties": rating})
    assert app.dishes("stranger", limit=12)["items"][-1]["item_id"] == "d05"


def test_a_dish_she_did_not_want_to_see_is_shown_again_after_ninety_days(app: App) -> None:
    dish = app.dishes(limit=1)["items"][0]["item_id"]
    now = datetime.now(UTC)
    for number, days in enumerate((91, 89)):
        told = {"event_id": f"n{number}", "type": "not_interested", "customer_id": "c001"}
        app.tell(told | {"at": (now - timedelta(days=days)).isoformat(), "properties": {"item_id": dish}})
        shown = {each["item_id"] for each in app.dishes(limit=100)["items"]}
        assert (dish in shown) == (days > 90)
