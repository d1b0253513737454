"""No list, and no fallback of one, shows what may not be shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engine.events.event import Event
from engine.recommend.catalog.diets import plain_words
from engine.recommend.home import recommend_dishes
from engine.recommend.lists.addons import addon_dishes
from engine.recommend.lists.again import dishes_again
from engine.recommend.lists.featured import feature_dishes
from engine.recommend.lists.similar import similar_dishes
from engine.recommend.lists.vendors import recommend_vendors
from engine.recommend.request import DishRequest
from tests.engine.recommend.conftest import ALLERGENS, DIETS, DISHES, NOW, VENDOR, Town, bought, orderable, told

SHELVES = ("dishes", "explored", "arranged", "blend", "similar", "addons", "again", "vendors", "for_segment")


def shown_by(town: Town, asked_list: str, request: DishRequest, fresh: list[Event], similar_to: str) -> list[str]:
    published, catalog = town.published, town.catalog
    if asked_list == "similar":
        return [d.item_id for d in similar_dishes(published, catalog, request, fresh, item_id=similar_to).dishes]
    if asked_list == "addons":
        return [d.item_id for d in addon_dishes(published, catalog, request, fresh).dishes] if request.cart else []
    if asked_list == "again":
        return [d.item_id for d in dishes_again(published, catalog, request, fresh).dishes]
    if asked_list == "vendors":
        found = recommend_vendors(published, catalog, request, fresh).vendors
        return [dish for vendor in found for dish in vendor.dishes]
    if asked_list == "for_segment":
        return [d.item_id for d in feature_dishes(published, catalog, request, ["c001", "c002", "stranger"]).dishes]
    if asked_list == "blend":
        published = replace(published, ranker=None)
    return [dish.item_id for dish in recommend_dishes(published, catalog, request, fresh).dishes]


LISTS = {
    "explored": {"explore_share": 0.5, "explore_after": 0},
    "arranged": {"most_per_vendor": 1, "repeat_max": 0.5, "near_duplicates": 0.9, "shown_times": 1},
}


@pytest.mark.parametrize("asked_list", SHELVES)
@given(
    customer=st.sampled_from([None, "c001", "rita", "vera", "stranger"]),
    zone=st.sampled_from([None, "z0", "z1", "mars"]),
    hour=st.integers(0, 23),
    vendor=st.sampled_from([None, "v0", "v1", "v2", "nobody"]),
    exclude=st.sets(st.sampled_from(DISHES), max_size=5),
    cart=st.sets(st.sampled_from([*DISHES, "unheard of"]), max_size=3),
    candidates=st.none() | st.sets(st.sampled_from([*DISHES, "unheard of"]), max_size=8),
    disliked=st.sets(st.sampled_from(DISHES), max_size=2),
    clicked=st.lists(st.sampled_from(DISHES), max_size=3),
    allergens=st.sets(st.sampled_from(["peanuts", "gluten", "fish"]), max_size=2),
    diets=st.sets(st.sampled_from(["vegetarian", "vegan"]), max_size=2),
    similar_to=st.sampled_from(DISHES),
    limit=st.integers(1, 20),
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_no_list_shows_what_may_not_be_shown(
    town: Town,
    asked_list: str,
    customer: str | None,
    zone: str | None,
    hour: int,
    vendor: str | None,
    exclude: set[str],
    cart: set[str],
    candidates: set[str] | None,
    disliked: set[str],
    clicked: list[str],
    allergens: set[str],
    diets: set[str],
    similar_to: str,
    limit: int,
) -> None:
    request = town.request(
        customer, LISTS.get(asked_list), at=NOW.replace(hour=hour), zone=zone, vendor_id=vendor, exclude=tuple(exclude),
        cart=tuple(cart), candidates=None if candidates is None else tuple(candidates), clicked=tuple(clicked),
        allergens=tuple(allergens), diets=tuple(diets), limit=limit, request_id=f"{hour}-{limit}",
    )  # fmt: skip
    fresh = [told("not_interested", i + 1, customer or "", item_id=dish) for i, dish in enumerate(sorted(disliked))]
    fresh += [bought("d00", 20, customer or ""), told("cart", 21, customer or "", item_id="d01")]
    shown = shown_by(town, asked_list, request, fresh, similar_to)
    assert len(set(shown)) == len(shown)
    for dish in shown:
        assert orderable(dish, zone, hour)
        assert vendor is None or VENDOR[dish] == vendor
        assert dish not in exclude | cart
        assert candidates is None or dish in candidates
        assert asked_list == "for_segment" or dish not in disliked
        assert not allergens or (ALLERGENS[dish] and not plain_words(ALLERGENS[dish]) & allergens)
        assert diets <= plain_words(DIETS[dish])
        assert asked_list != "similar" or dish != similar_to
