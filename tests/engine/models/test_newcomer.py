"""What suits a customer without an order: by their language, and by who brought them here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language import LANGUAGES
from engine.models.base import Recommender
from engine.models.board import Board
from engine.models.newcomer import PopularByLanguage, Referral
from engine.models.popular import Popular
from engine.models.query import Place, Query
from tests.baskets import asks, learned_from, random_town
from training.data.matrices import TrainingSet

EN, ZH = LANGUAGES.index("en"), LANGUAGES.index("zh")


Model = TypeVar("Model", bound=Recommender)


def reading(data: TrainingSet, **languages: int) -> TrainingSet:
    """Tell which language each customer reads; nobody else's is known."""
    found = np.array([languages.get(name, -1) for name in data.customers], np.int8)
    return replace(data, baskets=replace(data.baskets, language=found))


def fit(model: Model, data: TrainingSet) -> Model:
    return model.fit(data.baskets, now=data.last_at, rng=np.random.default_rng(0))


def told(
    model: Recommender,
    data: TrainingSet,
    query: Query,
    mask: npt.NDArray[np.bool_] | None = None,
) -> dict[str, float]:
    """Return what the model says of each dish, on a board as it is asked in answers."""
    board = Board(len(data.items), 1)
    board.start(query)
    model.propose(query, board, 0, np.ones(len(data.items), bool) if mask is None else mask)
    model.score_candidates(query, board, 0, np.arange(board.n, dtype=np.int32))
    return {
        data.items[int(column)]: float(board.model_scores[row, 0])
        for row, column in enumerate(board.columns[: board.n])
    }


def brought(data: TrainingSet, *baskets: list[str]) -> Query:
    """Return the question of a newcomer whom somebody with these baskets brought."""
    return replace(asks(data), brought_by=asks(data, *baskets))


@pytest.fixture
def two_tongues() -> TrainingSet:
    days = range(30)
    orders = {"ann": [(d, ["pizza", "tea"]) for d in days], "bo": [(d, ["dumplings", "tea"]) for d in days]}
    return reading(learned_from(orders), ann=EN, bo=ZH)


def test_what_customers_of_the_same_language_order_comes_first(two_tongues: TrainingSet) -> None:
    model = fit(PopularByLanguage(), two_tongues)
    for language, likelier, other in ((EN, "pizza", "dumplings"), (ZH, "dumplings", "pizza")):
        said = told(model, two_tongues, replace(asks(two_tongues), language=language))
        assert said[likelier] > 2 * said[other]
        # What both order alike is weighed like everything else they do.
        assert said["tea"] == pytest.approx(1.0, rel=0.02)


def test_a_factor_is_what_a_language_orders_over_what_everybody_would(two_tongues: TrainingSet) -> None:
    factors = fit(PopularByLanguage(half_life_days=1e9, evidence=10), two_tongues).factors
    pizza = two_tongues.items.to_list().index("pizza")
    assert factors[EN, pizza] == pytest.approx((30 + 10) / (30 * 0.5 + 10))
    assert factors[ZH, pizza] == pytest.approx((0 + 10) / (30 * 0.5 + 10))


def test_whose_language_is_unknown_is_told_what_is_popular(two_tongues: TrainingSet) -> None:
    plain, spoken = fit(Popular(), two_tongues), fit(PopularByLanguage(), two_tongues)
    assert told(spoken, two_tongues, asks(two_tongues)) == told(plain, two_tongues, asks(two_tongues))


def test_where_nobodys_language_is_known_all_factors_are_1() -> None:
    data = reading(learned_from(random_town(20, 6, seed=3)))
    assert (fit(PopularByLanguage(), data).factors == 1).all()


def test_language_keeps_to_the_zone() -> None:
    orders = {"ann": [(0, ["soup"])], "bob": [(0, ["rice"])]}
    data = reading(learned_from(orders, zones={"ann": "north", "bob": "south"}), ann=EN, bob=EN)
    north = asks(data, place=Place(zone=data.zones.to_list().index("north")))
    said = told(fit(PopularByLanguage(shrink=0.1), data), data, replace(north, language=EN))
    assert said["soup"] > 5 * said["rice"]


@given(st.integers(0, 50), st.sampled_from([-1, EN, ZH]))
def test_queried_for_some_or_for_all_it_scores_the_same(seed: int, language: int) -> None:
    town = random_town(15, 6, seed=seed)
    data = reading(learned_from(town), **{name: n % 3 - 1 for n, name in enumerate(town)})
    model = fit(PopularByLanguage(), data)
    query = replace(asks(data), language=language)
    all_at_once = dict(zip(data.items.to_list(), model.score([query])[0].tolist(), strict=True))
    assert all_at_once == pytest.approx(told(model, data, query), rel=1e-5)


def test_a_newcomer_gets_the_shares_of_who_brought_them_newer_baskets_counting_more() -> None:
    data = learned_from({f"c{n}": [(0, ["soup", "rice", "tea"])] for n in range(10)})
    said = told(fit(Referral(decay=0.5), data), data, brought(data, ["soup"], ["soup", "rice"], ["tea"]))
    assert said == pytest.approx({"tea": 1 / 1.75, "rice": 0.5 / 1.75, "soup": 0.75 / 1.75})


def test_what_few_customers_order_is_not_passed_on_because_it_would_tell_whose_habit_it_is() -> None:
    orders = {f"c{n}": [(0, ["soup"])] for n in range(10)} | {f"r{n}": [(0, ["rare"])] for n in range(9)}
    data = learned_from(orders)
    assert told(fit(Referral(), data), data, brought(data, ["rare", "soup"])) == {"soup": 1.0}


def test_what_may_not_be_shown_gets_no_row() -> None:
    data = learned_from({f"c{n}": [(0, ["soup", "tea"])] for n in range(10)})
    mask = np.array([name != "soup" for name in data.items])
    assert told(fit(Referral(), data), data, brought(data, ["soup", "tea"]), mask) == {"tea": 1.0}


def test_no_score_for_whom_nobody_brought_nor_for_who_has_ordered() -> None:
    data = learned_from({f"c{n}": [(0, ["soup", "tea"])] for n in range(10)})
    model = fit(Referral(), data)
    assert told(model, data, asks(data)) == {}
    regular = replace(asks(data, ["tea"]), brought_by=asks(data, ["soup"]))
    assert told(model, data, regular) == {"tea": 0.0}
    assert told(model, data, brought(data)) == {}


@pytest.mark.parametrize("kind", [PopularByLanguage, Referral])
def test_it_scores_the_same_after_the_artifact(kind: type[Any]) -> None:
    town = random_town(40, 8, seed=2)
    data = reading(learned_from(town), **{name: n % 2 for n, name in enumerate(town)})
    model = fit(kind(), data)
    again = kind.from_arrays(model.arrays())
    query = replace(brought(data, ["d01"], ["d02"]), language=ZH)
    assert told(again, data, query) == told(model, data, query) != {}
