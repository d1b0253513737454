"""What each model says, against cases worked by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import sparse

from engine.models.als import Als
from engine.models.baskets import user_items
from engine.models.item_knn import ItemKnn
from engine.models.kernels.top import top_k
from engine.models.next_item import NextItem
from engine.models.popular import Popular
from engine.models.query import Place
from engine.models.repeat import Repeat
from engine.models.user_knn import UserKnn
from tests.baskets import asks, learned_from, random_town
from training.data.matrices import TrainingSet
from training.data.split import split_by_time

RNG = np.random.default_rng(0)


def fit(model: Any, data: TrainingSet) -> Any:
    return model.fit(data.baskets, now=data.last_at, rng=np.random.default_rng(0))


def by_item(data: TrainingSet, scores: npt.NDArray[np.float32]) -> dict[str, float]:
    return dict(zip(data.items, scores.tolist(), strict=True))


def test_popularity_is_the_share_of_baskets_with_the_dish() -> None:
    data = learned_from({"ann": [(0, ["soup", "rice"])], "bob": [(0, ["soup"])]})
    assert by_item(data, fit(Popular(), data).score([asks(data)])[0]) == pytest.approx({"soup": 1.0, "rice": 0.5})


def test_popularity_halves_with_every_half_life() -> None:
    data = learned_from({"ann": [(0, ["old"])], "bob": [(30, ["new"])]})
    scores = by_item(data, fit(Popular(half_life_days=30), data).score([asks(data)])[0])
    assert scores == pytest.approx({"old": 1 / 3, "new": 2 / 3})


def test_popularity_near_you_is_shrunk_towards_everywhere() -> None:
    data = learned_from({"ann": [(0, ["soup"])], "bob": [(0, ["rice"])]}, zones={"ann": "north", "bob": "south"})
    north = data.zones.to_list().index("north")
    scores = by_item(data, fit(Popular(shrink=1), data).score([asks(data, place=Place(zone=north))])[0])
    assert scores == pytest.approx({"soup": 0.75, "rice": 0.25})


def test_a_named_zone_decides_over_the_block_of_the_address() -> None:
    told = {"ann": [(0, ["soup"])], "bob": [(0, ["soup"])], "cat": [(0, ["soup"])], "dan": [(0, ["rice"])]}
    data = learned_from(told, zones=dict.fromkeys(told, "north"))
    latitude = np.array([31.1, 31.12, 31.14, 31.3], np.float32)
    located = replace(data, baskets=replace(data.baskets, latitude=latitude, longitude=np.full(4, 121, np.float32)))
    model = fit(Popular(shrink=0.01), located)
    in_zone = by_item(data, model.score([asks(data, place=Place(zone=0, latitude=31.3, longitude=121.0))])[0])
    on_map = by_item(data, model.score([asks(data, place=Place(latitude=31.3, longitude=121.0))])[0])
    assert in_zone == pytest.approx({"soup": 0.75, "rice": 0.25}, abs=0.02)
    assert on_map["rice"] > 0.9


def test_on_the_map_a_basket_counts_by_how_near_it_is() -> None:
    # Far smaller than a cell apart there would be no telling; these lie in cells of every size around.
    north = (0.0, 0.012, 0.03, 0.07, 0.15, 0.3)
    people = {f"p{n}": [(0, [f"dish {n}"])] for n in range(len(north))}
    data = learned_from(people)
    latitude = (31.0025 + np.array(north)).astype(np.float32)
    placed = replace(data.baskets, latitude=latitude, longitude=np.full(len(north), 121.0025, np.float32))
    model = fit(Popular(reach_km=2.0), replace(data, baskets=placed))
    scores = by_item(data, model.score([asks(data, place=Place(latitude=31.0025, longitude=121.0025))])[0])
    kernel = (1 + np.array(north) * 111.2 / 2.0) ** -2
    told = np.array([scores[f"dish {n}"] for n in range(len(north))])
    # A cell's baskets are taken to be in its middle, at most a quarter of the way off.
    np.testing.assert_allclose(told / told.sum(), kernel / kernel.sum(), rtol=0.45, atol=0.01)
    assert told.sum() == pytest.approx(1, abs=0.01)
    assert (np.diff(told) < 0).all()


def test_in_a_zone_that_stands_for_itself_nothing_is_kept_for_each_address() -> None:
    people = {f"p{n}": [(0, ["soup"])] for n in range(30)}
    data = learned_from(people, zones=dict.fromkeys(people, "north"))
    spots = np.linspace(31, 31.5, 30).astype(np.float32)
    placed = replace(data, baskets=replace(data.baskets, latitude=spots, longitude=np.full(30, 121, np.float32)))
    asked = [asks(data, place=Place(zone=0, latitude=float(spot), longitude=121.0)) for spot in spots]
    for shrink, kept in ((0.1, 0), (20.0, 30)):
        model = fit(Popular(shrink=shrink), placed)
        model.score(asked)
        assert len(model._links) == kept


def test_popularity_in_the_middle_of_nowhere_is_everywhere() -> None:
    data = learned_from({"ann": [(0, ["soup"])], "bob": [(0, ["rice"])], "cat": [(0, ["soup"])]})
    spots = (np.array([31.0, 31.2, 31.0], np.float32), np.full(3, 121, np.float32))
    model = fit(Popular(), replace(data, baskets=replace(data.baskets, latitude=spots[0], longitude=spots[1])))
    at_sea = asks(data, place=Place(latitude=-40.0, longitude=-100.0))
    far, anywhere = model.score([at_sea, asks(data)])
    np.testing.assert_allclose(far, anywhere, rtol=1e-6)


def test_a_model_trained_with_cells_of_other_sizes_still_knows_its_zones() -> None:
    told = {"ann": [(0, ["soup"])], "bob": [(0, ["rice"])], "cat": [(0, ["rice"])]}
    data = learned_from(told, zones={"ann": "north", "bob": "south", "cat": "south"})
    placed = replace(data.baskets, latitude=np.full(3, 31, np.float32), longitude=np.full(3, 121, np.float32))
    arrays = fit(Popular(shrink=1), replace(data, baskets=placed)).arrays()
    old = Popular.from_arrays({**arrays, "settings": arrays["settings"][:2]})
    new = Popular.from_arrays(arrays)
    north = asks(data, place=Place(zone=0))
    on_the_map = asks(data, place=Place(latitude=31, longitude=121))
    np.testing.assert_array_equal(old.score([north]), new.score([north]))
    np.testing.assert_array_equal(*old.score([on_the_map, asks(data)]))


def test_an_unknown_zone_reads_as_everywhere() -> None:
    data = learned_from({"ann": [(0, ["soup"])]}, zones={"ann": "north"})
    model = fit(Popular(), data)
    np.testing.assert_array_equal(*model.score([asks(data), asks(data, place=Place(zone=99))]))


def test_repeat_is_the_share_of_own_baskets_newer_ones_counting_more() -> None:
    data = learned_from({"ann": [(0, ["soup", "rice", "tea"])]})
    scores = by_item(data, fit(Repeat(decay=0.5), data).score([asks(data, ["soup"], ["rice"])])[0])
    assert scores["rice"] == pytest.approx(2 / 3, abs=2e-4)
    assert scores["soup"] == pytest.approx(1 / 3, abs=2e-4)
    assert np.isnan(scores["tea"])


def test_repeat_breaks_ties_by_what_is_popular() -> None:
    data = learned_from({"ann": [(0, ["liked", "plain"])], "bob": [(0, ["liked"])], "cat": [(1, ["liked"])]})
    scores = by_item(data, fit(Repeat(), data).score([asks(data, ["liked", "plain"])])[0])
    assert scores["liked"] > scores["plain"]


def test_next_item_follows_consecutive_baskets_of_one_customer_only() -> None:
    data = learned_from({"ann": [(0, ["soup"]), (1, ["rice"]), (2, ["tea"])], "bob": [(3, ["cake"])]})
    scores = by_item(data, fit(NextItem(shrink=0), data).score([asks(data, ["soup"])])[0])
    assert scores == pytest.approx({"soup": np.nan, "rice": 1, "tea": np.nan, "cake": np.nan}, nan_ok=True)


def test_next_item_goes_on_from_the_first_baskets_to_what_all_baskets_say() -> None:
    data = learned_from(random_town(60, 15, seed=1))
    past = split_by_time(data, (data.first_at + data.last_at) // 2).past
    again = NextItem()
    again.warm_start(fit(NextItem(), replace(data, baskets=past)))
    fit(again, data)
    whole = fit(NextItem(), data)
    np.testing.assert_array_equal(again.links.columns, whole.links.columns)
    np.testing.assert_allclose(again.links.values, whole.links.values, rtol=1e-5)
    # A customer who has fewer baskets than were counted is another: then all is counted.
    fewer = NextItem()
    fewer.warm_start(whole)
    fit(fewer, replace(data, baskets=past))
    np.testing.assert_array_equal(fewer.links.values, fit(NextItem(), replace(data, baskets=past)).links.values)


def test_item_knn_finds_what_the_same_people_order() -> None:
    data = learned_from({"ann": [(0, ["soup", "rice"])], "bob": [(0, ["soup", "rice"])], "cat": [(0, ["tea", "cake"])]})
    scores = by_item(data, fit(ItemKnn(), data).score([asks(data, ["soup"])])[0])
    assert scores["rice"] == pytest.approx(1.0, abs=1e-5)
    assert np.isnan([scores["tea"], scores["cake"]]).all()


def test_user_knn_counts_neighbours_and_never_the_customer() -> None:
    data = learned_from({"ann": [(0, ["soup", "tea"])], "bob": [(0, ["soup", "rice"])], "cat": [(0, ["cake"])]})
    row = data.customers.to_list().index("ann")
    scores = by_item(data, fit(UserKnn(), data).score([asks(data, ["soup", "tea"], row=row)])[0])
    assert scores["rice"] == pytest.approx(1.0)
    assert np.isnan([scores["tea"], scores["cake"]]).all()


def test_user_knn_asks_at_most_its_pool_the_most_recently_active() -> None:
    data = learned_from({"old": [(0, ["soup", "rice"])], "new": [(9, ["soup", "cake"])]})
    scores = by_item(data, fit(UserKnn(pool=1), data).score([asks(data, ["soup"])])[0])
    assert scores["cake"] > 0
    assert np.isnan(scores["rice"])


def test_als_finds_the_best_dishes_without_scoring_all_of_them() -> None:
    data = learned_from(random_town(60, 15, seed=1))
    model = fit(Als(factors=8), data)
    queries = [asks(data, ["d01", "d02"], ["d02"]), asks(data), asks(data, ["d07"])]
    for k in (3, 20):
        np.testing.assert_array_equal(model.best(queries, k), top_k(model.score(queries), k))


def test_als_goes_on_from_what_an_earlier_fit_found() -> None:
    data = learned_from(random_town(60, 15, seed=1))
    once = fit(Als(factors=8), data)
    again = Als(factors=8)
    again.warm_start(once)
    fit(again, data)
    assert np.abs(again.item_factors - once.item_factors).max() < 0.05
    assert np.abs(fit(Als(factors=8, iterations=3), data).item_factors - once.item_factors).max() > 0.05


def test_als_that_begins_with_a_quarter_of_the_customers_comes_as_near_to_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(2)
    tastes = {
        f"c{c:03d}": [(day, [f"d{c % 4 * 5 + i}" for i in rng.choice(5, 2, replace=False)]) for day in range(3)]
        for c in range(400)
    }
    data = learned_from(tastes)
    counts = user_items(data.baskets).toarray()

    def loss(model: Als) -> np.float32:
        wrong = ((counts > 0) - model.user_factors @ model.item_factors.T) ** 2
        sizes = (model.user_factors**2).sum() + (model.item_factors**2).sum()
        return (np.where(counts > 0, model.alpha * counts, 1) * wrong).sum() + model.regularization * sizes

    # Two rounds of all customers after eight of a quarter do more than four of all.
    four = loss(fit(Als(factors=4, iterations=4), data))
    monkeypatch.setattr("engine.models.als.LEAST_SAMPLED", 100)
    some = fit(Als(factors=4), data)
    assert loss(some) < four
    np.testing.assert_array_equal(some.item_factors, fit(Als(factors=4), data).item_factors)


def test_who_ordered_what_is_counted_once_and_cannot_be_changed() -> None:
    data = learned_from({"ann": [(0, ["soup", "tea"]), (1, ["soup"])], "bob": [(0, ["tea"])]})
    counts = user_items(data.baskets)
    assert counts.toarray().tolist() == [[2, 1], [0, 1]]
    assert user_items(data.baskets) is counts
    with pytest.raises(ValueError, match="read-only"):
        counts.data[:] = 1
    assert user_items(replace(data.baskets, n_items=3)).shape == (2, 3)


def test_als_folds_in_the_factors_that_training_found() -> None:
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    data = learned_from(random_town(60, 15, seed=1))
    model = fit(Als(factors=8, iterations=30), data)
    matrix = user_items(data.baskets)
    with threadpool_limits(1, user_api="blas"):
        peer = AlternatingLeastSquares(factors=8, regularization=5.0, alpha=10.0, use_cg=False, num_threads=1)
        peer.item_factors, peer.user_factors = model.item_factors.copy(), np.zeros((60, 8), np.float32)
        theirs = peer.recalculate_user(np.arange(60), matrix) @ model.item_factors.T
    counts = [matrix[row] for row in range(60)]
    ours = np.stack([model.item_factors @ model.fold_in(c.indices.astype(np.int32), c.data) for c in counts])
    np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-4)


def test_neighbours_are_those_that_implicit_finds() -> None:
    from implicit.nearest_neighbours import ItemItemRecommender, normalize

    data = learned_from(random_town(80, 60, seed=5))
    found = fit(ItemKnn(neighbours=12), data).links
    counts = user_items(data.baskets)
    said = sparse.csr_matrix((np.log1p(counts.data), counts.indices, counts.indptr), shape=counts.shape)
    theirs = ItemItemRecommender(K=12, num_threads=1)
    theirs.fit(normalize(said.T).T.tocsr(), show_progress=False)
    wanted = theirs.similarity.toarray()
    ours = sparse.csr_array((found.values, found.columns, found.start), shape=wanted.shape)
    # Which of equally near ones are kept is each one's own affair.
    np.testing.assert_allclose(np.sort(ours.toarray()), np.sort(wanted), atol=1e-6)
    shared = (ours.toarray() > 0) & (wanted > 0)
    np.testing.assert_allclose(ours.toarray()[shared], wanted[shared], atol=1e-6)
    assert (np.diff(found.start) <= 12).all()
    assert ours.has_sorted_indices
