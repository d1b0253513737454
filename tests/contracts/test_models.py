"""What every recommender owes, run on each of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.artifact import activate, load, write
from engine.errors import NoHistory
from engine.models.base import Recommender
from engine.models.newcomer import Referral
from engine.models.query import Place, Query
from engine.models.registry import REGISTRY, impersonal_models, model_kind
from tests.baskets import asks, empty_baskets, learned_from, random_town
from training.data.matrices import TrainingSet, queries_for


@pytest.fixture(scope="module")
def town() -> TrainingSet:
    return learned_from(random_town(80, 20, seed=3), zones={f"c{i:03d}": f"z{i % 3}" for i in range(80)})


@pytest.fixture(params=sorted(kind.name for kind in REGISTRY))
def kind(request: pytest.FixtureRequest) -> type[Recommender]:
    return model_kind(request.param)


def fitted(kind: type[Recommender], data: TrainingSet, seed: int = 0) -> Recommender:
    return kind().fit(data.baskets, now=data.last_at, rng=np.random.default_rng(seed))


def queries(data: TrainingSet) -> list[Query]:
    rows = np.array([0, 5, 17, -1, 40])
    return queries_for(data.baskets, rows, np.full(5, data.last_at), [Place()] * 5)


def test_its_name_is_the_one_it_is_registered_under(kind: type[Recommender]) -> None:
    assert model_kind(kind().name) is kind


def test_it_scores_every_item_for_every_query_in_float32(kind: type[Recommender], town: TrainingSet) -> None:
    scores = fitted(kind, town).score(queries(town))
    assert scores.shape == (5, len(town.items))
    assert scores.dtype == np.float32
    assert not np.isinf(scores).any()


def test_it_can_be_asked_nothing(kind: type[Recommender], town: TrainingSet) -> None:
    assert fitted(kind, town).score([]).shape == (0, len(town.items))


def test_an_unknown_customer_gets_all_nan_or_an_impersonal_score(kind: type[Recommender], town: TrainingSet) -> None:
    scores = fitted(kind, town).score([asks(town)])[0]
    # A customer whom nobody referred has no referral score.
    speaks = kind().name in impersonal_models() and kind is not Referral
    assert not np.isnan(scores).any() if speaks else np.isnan(scores).all()


def test_a_batch_scores_like_each_query_alone(kind: type[Recommender], town: TrainingSet) -> None:
    model = fitted(kind, town)
    together = model.score(queries(town))
    alone = np.concatenate([model.score([query]) for query in queries(town)])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-6)


def test_equal_seeds_give_equal_models(kind: type[Recommender], town: TrainingSet) -> None:
    first, second = fitted(kind, town, 7), fitted(kind, town, 7)
    np.testing.assert_array_equal(first.score(queries(town)), second.score(queries(town)))


def test_it_survives_the_artifact_memory_mapped(kind: type[Recommender], town: TrainingSet, tmp_path: Path) -> None:
    model = fitted(kind, town)
    write(tmp_path, "v1", {f"m.{name}": array for name, array in model.arrays().items()}, {})
    activate(tmp_path, "v1")
    again = kind.from_arrays(load(tmp_path, "v1").group("m"))
    np.testing.assert_allclose(again.score(queries(town)), model.score(queries(town)), rtol=1e-4, atol=1e-6)


def test_an_order_made_just_now_changes_what_a_personal_model_says(kind: type[Recommender], town: TrainingSet) -> None:
    model = fitted(kind, town)
    before, after = model.score([asks(town, ["d01"]), asks(town, ["d01"], ["d02"])])
    assert np.array_equal(np.nan_to_num(before), np.nan_to_num(after)) == (kind().name in impersonal_models())


def test_without_any_basket_it_refuses_to_learn(kind: type[Recommender]) -> None:
    with pytest.raises(NoHistory):
        kind().fit(empty_baskets(3, 4), now=0, rng=np.random.default_rng(0))


def test_it_learns_from_a_single_order(kind: type[Recommender]) -> None:
    one = learned_from({"ann": [(0, ["soup"])]})
    scores = fitted(kind, one).score([asks(one, ["soup"])])
    assert scores.shape == (1, 1)
    assert not np.isinf(scores).any()
