"""Lists for everybody at once are those each customer would get alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from engine.errors import NotFound
from engine.ids import IdMap
from engine.models.als import Als
from engine.models.query import Place
from engine.recommend.batch.everyone import (
    ZoneMasks,
    best_by_factors,
    best_by_models,
    best_for_newcomers,
    customers_of,
    last_zones,
)
from engine.recommend.published.extras import RegisteredCustomers
from engine.recommend.published.model import PublishedModel
from engine.recommend.scoring.allowed import NO_DISH, Allowed
from engine.runtime.threads import one_blas_thread
from tests.engine.recommend.conftest import NOW, VENDOR, Town
from training.data.matrices import keep_baskets

AT = int(NOW.timestamp())


@pytest.fixture
def menus(town: Town) -> ZoneMasks:
    one_blas_thread()
    return ZoneMasks(town.published, town.catalog)


def named(town: Town, columns: npt.NDArray[np.int32]) -> list[str]:
    return town.published.items.names(columns[columns >= 0])


def everybody(town: Town) -> range:
    return range(len(town.published.customers))


def without_habits(town: Town) -> PublishedModel:
    """The same artifact, as if nobody ordered a dish twice."""
    manifest = {**town.published.manifest, "data": {**town.published.manifest["data"], "repeats": False}}
    return replace(town.published, manifest=manifest)


def test_the_served_way_gives_each_customer_her_own_pool(town: Town, menus: ZoneMasks) -> None:
    rows = range(20, 60)
    lists = best_by_models(town.published, menus, rows, top=7, at_s=AT)
    for at, row in enumerate(rows):
        query = town.published.query(town.published.customers.name(row), (), now=AT, place=Place())
        pool = town.published.scorer.pool(query, Allowed(menus.mask(query.place.zone), None, NO_DISH), size=7)
        assert np.array_equal(lists.columns[at], pool.columns)
        assert np.array_equal(lists.scores[at], pool.scores)
    assert len({tuple(row) for row in lists.columns.tolist()}) > 10


def test_the_factors_way_gives_what_sorting_all_predictions_gives(town: Town, menus: ZoneMasks) -> None:
    als = next(model for model in town.published.models if isinstance(model, Als))
    lists = best_by_factors(town.published, menus, everybody(town), top=8, threads=2)
    for row in everybody(town):
        query = town.published.query(town.published.customers.name(row), (), now=AT, place=Place())
        predicted = als.score([query])[0]
        shown = np.flatnonzero(menus.mask(query.place.zone))
        expected = np.sort(predicted[shown])[::-1][:8]
        assert np.allclose(lists.scores[row], expected, atol=1e-5)
        assert np.allclose(predicted[lists.columns[row]], expected, atol=1e-5)
        assert len(set(lists.columns[row].tolist())) == 8
        assert set(lists.columns[row].tolist()) <= set(shown.tolist())


@pytest.mark.parametrize("way", ["models", "factors"])
def test_nothing_is_listed_that_no_moment_allows_and_all_that_some_moment_does(
    town: Town, menus: ZoneMasks, way: str
) -> None:
    rows = everybody(town)
    if way == "models":
        lists = best_by_models(town.published, menus, rows, top=30, at_s=AT)
    else:
        lists = best_by_factors(town.published, menus, rows, top=30, threads=1)
    zones = last_zones(town.published.baskets)
    names = town.published.zones.names(range(len(town.published.zones)))
    for row in rows:
        elsewhere = names[zones[row]] != "z1"
        # d00 is sold out and v1 delivers to z1 alone; v2 is closed tonight and listed all the same.
        expected = {dish for dish in VENDOR if dish != "d00" and not (VENDOR[dish] == "v1" and elsewhere)}
        assert set(named(town, lists.columns[row])) == expected
        assert np.isneginf(lists.scores[row][len(expected) :]).all()
        assert (np.diff(lists.scores[row][: len(expected)]) <= 0).all()
    assert {names[zone] for zone in zones} == {"z0", "z1"}


@pytest.mark.parametrize("way", ["models", "factors"])
def test_where_nobody_orders_a_dish_twice_lists_hold_only_new_ones(town: Town, way: str) -> None:
    published = without_habits(town)
    menus = ZoneMasks(published, town.catalog)
    row = published.customers.row("rita")
    if way == "models":
        lists = best_by_models(published, menus, range(row, row + 1), top=30, at_s=AT)
    else:
        lists = best_by_factors(published, menus, range(row, row + 1), top=30, threads=1)
    listed = named(town, lists.columns[0])
    assert not {"d05", "d06"} & set(listed)
    assert {"d04", "d07", "d08"} <= set(listed)


def test_who_has_no_basket_gets_no_list_by_factors(town: Town) -> None:
    baskets = town.published.baskets
    keep = np.arange(baskets.n_baskets) >= baskets.customer_start[1]  # all but the first customer's
    published = replace(town.published, baskets=keep_baskets(baskets, keep))
    lists = best_by_factors(published, ZoneMasks(published, town.catalog), range(3), top=5, threads=1)
    assert (lists.columns[0] == -1).all()
    assert (lists.columns[1:] >= 0).all()


def test_a_slice_of_customers_keeps_their_baskets_and_nothing_else(town: Town) -> None:
    baskets = town.published.baskets
    some = customers_of(baskets, range(30, 40))
    assert some.n_customers == 10
    assert some.n_items == baskets.n_items
    for at in range(10):
        first, end = baskets.customer_start[30 + at : 32 + at]
        own = slice(*some.customer_start[at : at + 2])
        assert np.array_equal(some.at[own], baskets.at[first:end])
        lines = slice(*some.basket_start[[own.start, own.stop]])
        assert np.array_equal(some.items[lines], baskets.items[slice(*baskets.basket_start[[first, end]])])


def test_zones_with_equal_menus_share_one(town: Town, menus: ZoneMasks) -> None:
    closed = town.published.zones.row("z0")
    assert menus.mask(closed) is menus.mask(closed)
    als = next(model for model in town.published.models if isinstance(model, Als))
    alone = ZoneMasks(town.published, replace(town.catalog, vendors=[None] * len(town.catalog.vendors)))
    assert alone.arranged(0, als) is alone.arranged(1, als) is alone.arranged(-1, als)
    assert menus.arranged(0, als) is not menus.arranged(1, als)


def test_a_version_without_factors_says_so(town: Town) -> None:
    published = replace(town.published, models=[model for model in town.published.models if not isinstance(model, Als)])
    with pytest.raises(NotFound, match="ask for --model served"):
        best_by_factors(published, ZoneMasks(published, town.catalog), range(3), top=5, threads=1)


def test_newcomers_who_are_alike_share_one_list_and_each_kind_has_its_own(town: Town, menus: ZoneMasks) -> None:
    cards = RegisteredCustomers(
        IdMap.of(["a", "b", "c", "d"]),
        np.array([0, 1, 0, -1], np.int8),
        np.array([0, 1, 0, -1], np.int32),
        np.full(4, -1, np.int32),
    )
    published = town.published
    lists = best_for_newcomers(published, cards, menus, range(1, 4), top=6, at_s=AT)
    for at, (language, zone) in enumerate([(1, 1), (0, 0), (-1, -1)]):
        query = published.query(None, (), now=AT, place=Place(zone=zone), language=language)
        pool = published.scorer.pool(query, Allowed(menus.mask(zone), None, NO_DISH), size=6)
        assert np.array_equal(lists.columns[at], pool.columns)
        assert np.array_equal(lists.scores[at], pool.scores)
    both = best_for_newcomers(published, cards, menus, range(4), top=6, at_s=AT).columns
    assert np.array_equal(both[0], both[2])
