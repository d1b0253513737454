"""Who is in which group, and that every group's figures are those of its members alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.columns import DAY_S, ITEMS, LINES, ORDERS
from engine.history.opening import open_history
from engine.models.query import Place, Query
from engine.settings import Settings
from tests.baskets import START, learned_from, random_town, tables
from training.data.matrices import BASKET_CLOCK_START, TrainingSet, training_set
from training.data.split import Split, Target
from training.evaluate_home import evaluate_home
from training.judge.evaluate import Evaluation, evaluate
from training.judge.groups import OTHERS, groups_of, standing_at, truth_parts
from training.learn.stack import hold_out, train_on_past

NOW = int(START.timestamp()) + 200 * DAY_S


def asked(
    days_ago: tuple[Any, ...] | list[Any] = (), *, zone: int = -1, row: int = 0, truth: tuple[int] = (0,)
) -> Target:
    """A target of somebody who ordered dish 0 so many days ago, oldest first."""
    at = np.array([NOW - int(days * DAY_S) for days in days_ago], np.int64)
    baskets = tuple(np.array([0], np.int32) for _ in days_ago)
    return Target(Query.of(baskets, at, NOW, Place(zone), row), np.array(truth, np.int32))


def members(
    targets: list[Target], data: TrainingSet | None = None, standing: dict[str, list[str | None]] | None = None
) -> dict[tuple[str, str], list[int]]:
    data = data or learned_from({"ann": [(0, ["soup"])]})
    found = groups_of(targets, data, standing or {})
    return {(group.kind, group.name): np.flatnonzero(group.members).tolist() for group in found}


def test_orders_before_put_each_customer_into_one_group() -> None:
    targets = [asked(), asked([3]), asked([9, 3]), asked([9, 8, 7, 3]), asked([9, 8, 7, 6, 3])]
    found = members(targets)
    assert found["history", "new"] == [0]
    assert found["history", "returning"] == [1, 2, 3, 4]
    assert found["orders", "1"] == [1]
    assert found["orders", "2-4"] == [2, 3]
    assert found["orders", "5+"] == [4]


def test_dormant_means_more_than_28_days_and_a_new_customer_is_neither() -> None:
    found = members([asked([28]), asked([28.1]), asked([90, 2]), asked()])
    assert found["recency", "active"] == [0, 2]
    assert found["recency", "dormant"] == [1]


def test_silence_means_nothing_where_history_has_no_clock() -> None:
    orders, lines = tables({"ann": [(0, ["soup"])]})
    first_day = pl.lit(datetime.fromtimestamp(BASKET_CLOCK_START + DAY_S, UTC)).alias("ordered_at")
    orders = orders.with_columns(first_day.cast(ORDERS["ordered_at"]), basket_no=pl.lit(1, pl.Int32))
    lines = lines.with_columns(first_day.cast(LINES["ordered_at"]))
    data = training_set(orders.lazy(), lines.lazy(), pl.DataFrame(schema=ITEMS))
    assert data.clock == "basket"
    assert not any(kind == "recency" for kind, _ in members([asked([90])], data))


def test_small_zones_are_judged_together_and_unknown_places_with_them() -> None:
    data = learned_from({"ann": [(0, ["soup"])], "bob": [(0, ["tea"])]}, zones={"ann": "east", "bob": "west"})
    targets = [asked(zone=0)] * 30 + [asked(zone=1)] * 29 + [asked()]
    found = members(targets, data)
    assert found["zone", "east"] == list(range(30))
    assert found["zone", OTHERS] == list(range(30, 60))
    assert ("zone", "west") not in found


def test_a_history_without_zones_has_no_zone_groups() -> None:
    assert not any(kind == "zone" for kind, _ in members([asked([1])]))


def test_standing_is_by_row_and_new_customers_have_none() -> None:
    standing = {"value": ["A", None]}
    found = members([asked([1], row=0), asked([1], row=1), asked(row=0), asked(row=-1)], standing=standing)
    assert found["value", "A"] == [0]
    assert [name for kind, name in found if kind == "value"] == ["A"]


def test_standing_knows_nothing_from_the_split_on(settings: Settings) -> None:
    early = {"ann": [(0, ["soup"]), (1, ["soup"])], "zoe": [(50, ["soup"])]}
    open_history(settings).append(*tables(early))
    data = learned_from(early)
    split = int((START + timedelta(days=50)).timestamp())
    before = standing_at(settings, data, split)
    assert before["value"][1] is None
    assert before["value"][0] is not None
    after = standing_at(settings, data, split + 1)
    assert after["value"][1] is not None
    assert after["lifecycle"][1] == "new"


def test_rare_and_common_dishes_share_out_the_truth() -> None:
    target = Target(Query.of((), np.empty(0, np.int64), NOW), np.array([0, 1, 2], np.int32), unseen=2)
    parts = truth_parts([target], np.array([9, 10, 50]))
    assert parts["rare"][0].truth.tolist() == [0]
    assert parts["rare"][0].unseen == 2
    assert parts["common"][0].truth.tolist() == [1, 2]
    assert parts["common"][0].unseen == 0


@pytest.fixture(scope="module")
def judged_town() -> tuple[Evaluation, Split]:
    """A town's evaluation, in two zones, with dishes that hardly anybody orders."""
    told = random_town(150, 200, seed=3)
    data = learned_from(told, zones={name: "east" if name < "c075" else "west" for name in told})
    split = hold_out(data, 28)
    learned = train_on_past(data, split, horizon_days=28, seed=0, report=lambda _: None)
    return evaluate(learned, data, split.past, split.targets, k=5, seed=0, advance=lambda _: None), split


@pytest.fixture
def town(judged_town: tuple[Evaluation, Split]) -> Evaluation:
    """The evaluation alone."""
    return judged_town[0]


def test_figures_of_a_group_are_those_of_its_members(town: Evaluation) -> None:
    found = {(group["kind"], group["name"]): group for group in town.as_dict()["groups"]}
    east = next(group for group in town.groups if group.name == "east")
    own = town.judged[town.served].column("ndcg@5")[east.members]
    told = found["zone", "east"]
    assert told["customers"] == east.members.sum()
    assert told["figures"]["ndcg@5"] == pytest.approx(own.mean())
    low, high = told["intervals"]["ndcg@5"]
    assert low < own.mean() < high
    assert told["error"] == pytest.approx(own.std(ddof=1) / np.sqrt(len(own)))


def test_models_alone_may_be_judged_on_some_customers_and_what_is_served_on_all() -> None:
    data = learned_from(random_town(150, 30, seed=3))
    split = hold_out(data, 28)
    learned = train_on_past(data, split, horizon_days=28, seed=0, report=lambda _: None)
    all_of, some = (
        evaluate(learned, data, split.past, split.targets, k=5, seed=0, advance=lambda _: None, most_alone=most)
        for most in (None, 40)
    )
    np.testing.assert_array_equal(all_of.judged["blend"].values, some.judged["blend"].values)
    for name in some.singles:
        asked = ~np.isnan(some.judged[name].column("ndcg@5"))
        assert asked.sum() == 40 < len(split.targets)
        np.testing.assert_array_equal(all_of.judged[name].values[asked], some.judged[name].values[asked])
    figures = some.as_dict()
    assert (figures["customers"], figures["customers_alone"]) == (len(split.targets), 40)
    assert figures["against_best_single"]["customers"] == 40
    assert all(group["hardest_single"]["customers"] <= 40 for group in figures["groups"] if group["hardest_single"])


def test_groups_of_one_kind_add_up_to_the_whole(town: Evaluation) -> None:
    figures = town.as_dict()
    whole = figures["models"][figures["served"]]["ndcg@5"]
    for kind in ("history", "zone"):
        parts = [group for group in figures["groups"] if group["kind"] == kind]
        total = sum(group["customers"] * group["figures"]["ndcg@5"] for group in parts)
        assert total / figures["customers"] == pytest.approx(whole)


def test_the_hardest_single_model_is_the_one_lowest_in_standard_errors(town: Evaluation) -> None:
    rows = [group for group in town.as_dict()["groups"] if group["kind"] != "dishes"]
    for told, group in zip(rows, town.groups, strict=True):
        if told["customers"] < 2:
            assert told["hardest_single"] is None
            continue
        served = town.judged[town.served].column("ndcg@5")[group.members]
        steps = {}
        for name in town.singles:
            gap = served - town.judged[name].column("ndcg@5")[group.members]
            steps[name] = gap.mean() / (gap.std(ddof=1) / np.sqrt(len(gap))) if gap.any() else 0.0
        assert steps[told["hardest_single"]["model"]] == min(steps.values())


def test_the_pairs_compared_are_served_blend_and_best_single(town: Evaluation) -> None:
    figures = town.as_dict()
    best = town.best_single()
    assert figures["models"][best]["ndcg@5"] == max(figures["models"][name]["ndcg@5"] for name in town.singles)
    assert [(pair["ours"], pair["model"]) for pair in figures["comparisons"]] == [("blend", best)]
    assert figures["comparisons"][0]["difference"] == pytest.approx(
        figures["models"]["blend"]["ndcg@5"] - figures["models"][best]["ndcg@5"]
    )


def test_hits_among_rare_and_common_dishes_add_up_to_all_hits(judged_town: tuple[Evaluation, Split]) -> None:
    town, split = judged_town
    sizes = np.array([len(target.truth) + target.unseen for target in town.targets])
    baskets_with = np.bincount(split.past.items, minlength=split.past.n_items)
    rare = np.array([len(t.truth) + t.unseen for t in truth_parts(town.targets, baskets_with)["rare"]])
    assert 0 < rare.sum() < sizes.sum()
    hits = {name: np.nan_to_num(town.parts[name]["popular"].column("recall@5")) for name in ("rare", "common")}
    both = hits["rare"] * rare + hits["common"] * (sizes - rare)
    np.testing.assert_allclose(both, town.judged["popular"].column("recall@5") * sizes)


def test_a_home_is_judged_by_value_and_lifecycle_too(settings: Settings) -> None:
    open_history(settings).append(*tables(random_town(80, 15, seed=2)))
    found = evaluate_home(settings, horizon_days=28, future=None, k=5, seed=0, report=lambda _: None)
    kinds = {group["kind"] for group in found["groups"]}
    assert kinds >= {"history", "orders", "recency", "value", "lifecycle", "dishes"}
