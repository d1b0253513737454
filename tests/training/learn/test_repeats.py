"""Where nobody orders a dish twice, only new dishes are learned on, judged and served."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.artifact import load
from engine.columns import ITEMS, VENDORS
from engine.events.event import Event
from engine.history.opening import open_history
from engine.recommend.catalog.catalog import Catalog, build_catalog
from engine.recommend.home import DishRequest, recommend_dishes
from engine.recommend.lists.again import dishes_again
from engine.recommend.lists.featured import feature_dishes
from engine.recommend.published.model import PublishedModel, open_published
from engine.settings import Settings
from tests.baskets import learned_from, random_town, tables
from tests.present import there
from training import run
from training.data.matrices import TrainingSet
from training.judge.evaluate import evaluate, lists_of
from training.learn.stack import hold_out, learn, train_on_past

NOW = datetime(2025, 4, 6, 12, tzinfo=UTC)
DISHES = 40


def collectors(customers: int = 150, *, seed: int = 0) -> dict[str, list[tuple[float, list[Any]]]]:
    """Return a history in which each customer tries ever new dishes, most of them of the kitchen they like."""
    rng = np.random.default_rng(seed)
    town = {}
    for customer in range(customers):
        liked = np.arange(DISHES) % 2 == customer % 2
        draw = rng.choice(DISHES, 12, replace=False, p=np.where(liked, 5.0, 1.0) / np.where(liked, 5.0, 1.0).sum())
        days = np.sort(rng.uniform(0, 90, 6))
        town[f"c{customer:03d}"] = [
            (float(day), [f"d{dish:02d}" for dish in draw[2 * i : 2 * i + 2]]) for i, day in enumerate(days)
        ]
    return town


def slips(town: dict[str, list[tuple[float, list[Any]]]], customers: int) -> dict[str, Any]:
    """Let so many of the customers order one dish a second time."""
    for name in list(town)[:customers]:
        town[name].append((91, [town[name][0][1][0]]))
    return town


@pytest.fixture(scope="module")
def data() -> TrainingSet:
    return learned_from(collectors())


@pytest.mark.parametrize(("slipping", "repeats"), [(0, False), (10, False), (60, True)])
def test_a_hundredth_of_repeats_decides_whether_there_is_a_habit(slipping: int, repeats: bool) -> None:
    assert learned_from(slips(collectors(), slipping)).repeats is repeats


def test_a_few_orders_or_customers_who_came_once_show_no_habit_either_way() -> None:
    assert learned_from(collectors(50)).repeats
    assert learned_from({f"c{i}": [(0, [f"d{n}" for n in range(9)])] for i in range(300)}).repeats


def test_an_ordinary_town_repeats() -> None:
    assert learned_from(random_town(200, 20, seed=1)).repeats


def test_no_list_of_any_model_holds_dishes_had_before_and_the_lists_are_full(data: TrainingSet) -> None:
    split = hold_out(data, 28)
    learned = train_on_past(data, split, horizon_days=28, seed=0, report=lambda _: None)
    assert "ease" in {model.name for model in learned.models}
    for target, shown in zip(split.targets, lists_of(learned, data, split.targets, 20), strict=True):
        assert (shown >= 0).all()
        assert not np.isin(shown, target.query.items).any()
    found = evaluate(learned, data, split.past, split.targets, k=5, seed=0, advance=lambda _: None)
    assert found.judged["repeat"].column("hit@5").sum() == 0
    # Five of the thirty or so dishes a customer has not had would find a sixth by chance: tastes were learned.
    assert there(found.judged[found.served].means()["recall@5"]) > 0.25


def test_what_only_knows_own_dishes_weighs_nothing_there(data: TrainingSet) -> None:
    weights = learn(data, horizon_days=28, seed=0, report=lambda _: None).blend.weights
    assert weights["repeat"] == 0
    assert weights["ease"] > 0


def test_where_customers_repeat_the_same_lists_may_hold_own_dishes(data: TrainingSet) -> None:
    again = replace(data, repeats=True)
    split = hold_out(again, 28)
    learned = train_on_past(again, split, horizon_days=28, seed=0, report=lambda _: None)
    assert "ease" not in {model.name for model in learned.models}
    shown = lists_of(learned, again, split.targets, 20)
    assert any(np.isin(row, target.query.items).any() for target, row in zip(split.targets, shown, strict=True))


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, list[tuple[Any, ...]]], PublishedModel, Catalog]:
    settings = Settings.from_environment({}, home=tmp_path_factory.mktemp("collectors"))
    town = collectors()
    town["all"] = [(i, [f"d{i:02d}"]) for i in range(DISHES)]
    orders, lines = tables(town)
    open_history(settings).append(orders, lines)
    answering = open_published(load(settings.artifacts_folder, run.train(settings, now=NOW).version))
    catalog = build_catalog(answering.items, pl.DataFrame(schema=ITEMS), pl.DataFrame(schema=VENDORS), timezone="UTC")
    return town, answering, catalog


def test_what_is_served_holds_only_new_dishes_down_to_the_last_one(
    served: tuple[dict[str, list[tuple[Any, ...]]], PublishedModel, Catalog],
) -> None:
    town, answering, catalog = served
    assert not answering.repeats
    had = {dish for _, basket in town["c003"] for dish in basket}
    shown = recommend_dishes(answering, catalog, DishRequest("c003", limit=DISHES, at=NOW), [])
    assert {dish.item_id for dish in shown.dishes} == set(answering.items.names(np.arange(DISHES))) - had
    assert shown.why_short is not None
    assert shown.why_short.code == "had_before"


def test_a_dish_ordered_a_minute_ago_is_out_of_the_next_list(
    served: tuple[dict[str, list[tuple[Any, ...]]], PublishedModel, Catalog],
) -> None:
    _, answering, catalog = served
    request = DishRequest("c003", limit=5, at=NOW)
    first = recommend_dishes(answering, catalog, request, []).dishes[0].item_id
    ordered = Event("e1", "order", "c003", NOW, {"order_id": "o1", "items": [{"item_id": first}]}, 1)
    assert first not in {dish.item_id for dish in recommend_dishes(answering, catalog, request, [ordered]).dishes}


def test_what_suits_a_group_is_new_to_its_members(
    served: tuple[dict[str, list[tuple[Any, ...]]], PublishedModel, Catalog],
) -> None:
    town, answering, catalog = served
    had = {dish for _, basket in town["c003"] for dish in basket}
    found = feature_dishes(answering, catalog, DishRequest(None, limit=5, at=NOW), ["c003"])
    assert found.dishes
    assert not had & {dish.item_id for dish in found.dishes}


def test_who_has_had_everything_is_told_so_and_may_still_ask_for_it_again(
    served: tuple[dict[str, list[tuple[Any, ...]]], PublishedModel, Catalog],
) -> None:
    _, answering, catalog = served
    shown = recommend_dishes(answering, catalog, DishRequest("all", limit=5, at=NOW), [])
    assert not shown.dishes
    assert shown.why_short is not None
    assert shown.why_short.code == "had_before"
    assert len(dishes_again(answering, catalog, DishRequest("all", limit=5, at=NOW), []).dishes) == 5


def test_a_new_dish_names_the_ordered_one_that_explains_it(
    served: tuple[dict[str, list[tuple[Any, ...]]], PublishedModel, Catalog],
) -> None:
    _, answering, catalog = served
    shown = recommend_dishes(answering, catalog, DishRequest("c003", limit=10, at=NOW), []).dishes
    assert {dish.reason.code for dish in shown if dish.source == "ease"} <= {"because_you_ordered", "people_like_you"}
    assert any(dish.source == "ease" for dish in shown)
