"""Lists people like: quotas, variety, nothing twice, less of what was shown in vain, and slots by lot."""

from __future__ import annotations

from collections import Counter
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engine.errors import BadDefinition
from engine.events.event import Event
from engine.models.content import words_of
from engine.recommend.explain.reasons import SHORT
from engine.recommend.lists.similar import similar_dishes
from engine.recommend.options import ListOptions, Options, describe_options, parse_options, read_options
from engine.recommend.rerank.exploration import explore
from tests.engine.recommend.conftest import NEW, OLD, VENDOR, Town, bought, told
from tests.present import there


def own_dishes(town: Town, customer: str = "c001") -> set[str]:
    query = town.published.query(customer, [], now=0, place=town.published.place(None, None, None, None))
    return {town.published.items.name(column) for column in query.items.tolist()}


def test_by_default_the_models_order_stands(town: Town) -> None:
    assert not ListOptions().rearranges
    everything = town.ask(limit=15)
    assert [dish.item_id for dish in town.ask(limit=5).dishes] == [dish.item_id for dish in everything.dishes[:5]]
    assert {dish.propensity for dish in everything.dishes} == {1.0}


@given(
    limit=st.integers(1, 12),
    low=st.sampled_from([0, 0.2, 0.5, 1]),
    high=st.sampled_from([0, 0.3, 0.5, 1]),
    per_vendor=st.integers(0, 4),
    per_category=st.integers(0, 4),
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_quotas_and_limits_hold_or_the_answer_says_they_gave_way(
    town: Town, limit: int, low: float, high: float, per_vendor: int, per_category: int
) -> None:
    low = min(low, high)
    lists = {"repeat_min": low, "repeat_max": high, "most_per_vendor": per_vendor, "most_per_category": per_category}
    answer = town.ask(limit=limit, lists=lists)
    shown = [dish.item_id for dish in answer.dishes]
    assert len(shown) == len(set(shown)) == limit
    if "list_relaxed" in answer.notes:
        return
    own = own_dishes(town)
    repeats = sum(dish in own for dish in shown)
    assert repeats <= floor(limit * high + 1e-9)
    available = len(own & (set(town.shown(limit=30))))
    if not per_vendor and not per_category:
        assert repeats >= min(ceil(limit * low - 1e-9), floor(limit * high + 1e-9), available)
    if per_vendor:
        assert max(Counter(VENDOR[dish] for dish in shown).values()) <= per_vendor


def test_the_first_dish_that_fits_is_taken_so_that_the_best_list_within_the_limits_comes_out(town: Town) -> None:
    plain = town.shown(limit=19)
    varied = town.shown(limit=4, lists={"most_per_vendor": 1})
    expected, seen = [], set()
    for dish in plain:
        if VENDOR[dish] not in seen:
            seen.add(VENDOR[dish])
            expected.append(dish)
    assert varied == expected[:4]


def test_dishes_whose_names_share_their_words_are_shown_once(town: Town) -> None:
    words = {dish: town.catalog.name(town.published.items.row(dish), "en").rsplit(" ", 1)[0] for dish in [*OLD, *NEW]}
    # Letters of the ids count as a word too ("d"), so two of three words make a duplicate of a two-word name.
    answer = town.ask(limit=19, lists={"near_duplicates": 0.99})
    names = [words[dish.item_id] for dish in answer.dishes]
    kinds = Counter((name, dish.item_id[0]) for name, dish in zip(names, answer.dishes, strict=True))
    assert max(kinds.values()) == 1
    assert there(answer.why_short).code == "near_duplicates"
    assert "fewer_than_asked" in answer.notes


def test_a_share_that_no_whole_number_of_dishes_has_is_said_to_give_way(town: Town) -> None:
    half = {"repeat_min": 0.5, "repeat_max": 0.5}
    assert "list_relaxed" in town.ask(limit=3, lists=half).notes
    assert "list_relaxed" not in town.ask(limit=4, lists=half).notes


def words(town: Town, dish: str) -> frozenset[str]:
    return frozenset(words_of(town.catalog.name(town.published.items.row(dish), "en")))


@pytest.mark.parametrize("lists", [{}, {"explore_share": 0.5, "explore_after": 0}, {"most_per_vendor": 1}])
def test_no_list_holds_two_dishes_of_nearly_one_name_however_they_came_there(town: Town, lists: dict[str, Any]) -> None:
    for n in range(40):
        answer = town.ask(f"c{n:03d}", limit=5, lists={"near_duplicates": 0.5, **lists}, request_id=f"r{n}")
        names = [words(town, dish.item_id) for dish in answer.dishes]
        assert all(2 * len(a & b) < len(a | b) for i, a in enumerate(names) for b in names[:i])


def test_a_dish_is_no_duplicate_of_one_that_a_quota_keeps_out(town: Town) -> None:
    for n in range(40):
        customer = f"c{n:03d}"
        own = own_dishes(town, customer)
        best = next(dish for dish in town.shown(customer, limit=19) if dish not in own)
        assert town.shown(customer, limit=3, lists={"near_duplicates": 0.5, "repeat_max": 0})[0] == best


def test_what_fits_is_looked_for_further_down_before_anything_gives_way(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.recommend.rerank.arrange.CHOICE", 1)
    monkeypatch.setattr("engine.recommend.rerank.arrange.LEAST_CHOICE", 1)
    for n in range(40):
        for lists in ({"most_per_vendor": 1}, {"repeat_max": 0}, {"near_duplicates": 0.5}):
            answer = town.ask(f"c{n:03d}", limit=4, lists=lists)
            assert len(answer.dishes) == 4
            assert "list_relaxed" not in answer.notes
            alike = similar_dishes(*town.of(None, limit=3, options=Options(ListOptions(**lists))), [], item_id="d05")
            assert "list_relaxed" not in alike.notes


def impressions(dish: str, times: int, hours_ago: int = 5) -> list[Event]:
    return [told("impression", 50 + n, hours_ago=hours_ago, item_id=dish, request_id="r", slot=0) for n in range(times)]


def test_what_was_shown_often_and_never_taken_counts_less(town: Town) -> None:
    stranger = town.shown(None, limit=8)
    lists = {"shown_times": 3, "shown_factor": 0.0}
    less = town.shown("visitor", impressions(stranger[0], 3), limit=8, lists=lists)
    assert less[0] == stranger[1]
    assert town.shown("visitor", impressions(stranger[0], 2), limit=8, lists=lists) == stranger
    assert town.shown("visitor", impressions(stranger[0], 3, hours_ago=24 * 30), limit=8, lists=lists) == stranger
    assert town.shown("visitor", impressions(stranger[0], 3), limit=8) == stranger


def test_what_was_taken_after_it_was_shown_is_not_discounted(town: Town) -> None:
    first = town.shown(None, limit=1)[0]
    fresh = [*impressions(first, 4, hours_ago=5), bought(first, 60, "visitor", hours_ago=1)]
    assert town.shown("visitor", fresh, limit=3, lists={"shown_times": 3, "shown_factor": 0.0})[0] == first


def test_explanations_name_what_moved_a_dish(town: Town) -> None:
    stranger = town.shown(None, limit=3)
    answer = town.ask(
        "visitor", impressions(stranger[0], 3), limit=19, explain=True, lists={"shown_times": 3, "shown_factor": 0.0}
    )
    moved = {dish.item_id: dish.explained for dish in answer.dishes}
    assert there(moved[stranger[0]]).changes == ("shown_in_vain",)
    assert there(moved[stranger[0]]).rank == 1
    assert there(moved[stranger[1]]).changes == ()


def test_slots_by_lot_hold_new_dishes_and_the_same_request_draws_the_same(town: Town) -> None:
    lists = {"explore_share": 0.5, "explore_after": 2}
    answers = [town.ask(limit=8, lists=lists, request_id=f"r{n}") for n in range(60)]
    plain = town.shown(limit=8)
    drawn = 0
    for answer in answers:
        assert [dish.item_id for dish in answer.dishes[:2]] == plain[:2]
        assert [dish.propensity for dish in answer.dishes[:2]] == [1.0, 1.0]
        for dish in answer.dishes[2:]:
            assert 0 < dish.propensity <= 1
            assert (dish.source == "exploration") == (dish.item_id in NEW)
            drawn += dish.item_id in NEW
    # Four new dishes, three of them deliverable to anybody at noon: all are shown at times, none always.
    assert 60 < drawn < 240
    assert town.ask(limit=8, lists=lists, request_id="r7") == answers[7]


@given(st.integers(1, 15), st.integers(0, 6), st.floats(0.05, 0.5), st.integers(0, 4))
@hypothesis_settings(max_examples=60, deadline=None)
def test_logged_propensities_are_the_frequencies_with_which_dishes_stand_in_their_slots(
    limit: int, n_new: int, share: float, after: int
) -> None:
    options = ListOptions(explore_share=share, explore_after=after)
    new = np.arange(100, 100 + n_new, dtype=np.int32)
    weights = np.linspace(0.2, 1, n_new).astype(np.float32)
    slots = explore(list(range(limit)), new, weights, options, seed="any")
    assert len(slots) == limit
    assert len({slot.column for slot in slots}) == limit
    regular = [slot.column for slot in slots if not slot.explored]
    assert regular == list(range(len(regular)))
    assert all(0 < slot.propensity <= 1 for slot in slots)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 2)), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 2)), max_size=6),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 3),
    st.text(max_size=3),
)
@hypothesis_settings(max_examples=200, deadline=None)
def test_what_the_lot_draws_keeps_every_limit_the_list_keeps(
    shown: list[tuple[int, int]], new: list[tuple[int, int]], per_vendor: int, per_cuisine: int, after: int, seed: str
) -> None:
    limits = []
    for kind, most in ((0, per_vendor), (1, per_cuisine)):
        limits.append((np.array([dish[kind] for dish in [*shown, *new]], np.int32), most))

    def keeps(columns: list[int]) -> bool:
        counts = [Counter(int(groups[column]) for column in columns if groups[column] >= 0) for groups, _ in limits]
        return all(max(count.values(), default=0) <= most for count, (_, most) in zip(counts, limits, strict=True))

    columns: list[int] = []
    for column in range(len(shown)):
        columns += [column] if keeps([*columns, column]) else []
    drawn = np.arange(len(shown), len(shown) + len(new), dtype=np.int32)
    options = ListOptions(explore_share=0.5, explore_after=after)
    slots = explore(columns, drawn, np.ones(len(new), np.float32), options, seed=seed, limits=limits)
    found = [slot.column for slot in slots]
    assert len(found) == len(set(found)) == len(columns)
    assert keeps(found)
    regular = [slot.column for slot in slots if not slot.explored]
    assert regular == sorted(regular)
    assert all(0 < slot.propensity <= 1 for slot in slots)


def test_new_dishes_are_drawn_beside_a_limit_that_the_list_fills(town: Town) -> None:
    lists = {"explore_share": 0.5, "explore_after": 0, "most_per_vendor": 1}
    answers = [town.ask(limit=4, lists=lists, request_id=f"r{n}") for n in range(40)]
    assert any(dish.source == "exploration" for answer in answers for dish in answer.dishes)
    for answer in answers:
        shown = [VENDOR[dish.item_id] for dish in answer.dishes]
        assert len(shown) == len(set(shown)) == 4
        assert "list_relaxed" not in answer.notes


def test_a_lot_that_costs_the_quota_of_repeats_is_told(town: Town) -> None:
    lists = {"repeat_min": 1.0, "explore_share": 0.5, "explore_after": 0}
    own = own_dishes(town)
    for n in range(20):
        answer = town.ask(limit=3, lists=lists, request_id=f"q{n}")
        short = sum(dish.item_id in own for dish in answer.dishes) < min(3, len(own))
        assert short == ("list_relaxed" in answer.notes)


def test_a_quota_that_cannot_be_kept_gives_way_before_a_limit_does(town: Town) -> None:
    answer = town.ask(limit=4, lists={"repeat_max": 0.0, "most_per_vendor": 1}, candidates=tuple(own_dishes(town)))
    shown = [VENDOR[dish.item_id] for dish in answer.dishes]
    assert "list_relaxed" in answer.notes
    everywhere = {VENDOR[dish] for dish in own_dishes(town) if dish in town.shown(limit=30)}
    assert set(shown[: len(everywhere)]) == everywhere


def test_over_many_requests_a_slot_is_given_away_as_often_as_its_propensity_says() -> None:
    options = ListOptions(explore_share=0.2, explore_after=0)
    new, weights = np.array([100, 101], np.int32), np.array([1.0, 3.0], np.float32)
    first = [explore([0, 1], new, weights, options, seed=f"s{n}")[0] for n in range(4000)]
    told_by_column = {slot.column: slot.propensity for slot in first}
    assert told_by_column == pytest.approx({0: 0.8, 100: 0.05, 101: 0.15})
    for column, propensity in told_by_column.items():
        share = sum(slot.column == column for slot in first) / len(first)
        assert share == pytest.approx(propensity, abs=4 * (propensity * (1 - propensity) / len(first)) ** 0.5)


def test_the_file_of_options_is_checked_key_by_key(tmp_path: Path) -> None:
    assert read_options(tmp_path) == Options()
    (tmp_path / "recommend.yaml").write_text("lists: {most_per_vendor: 3, explore_share: 0.1}\n", encoding="utf-8")
    assert read_options(tmp_path).lists.most_per_vendor == 3
    for text, where in (
        ("lists: {most_per_vendors: 3}", "recommend.yaml.lists.most_per_vendors"),
        ("lists: {explore_share: 2}", "recommend.yaml.lists.explore_share"),
        ("lists: {repeat_min: 0.9, repeat_max: 0.1}", "recommend.yaml.lists.repeat_min"),
        ("signal: {}", "recommend.yaml.signal"),
        ("lists: [", str(tmp_path / "recommend.yaml")),
    ):
        (tmp_path / "recommend.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(BadDefinition) as refused:
            read_options(tmp_path)
        assert refused.value.where == where
    assert parse_options(None) == Options()
    assert {name.split(".")[0] for name, _, _ in describe_options()} == {"lists", "signals"}


def test_the_guide_lists_every_option_with_its_default() -> None:
    guide = (Path(__file__).parents[4] / "docs" / "guides" / "recommend.md").read_text(encoding="utf-8")
    for name, default, about in describe_options():
        assert f"| `{name}` | {default:g} | {about} |" in guide, f"docs/guides/recommend.md is behind on {name}"


def test_the_guide_names_every_reason_a_list_may_be_short() -> None:
    guide = (Path(__file__).parents[4] / "docs" / "guides" / "recommend.md").read_text(encoding="utf-8")
    assert [code for code in SHORT if f"`{code}`" not in guide] == []
