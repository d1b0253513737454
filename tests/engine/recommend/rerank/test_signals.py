"""What a customer did since the last order changes the next list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from engine.events.event import Event
from engine.recommend.options import SignalOptions
from engine.recommend.request import build_request
from engine.recommend.rerank.signals import Signals, neighbours, read_signals
from tests.engine.recommend.conftest import NEW, NOW, Town, bought, told


def signals(town: Town, customer: str, fresh: Sequence[Event] = (), **asked: Any) -> Signals:
    return read_signals(
        build_request(town.published, town.catalog, town.request(customer, **asked), fresh), SignalOptions()
    )


def column(town: Town, dish: str) -> int:
    return town.published.items.row(dish)


def nearest_to(town: Town, dish: str, among: list[str]) -> str:
    """Return the dish of `among` that is nearest to `dish`."""
    _, items, close = neighbours(town.published, np.array([column(town, dish)], np.int32))
    by_closeness = [town.published.items.name(item) for item in items[np.argsort(-close, kind="stable")].tolist()]
    return next(each for each in by_closeness if each in among)


def test_the_first_tap_of_a_visitor_steers_her_list(town: Town) -> None:
    before = town.shown(None, limit=15)
    rare = before[-1]
    after = town.ask(None, clicked=(rare,), limit=15)
    shown = [dish.item_id for dish in after.dishes]
    assert shown.index(rare) < 3
    assert next(dish for dish in after.dishes if dish.item_id == rare).reason.code == "you_looked"
    nearest = nearest_to(town, rare, before[4:])
    assert shown.index(nearest) < before.index(nearest)
    assert next(dish for dish in after.dishes if dish.item_id == nearest).reason.code == "because_you_looked"


def test_taps_as_events_of_a_session_count_like_taps_told_with_the_request(town: Town) -> None:
    rare = town.shown(None, limit=15)[-1]
    told_with = town.shown(None, clicked=(rare,), limit=6)
    as_events = town.shown("anonymous-7", [told("click", 1, "anonymous-7", item_id=rare)], limit=6)
    assert as_events == told_with


def test_for_somebody_with_orders_a_look_only_nudges(town: Town) -> None:
    plain = town.shown("c002", limit=15)
    looked = town.shown("c002", [told("view", 1, "c002", item_id=plain[9])], limit=15)
    assert looked[0] == plain[0]
    assert looked.index(plain[9]) < 9


def test_an_order_told_late_brings_back_no_look_of_before_her_newest(town: Town) -> None:
    placed = [bought("d04", 1, "visitor", hours_ago=1)]
    looked, late = told("view", 2, "visitor", hours_ago=2, item_id="d03"), bought("d05", 3, "visitor", hours_ago=5)
    assert not signals(town, "visitor", [*placed, looked, late]).touched
    row = town.published.row_of("c002")
    newest = int(town.published.baskets.at[town.published.baskets.customer_start[row + 1] - 1])
    hours_ago = (int(NOW.timestamp()) - newest) / 3600
    before = told("view", 1, "c002", hours_ago=hours_ago + 1, item_id="d03")
    late = bought("d05", 2, "c002", hours_ago=hours_ago + 2)
    options = SignalOptions(half_life_hours=2000)
    context = build_request(town.published, town.catalog, town.request("c002"), [before, late])
    assert not read_signals(context, options).touched


def test_what_led_to_an_order_counts_no_more_and_signs_fade(town: Town) -> None:
    looked = told("view", 1, "c002", hours_ago=2, item_id="d03")
    assert signals(town, "c002", [looked]).touched
    assert not signals(town, "c002", [looked, bought("d04", 2, "c002", hours_ago=1)]).touched
    young, old = (
        signals(town, "visitor", [told("cart", 1, "visitor", hours_ago=hours, item_id="d03")]).touched[
            column(town, "d03")
        ]
        for hours in (0, 6)
    )
    assert old == pytest.approx(young / 2)


def test_a_dish_rated_badly_goes_to_the_end_and_a_good_rating_lifts(town: Town) -> None:
    favourite = town.shown("c001", limit=1)[0]
    rated = [bought(favourite, 1, hours_ago=3), told("rating", 2, order_id="o1", rating=1)]
    answer = town.ask("c001", rated, limit=14)
    assert favourite not in [dish.item_id for dish in answer.dishes[:13]]
    liked = [bought("d09", 1, "stranger", hours_ago=3), told("rating", 2, "stranger", order_id="o1", rating=5)]
    assert column(town, "d09") in signals(town, "stranger", liked).rated
    assert town.ask("stranger", liked, limit=1).dishes[0].reason.code == "you_liked"


def test_a_rating_of_one_dish_leaves_the_others_of_the_order_alone_and_the_newest_counts(town: Town) -> None:
    order = told("order", 1, order_id="o1", items=[{"item_id": "d04"}, {"item_id": "d05"}], hours_ago=9)
    bad = told("rating", 2, hours_ago=8, order_id="o1", rating=2, item_id="d04")
    assert signals(town, "c001", [order, bad]).bad == {column(town, "d04")}
    better = told("rating", 3, hours_ago=7, order_id="o1", rating=4)
    assert signals(town, "c001", [order, bad, better]).bad == frozenset()


def test_a_tap_on_a_dish_nobody_ordered_brings_what_its_words_are_like(town: Town) -> None:
    before = town.shown(None, limit=15)
    answer = town.ask(None, clicked=(NEW[0],), limit=15)
    shown = [dish.item_id for dish in answer.dishes]
    nearest = nearest_to(town, NEW[0], before)
    assert town.catalog.name(column(town, nearest), "en").startswith("beef")  # n0 is a beef soup
    assert shown.index(NEW[0]) < 5
    shown.remove(NEW[0])
    assert shown.index(nearest) < before.index(nearest)


def test_nothing_she_did_changes_nothing(town: Town) -> None:
    assert not signals(town, "c001", [told("consent", 1, granted=True)])
    assert not signals(town, "c001", [told("view", 1, item_id="unheard of")])
    assert not signals(town, "c001", [told("rating", 1, order_id="elsewhere", rating=1)])


def test_a_newcomer_is_shown_what_is_popular_in_her_home_zone(town: Town) -> None:
    context = build_request(town.published, town.catalog, town.request("nina"), [])
    assert town.published.zones.name(context.query.place.zone) == "z1"
    assert context.language == "zh"
    assert all(build_request(*town.of(who), []).language == "en" for who in ("stranger", None))
    assert town.ask("nina").dishes[0].reason.code == "popular_nearby"
    assert town.ask("stranger").dishes[0].reason.code == "popular"
