"""A reason is said only where it is so."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from engine.models.popular import POPULAR
from engine.models.query import Place, Query
from engine.recommend.explain.reasons import OTHERS, SHORT, why_short
from engine.recommend.explain.why import NEW_S
from engine.recommend.lists.vendors import recommend_vendors
from engine.recommend.published.extras import Clocks
from tests.engine.recommend.conftest import NEW, NOW, OLD, Town, bought, told
from tests.present import there

HOUR = 3600


def reasons(town: Town, *given: Any, **asked: Any) -> dict[str, str]:
    return {dish.item_id: dish.reason.code for dish in town.ask(*given, **asked).dishes}


def test_what_is_far_behind_the_most_popular_is_not_called_popular(town: Town) -> None:
    counts = Counter(town.published.items.name(int(item)) for item in town.published.baskets.items)
    most = max(counts.values())
    said = reasons(town, None, limit=19)
    assert {code for code in said.values() if code.startswith("popular")}
    for dish, code in said.items():
        if counts[dish] < POPULAR / 2 * most:
            assert not code.startswith("popular"), dish


def test_the_most_popular_dish_of_nowhere_is_that_of_everywhere(town: Town) -> None:
    popular: Any = next(model for model in town.published.models if model.name == "popular")
    assert popular.top(Place()) == (pytest.approx(float(popular.overall.max())), False)
    zone = Place(zone=0)
    top, near = popular.top(zone)
    assert near
    assert top >= popular.score([Query.of((), np.empty(0, np.int64), int(NOW.timestamp()), zone)]).max() - 1e-6


def test_near_you_is_said_only_where_anybody_ordered(town: Town) -> None:
    assert "popular_nearby" in reasons(town, None, zone="z1", limit=8).values()
    for nowhere in ({"zone": "mars"}, {"latitude": -31.0, "longitude": 12.0}):
        assert "popular_nearby" not in reasons(town, None, limit=8, **nowhere).values()


def test_of_a_zone_nobody_ordered_from_nothing_is_called_popular_near_them(town: Town) -> None:
    zones: dict[str | None, set[str]] = {zone: set() for zone in (None, "z1", "moon")}
    for zone, codes in zones.items():
        for customer in ("c001", "c002", "c003", "rita"):
            codes |= set(reasons(town, customer, zone=zone, limit=19).values())
            asked = recommend_vendors(*town.of(customer, zone=zone, limit=9), []).vendors
            codes |= {vendor.reason.code for vendor in asked}
    assert "popular_nearby" in zones[None] & zones["z1"]
    assert "popular_nearby" not in zones["moon"]


def test_a_dish_she_only_rated_was_not_looked_at(town: Town) -> None:
    dish = town.shown(None, limit=3)[1]
    rated = told("rating", 1, "newcomer", hours_ago=1, item_id=dish, rating=5)
    said = reasons(town, "newcomer", [rated], limit=19)
    assert said[dish] == "you_liked"
    assert "you_looked" not in said.values()
    assert "because_you_looked" not in said.values()


def test_a_look_of_days_ago_is_no_reason_any_more(town: Town) -> None:
    dish = town.shown("c002", limit=19)[12]
    soon = reasons(town, "c002", [told("view", 1, "c002", hours_ago=1, item_id=dish)], limit=19)
    late = reasons(town, "c002", [told("view", 1, "c002", hours_ago=72, item_id=dish)], limit=19)
    assert soon[dish] == "you_looked"
    assert not {"you_looked", "because_you_looked"} & set(late.values())


def test_new_is_what_was_first_ordered_lately_in_a_history_old_enough_to_tell(town: Town) -> None:
    new = [dish for dish in NEW if dish in town.shown(None, limit=19)]
    assert new
    assert all(reasons(town, None, limit=19)[dish] == "new_here" for dish in new)
    # The town's 90 days of history, asked about three weeks after they began, tell of nothing what is new.
    began = town.published.began_at
    manifest = {**town.published.manifest, "data": {**town.published.manifest["data"]}}
    manifest["data"]["first_at"] = NOW.isoformat()
    young = replace(town, published=replace(town.published, manifest=manifest))
    assert began is not None
    assert "new_here" not in reasons(young, None, limit=19).values()


def test_a_rare_dish_of_long_ago_is_not_new(town: Town) -> None:
    extras = town.published.extras
    first = there(extras.first_at).copy()
    columns = [town.published.items.row(dish) for dish in NEW]
    first[columns] = int(NOW.timestamp()) - NEW_S - HOUR
    older = replace(town, published=replace(town.published, extras=replace(extras, first_at=first)))
    assert "new_here" not in reasons(older, None, limit=19).values()
    unknown = replace(town, published=replace(town.published, extras=replace(extras, first_at=None)))
    assert "new_here" not in reasons(unknown, None, limit=19).values()


def test_training_knows_when_each_dish_was_first_ordered(town: Town) -> None:
    baskets = town.published.baskets
    at = np.repeat(baskets.at, np.diff(baskets.basket_start))
    for dish in OLD[:4]:
        column = town.published.items.row(dish)
        assert there(town.published.extras.first_at)[column] == at[baskets.items == column].min()
    assert there(town.published.extras.first_at)[town.published.items.row(NEW[0])] == np.iinfo(np.int64).max


@pytest.mark.parametrize("code", sorted(OTHERS))
def test_a_short_list_speaks_of_the_others_and_an_empty_one_of_all(code: str) -> None:
    for language in ("en", "zh"):
        assert why_short(code, language, empty=True).text == SHORT[code][language]
        assert why_short(code, language, empty=False).text == OTHERS[code][language]
        assert "ther" in why_short(code, "en", empty=False).text
        assert " other" not in why_short(code, "en", empty=True).text
        assert " more" not in why_short(code, "en", empty=True).text


def test_only_what_nothing_is_known_of_is_said_of_empty_and_short_lists_alike() -> None:
    assert SHORT.keys() - OTHERS.keys() == {"nobody", "vendor_unknown"}


def with_hours(town: Town, known: bool) -> Town:
    data = {**town.published.manifest["data"], "hours": known}
    return replace(town, published=replace(town.published, manifest={**town.published.manifest, "data": data}))


def test_orders_of_which_only_the_date_is_known_have_no_time_of_day(town: Town) -> None:
    daily = [bought("d07", n, "visitor", hours_ago=24 * n) for n in range(1, 6)]
    without, beside = (with_hours(town, known).ask("visitor", daily, limit=1).dishes[0] for known in (False, True))
    assert (without.reason.code, beside.reason.code) == ("ordered_before", "usual_daypart")


def test_a_date_is_the_day_of_whoever_wrote_it_down_and_an_instant_is_hers(town: Town) -> None:
    clocks = Clocks(("America/Los_Angeles",), np.zeros(len(town.published.customers), np.int16))
    west = replace(town, published=replace(town.published, extras=replace(town.published.extras, clocks=clocks)))
    friday = datetime(2025, 4, 11, 2, tzinfo=UTC)
    assert reasons(with_hours(west, False), "rita", at=friday)["d05"] == "most_weekdays"
    assert "weekday" not in reasons(with_hours(west, True), "rita", at=friday)["d05"]
