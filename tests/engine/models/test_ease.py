"""What goes with all that was ordered, against least squares solved the long way."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.models.baskets import user_items
from engine.models.ease import Ease
from tests.baskets import asks, learned_from, random_town
from training.data.matrices import TrainingSet


def fit(model: Ease, data: TrainingSet) -> Ease:
    return model.fit(data.baskets, now=data.last_at, rng=np.random.default_rng(0))


def matrix(model: Ease) -> npt.NDArray[np.float64]:
    """Return (items, items): how much the row's dish speaks for the column's."""
    dense = np.zeros((model.n_items, model.n_items))
    for row in range(model.n_items):
        own = slice(model.links.start[row], model.links.start[row + 1])
        dense[row, model.links.columns[own]] = model.links.values[own]
    return dense


@given(st.integers(0, 1_000), st.floats(0.5, 50))
@settings(max_examples=20, deadline=None)
def test_each_dish_is_explained_by_least_squares_from_all_others(seed: int, ridge: float) -> None:
    data = learned_from(random_town(30, 7, seed=seed))
    found = matrix(fit(Ease(ridge=ridge), data))
    ordered = (user_items(data.baskets).toarray() > 0).astype(float)
    pull = ridge * np.diag(ordered.T @ ordered).mean()
    for dish in range(ordered.shape[1]):
        others = np.delete(np.arange(ordered.shape[1]), dish)
        known = ordered[:, others]
        solved = np.linalg.solve(known.T @ known + pull * np.eye(len(others)), known.T @ ordered[:, dish])
        np.testing.assert_allclose(found[others, dish], solved, atol=1e-5)
        assert found[dish, dish] == 0


def test_only_the_largest_coefficients_of_each_dish_stay_those_against_it_too() -> None:
    data = learned_from(random_town(60, 12, seed=4))
    whole, pruned = (matrix(fit(Ease(ridge=0.1, kept=kept), data)) for kept in (200, 4))
    assert ((pruned != 0).sum(axis=1) == 4).all()
    for row in range(len(whole)):
        largest = np.sort(np.abs(whole[row]))[-4:]
        np.testing.assert_allclose(np.sort(np.abs(pruned[row]))[-4:], largest, rtol=1e-6)
    assert (pruned < 0).any()


def test_dishes_beyond_the_most_ordered_take_no_part() -> None:
    orders = {f"c{i}": [(0, ["soup", "rice"] if i % 2 else ["soup", "tea"])] for i in range(6)}
    orders["odd"] = [(0, ["rice", "rare"])]
    data = learned_from(orders)
    items = data.items.to_list()
    said = fit(Ease(most=3), data).score([asks(data, ["rice"])])[0]
    assert np.isnan(said[items.index("rare")])
    assert not np.isnan(said[items.index("tea")])


def test_it_counts_whether_a_dish_was_ordered_not_how_often() -> None:
    data = learned_from(random_town(60, 10, seed=5))
    once, thrice = fit(Ease(), data).score([asks(data, ["d01"]), asks(data, ["d01"], ["d01"], ["d01"])])
    np.testing.assert_array_equal(once, thrice)


def test_what_was_ordered_raises_what_goes_with_it_and_lowers_what_stands_in_for_it() -> None:
    orders = {f"n{i}": [(0, ["noodles", "vinegar"])] for i in range(8)} | {
        f"r{i}": [(0, ["rice", "vinegar" if i < 4 else "tea"])] for i in range(8)
    }
    data = learned_from(orders)
    said = dict(zip(data.items, fit(Ease(ridge=0.1), data).score([asks(data, ["noodles"])])[0].tolist(), strict=True))
    assert said["vinegar"] > 0
    assert said["rice"] < 0
    assert said["vinegar"] == pytest.approx(max(score for score in said.values() if not np.isnan(score)))
