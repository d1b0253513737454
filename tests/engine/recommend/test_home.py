"""From a request to dishes: filters on every path, fresh events, honest notes, readable reasons."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engine.artifact import load
from engine.columns import ITEMS, VENDORS
from engine.events.event import Event
from engine.history.opening import open_history
from engine.models.daypart import PopularByDaypart
from engine.models.query import Place
from engine.models.registry import impersonal_models
from engine.recommend.catalog.catalog import Catalog, build_catalog
from engine.recommend.explain.why import _model_reason
from engine.recommend.home import DishRequest, recommend_dishes
from engine.recommend.published.model import PublishedModel, open_published
from engine.recommend.response import DishAnswer
from engine.settings import Settings
from tests.baskets import random_town, tables
from tests.engine.recommend.conftest import Town
from tests.present import there
from training import run

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
DISHES = [f"d{i:02d}" for i in range(12)]
VENDOR = {dish: f"v{i % 3}" for i, dish in enumerate(DISHES)}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> PublishedModel:
    settings = Settings.from_environment({}, home=tmp_path_factory.mktemp("home"))
    told = {c: [(day, dishes[:1]) for day, dishes in placed] for c, placed in random_town(60, 12, seed=6).items()}
    open_history(settings).append(*tables(told, vendors=VENDOR, zones={c: f"z{int(c[1:]) % 2}" for c in told}))
    return open_published(load(settings.artifacts_folder, run.train(settings, now=NOW).version))


@pytest.fixture(scope="module")
def catalog(published: PublishedModel) -> Catalog:
    items: list[dict[str, Any]] = [
        {"item_id": d, "name": d.upper(), "name_zh": f"菜{d}", "vendor_id": VENDOR[d]} for d in DISHES
    ]
    items[0]["available"] = False
    vendors = [{"vendor_id": "v1", "zones": "z1"}, {"vendor_id": "v2", "opens": "10:00", "closes": "14:00"}]
    return build_catalog(
        published.items,
        pl.DataFrame([{n: i.get(n) for n in ITEMS} for i in items], schema=ITEMS, orient="row"),
        pl.DataFrame([{n: v.get(n) for n in VENDORS} for v in vendors], schema=VENDORS, orient="row"),
        timezone="UTC",
    )


def ask(
    published: PublishedModel,
    catalog: Catalog,
    customer: str | None = "c001",
    fresh: tuple[Any, ...] | list[Event] = (),
    **asked: Any,
) -> DishAnswer:
    given: dict[str, Any] = {"limit": 5, "at": NOW} | asked
    return recommend_dishes(published, catalog, DishRequest(customer, **given), fresh)


def event(kind: str, seq: int = 1, customer: str = "c001", **properties: list[dict[str, str]] | str) -> Event:
    return Event(f"e{seq}", kind, customer, NOW + timedelta(minutes=seq), properties, seq)


def ordered(dish: str, seq: int = 1, order_id: str | None = None, **more: str) -> Event:
    return event("order", seq, order_id=order_id or f"o{seq}", items=[{"item_id": dish}], **more)


@given(
    customer=st.sampled_from([None, "c001", "c007", "stranger"]),
    zone=st.sampled_from([None, "z0", "z1", "mars"]),
    hour=st.integers(0, 23),
    vendor=st.sampled_from([None, "v0", "v1", "v2", "nobody"]),
    exclude=st.sets(st.sampled_from(DISHES), max_size=4),
    cart=st.sets(st.sampled_from(DISHES), max_size=3),
    candidates=st.none() | st.sets(st.sampled_from([*DISHES, "unheard of"]), max_size=6),
    disliked=st.sets(st.sampled_from(DISHES), max_size=3),
    limit=st.integers(1, 20),
)
@hypothesis_settings(max_examples=150, deadline=None)
def test_no_path_shows_what_cannot_or_may_not_be_ordered(
    published: PublishedModel,
    catalog: Catalog,
    customer: str | None,
    zone: str | None,
    hour: int,
    vendor: str | None,
    exclude: set[Any],
    cart: set[Any],
    candidates: set[Any] | None,
    disliked: set[Any],
    limit: int,
) -> None:
    at = NOW.replace(hour=hour)
    fresh = [event("not_interested", i + 1, item_id=dish) for i, dish in enumerate(sorted(disliked))]
    answer = ask(
        published, catalog, customer, fresh, limit=limit, at=at, zone=zone, vendor_id=vendor,
        exclude=tuple(exclude), cart=tuple(cart), candidates=None if candidates is None else tuple(candidates),
    )  # fmt: skip
    for dish in answer.dishes:
        assert dish.item_id != "d00"
        assert dish.item_id not in exclude | cart | disliked
        assert candidates is None or dish.item_id in candidates
        assert vendor is None or VENDOR[dish.item_id] == vendor
        assert not (VENDOR[dish.item_id] == "v1" and zone not in {None, "z1"})
        assert not (VENDOR[dish.item_id] == "v2" and not 10 <= hour < 14)
    allowed = {
        d for d in DISHES[1:]
        if d not in exclude | cart | disliked and (candidates is None or d in candidates)
        and vendor in {None, VENDOR[d]} and not (VENDOR[d] == "v1" and zone not in {None, "z1"})
        and not (VENDOR[d] == "v2" and not 10 <= hour < 14)
    }  # fmt: skip
    assert len(answer.dishes) == min(limit, len(allowed))
    assert ("fewer_than_asked" in answer.notes) == (len(answer.dishes) < limit)
    scores = [dish.score for dish in answer.dishes]
    assert scores == sorted(scores, reverse=True)


def test_an_order_of_this_minute_comes_first_in_the_next_answer(published: PublishedModel, catalog: Catalog) -> None:
    quiet = ask(published, catalog, "stranger", limit=11, zone="z1").dishes
    rare = quiet[-1].item_id
    answer = ask(published, catalog, "stranger", [ordered(rare)], limit=3, zone="z1")
    assert answer.dishes[0].item_id == rare
    assert answer.dishes[0].reason.code == "ordered_once"
    assert answer.customer_known


def test_an_undone_order_is_forgotten(published: PublishedModel, catalog: Catalog) -> None:
    before = ask(published, catalog, "stranger")
    undone = [ordered("d05", 1, "o1"), event("order_status", 2, order_id="o1", status="cancelled")]
    after = ask(published, catalog, "stranger", undone)
    assert [d.item_id for d in after.dishes] == [d.item_id for d in before.dishes]
    assert "unknown_customer" in after.notes


def test_an_order_told_again_with_another_status_is_one_order(published: PublishedModel, catalog: Catalog) -> None:
    told = [ordered("d05", 1, "o1", status="placed"), ordered("d05", 2, "o1", status="delivered")]
    answer = ask(published, catalog, "stranger", told, limit=1)
    assert answer.dishes[0].reason.code == "ordered_once"


def test_events_that_training_has_seen_count_once(published: PublishedModel, catalog: Catalog) -> None:
    trained = replace(published, inbox_through=10)
    assert ask(trained, catalog, "stranger", [ordered("d05", 10)]).customer_known is False
    assert ask(trained, catalog, "stranger", [ordered("d05", 11)]).customer_known is True


@pytest.mark.parametrize("status", ["placed", "accepted"])
def test_an_order_on_its_way_when_training_ran_still_counts(
    published: PublishedModel, catalog: Catalog, status: str
) -> None:
    trained = replace(published, inbox_through=10)
    placed = ordered("d05", 10, "o1", status=status)
    arrived = event("order_status", 11, order_id="o1", status="delivered")
    for told in ([placed], [placed, arrived]):
        answer = ask(trained, catalog, "stranger", told, limit=1)
        assert answer.customer_known
        assert answer.dishes[0].reason.code == "ordered_once"
    back = event("order_status", 12, order_id="o1", status="cancelled")
    assert not ask(trained, catalog, "stranger", [placed, arrived, back]).customer_known


def test_an_order_that_arrived_before_training_ran_counts_once(published: PublishedModel, catalog: Catalog) -> None:
    trained = replace(published, inbox_through=11)
    told = [ordered("d05", 10, "o1", status="placed"), event("order_status", 11, order_id="o1", status="delivered")]
    assert not ask(trained, catalog, "stranger", told).customer_known


def test_an_order_undone_after_training_learned_it_no_longer_counts(
    published: PublishedModel, catalog: Catalog
) -> None:
    trained = replace(published, inbox_through=10)
    row = trained.row_of("c001")
    first, end = trained.baskets.customer_start[row : row + 2].tolist()
    at = datetime.fromtimestamp(int(trained.baskets.at[end - 1]), UTC)
    order = Event("e3", "order", "c001", at, {"order_id": "o3", "items": [{"item_id": "d01"}]}, 3)
    refund = event("order_status", 12, order_id="o3", status="refunded")
    query = trained.query("c001", [order, refund], now=int(NOW.timestamp()), place=Place())
    assert len(query.at) == end - first - 1
    assert query.at.tolist() == trained.baskets.at[first : end - 1].tolist()
    lines = trained.baskets.basket_start[first : end + 1]
    assert query.items.tolist() == trained.baskets.items[lines[0] : lines[-2]].tolist()
    assert query.start[-1] == len(query.items)
    # Refunded before training ran, it was never learned, and another basket of that instant is not lost with it.
    early = Event("e4", "order_status", "c001", at, {"order_id": "elsewhere", "status": "refunded"}, 4)
    assert len(trained.query("c001", [early], now=int(NOW.timestamp()), place=Place()).at) == end - first


def test_what_she_rejected_stays_hidden_after_training(published: PublishedModel, catalog: Catalog) -> None:
    trained = replace(published, inbox_through=10)
    favourite = ask(trained, catalog).dishes[0].item_id
    answer = ask(trained, catalog, fresh=[event("not_interested", 3, item_id=favourite)], limit=12)
    assert favourite not in {dish.item_id for dish in answer.dishes}


def test_a_stranger_gets_popular_dishes_and_is_told_so(published: PublishedModel, catalog: Catalog) -> None:
    answer = ask(published, catalog, "stranger")
    assert answer.notes == ("unknown_customer",)
    assert {dish.source for dish in answer.dishes} <= set(impersonal_models())
    assert {dish.reason.code for dish in answer.dishes} == {"popular"}


def test_unknown_places_are_said_to_be_unknown(published: PublishedModel, catalog: Catalog) -> None:
    assert {"unknown_zone", "unknown_vendor"} <= set(ask(published, catalog, zone="mars", vendor_id="nobody").notes)


def test_reasons_count_her_orders_in_both_languages(published: PublishedModel, catalog: Catalog) -> None:
    fresh = [ordered("d04", 1), ordered("d04", 2), ordered("d04", 3)]
    english = ask(published, catalog, "stranger", fresh, limit=1).dishes[0]
    chinese = ask(published, catalog, "stranger", fresh, limit=1, language="zh").dishes[0]
    assert (english.name, english.reason.text) == ("D04", "You ordered this 3 times")
    assert (chinese.name, chinese.reason.text) == ("菜d04", "您点过 3 次")


def test_a_source_is_the_model_that_contributed_most(published: PublishedModel, catalog: Catalog) -> None:
    from engine.recommend.scoring.blend import Blend

    only = replace(published, blend=Blend({"als": 1.0}))
    assert {dish.source for dish in ask(only, catalog).dishes} == {"als"}


def test_the_last_place_stands_in_where_the_request_names_none(published: PublishedModel) -> None:
    known = published.query("c001", [], now=0, place=published.place(None, None, None, None))
    told = published.query("c001", [], now=0, place=published.place("z0", None, None, None))
    assert published.zones.name(known.place.zone) == "z1"
    assert published.zones.name(told.place.zone) == "z0"
    assert np.isnan(known.place.latitude)


def test_what_the_time_of_day_brought_says_so() -> None:
    for language, text in (("en", "Often ordered around this time"), ("zh", "这个时段大家常点")):
        context: Any = SimpleNamespace(language=language)
        told = _model_reason(context, PopularByDaypart(), -1, near=True)
        assert (told.code, told.text) == ("popular_at_this_time", text)


def test_an_own_habit_is_the_reason_on_its_day(town: Town) -> None:
    friday = datetime(2025, 3, 28, 12, tzinfo=UTC)  # a week after the last order
    lunch = town.ask("rita", limit=1, at=friday).dishes[0]
    assert (lunch.item_id, lunch.reason.text) == ("d05", "You order this most Fridays")
    assert town.ask("rita", limit=1, at=friday, language="zh").dishes[0].reason.text == "您几乎每个周五都点这个"
    saturday = town.ask("rita", limit=1, at=friday + timedelta(days=1, hours=9)).dishes[0]
    assert saturday.reason.text == "You ordered this 12 times"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"vendor_id": "nobody"}, "vendor_unknown"),
        ({"vendor_id": "v2", "at": NOW.replace(hour=20)}, "closed"),
        ({"vendor_id": "v1", "zone": "z0"}, "out_of_zone"),
        ({"vendor_id": "v3"}, "vendor"),
        ({"candidates": ("d00",)}, "unavailable"),
        ({"candidates": ("d04", "d05"), "exclude": ("d04", "d05")}, "all_excluded"),
        ({"candidates": ("d04",), "cart": ("d04",)}, "cart"),
        ({"candidates": ("d04", "d05")}, "candidates"),
        ({"allergens": ("peanuts",), "candidates": ("d04", "d08")}, "allergens"),
        ({"diets": ("vegan",), "candidates": ("d03", "d06")}, "diets"),
    ],
)
def test_a_short_list_says_why(town: Town, asked: dict[str, Any], code: str) -> None:
    answer = town.ask(limit=19, **asked)
    assert there(answer.why_short).code == code
    assert "fewer_than_asked" in answer.notes
    assert there(town.ask(limit=19, language="zh", **asked).why_short).text != there(answer.why_short).text


def test_what_filters_took_adds_up(town: Town) -> None:
    asked: dict[str, Any] = {
        "zone": "z0",
        "exclude": ("d04",),
        "cart": ("d08",),
        "allergens": ("milk",),
        "at": NOW.replace(hour=20),
    }
    told = there(town.ask(limit=3, explain=True, **asked).filters)
    assert told["menu"] - sum(n for name, n in told.items() if name not in {"menu", "left"}) == told["left"]
    assert told["unavailable"] == 1


def test_an_explanation_has_the_rankers_figures_only_where_it_ranks(town: Town) -> None:
    from engine.recommend.scoring.ranker import Ranker

    plain = replace(town, published=replace(town.published, ranker=None))
    assert {there(dish.explained).features for dish in plain.ask(limit=3, explain=True).dishes} == {None}
    if isinstance(town.published.ranker, Ranker):
        assert all(there(dish.explained).features for dish in town.ask(limit=3, explain=True).dishes)


def test_a_list_as_long_as_asked_has_nothing_to_excuse(town: Town) -> None:
    answer = town.ask(limit=3)
    assert answer.why_short is None
    assert answer.filters is None
    assert answer.unknown_ids == {}


@pytest.mark.parametrize("limit", [1, 3, 5])
def test_asking_for_explanations_changes_no_list(town: Town, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    # Beyond so many candidates the list asked for decides how many are looked at.
    monkeypatch.setattr("engine.recommend.scoring.scorer.CANDIDATES", 1)
    for customer in ("rita", "nina", None, *(f"c{n:03d}" for n in range(1, 60))):
        plain, explained = town.ask(customer, limit=limit), town.ask(customer, limit=limit, explain=True)
        assert [dish._replace(explained=None) for dish in explained.dishes] == list(plain.dishes)
        assert [there(dish.explained).rank for dish in explained.dishes] == list(range(1, limit + 1))
