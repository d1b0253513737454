"""A model is one file and a line of the registry: it is fitted, published, reopened, asked, and explained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import pytest

from cli.docs import models_page
from engine.artifact import load
from engine.history.opening import open_history
from engine.history.tables import read_table
from engine.models.arrays import Arrays, FloatArray, IntArray
from engine.models.base import Recommender, Tunable
from engine.models.baskets import Baskets
from engine.models.board import Board
from engine.models.query import Query
from engine.models.registry import REGISTRY, register_model
from engine.recommend.catalog.catalog import catalog_of
from engine.recommend.home import recommend_dishes
from engine.recommend.published.model import open_published
from engine.recommend.request import DishRequest
from engine.recommend.scoring.blend import Blend
from engine.settings import Settings
from tests.baskets import START, random_town, tables
from training import run
from training.learn.settings import parse_model_settings, tunables

# What a customer is told of a dish they ordered themselves, whichever model brought it.
OWN_REASONS = {"ordered_before", "ordered_once", "most_weekdays", "mostly_weekday", "usual_daypart"}


@dataclass(slots=True)
class Alphabetical(Recommender):
    """Likes dishes by the place of their column: nobody would, so nothing else explains what it brings."""

    name: ClassVar[str] = "alphabetical"
    default_weight: ClassVar[float] = 0.5
    reason: ClassVar[str] = "your_taste"
    tunables: ClassVar[dict[str, Tunable]] = {"steepness": Tunable("How fast liking falls.", 0.1, 10)}
    steepness: float = 1.0
    liking: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))

    def fit(self, baskets: Baskets, *, now: int, rng: np.random.Generator) -> Self:
        self.liking = np.exp(-self.steepness * np.arange(baskets.n_items) / baskets.n_items).astype(np.float32)
        return self

    def propose(self, query: Query, board: Board, part: int, mask: npt.NDArray[np.bool_]) -> None:
        board.add_columns(np.arange(len(self.liking), dtype=np.int32), mask, len(self.liking))

    def score_candidates(self, query: Query, board: Board, part: int, rows: IntArray) -> None:
        board.model_scores[rows, part] = self.liking[board.columns[rows]]

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        return {"liking": self.liking}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        return cls(liking=np.asarray(arrays["liking"], np.float32))

    @property
    def n_items(self) -> int:
        return len(self.liking)


@pytest.fixture
def registered() -> Iterator[None]:
    register_model(Alphabetical)
    yield
    REGISTRY.remove(Alphabetical)


@pytest.mark.usefixtures("registered")
def test_a_model_is_learned_published_served_and_explained(settings: Settings) -> None:
    orders, lines = tables(random_town(40, 12, seed=3))
    open_history(settings).append(orders, lines)
    done = run.train(settings, now=START + timedelta(days=400))
    assert "alphabetical" in done.manifest["models"]
    artifact = load(settings.artifacts_folder, done.version)
    assert "models.alphabetical.liking" in artifact.arrays
    reopened = open_published(artifact)
    published = replace(reopened, blend=Blend({"alphabetical": 1.0}), ranker=None)
    items, vendors = read_table(settings, "items"), read_table(settings, "vendors")
    catalog = catalog_of(published, items, vendors, timezone="UTC")
    at = START + timedelta(days=400)
    answer = recommend_dishes(published, catalog, DishRequest("c001", 100, at, explain=True), ())
    assert [dish.source for dish in answer.dishes] == ["alphabetical"] * len(answer.dishes)
    columns = [published.items.row(dish.item_id) for dish in answer.dishes]
    assert columns == sorted(columns)
    never_ordered = [dish for dish in answer.dishes if dish.reason.code not in OWN_REASONS]
    assert {dish.reason.code for dish in never_ordered} <= {"your_taste"}
    assert answer.dishes[0].explained is not None
    assert answer.dishes[0].explained.contributions["alphabetical"] == pytest.approx(answer.dishes[0].score)


@pytest.mark.usefixtures("registered")
def test_its_settings_are_known_and_documented() -> None:
    assert tunables()["alphabetical"]["steepness"].high == 10
    read = parse_model_settings({"models": {"alphabetical": {"steepness": 2}}}, where="tuned.yaml")
    assert read.of("alphabetical") == {"steepness": 2.0}
    assert "alphabetical" in models_page()


@pytest.mark.usefixtures("registered")
def test_a_second_model_of_its_name_is_refused() -> None:
    with pytest.raises(ValueError, match="alphabetical"):
        register_model(Alphabetical)
