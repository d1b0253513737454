"""What an artifact holds beside the models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.artifact import activate, load, write
from engine.columns import CUSTOMERS, ITEMS
from engine.history.tables import upsert_table
from engine.language import LANGUAGES
from engine.recommend.published.extras import Extras, newest
from engine.settings import Settings
from tests.baskets import learned_from
from tests.present import there
from training.run import extras_of


@pytest.fixture
def extras(settings: Settings, tmp_path: Path) -> Extras:
    told = {"ann": [(0, ["soup"]), (9, ["soup", "tea"])], "bob": [(9, ["tea"])]}
    data = learned_from(told, zones={"ann": "north", "bob": "south"}, vendors={"soup": "kitchen", "tea": "house"})
    upsert_table(settings, "customers", row(CUSTOMERS, customer_id="ann", timezone="Asia/Shanghai"))
    upsert_table(settings, "customers", row(CUSTOMERS, customer_id="new", zone="south", language="zh"))
    upsert_table(settings, "items", row(ITEMS, item_id="soup", name="Soup"))
    learned = extras_of(settings, data)
    write(tmp_path, "v1", learned.arrays(), {})
    activate(tmp_path, "v1")
    return Extras.from_arrays(load(tmp_path, "v1").group("extras"))


def row(schema: dict[str, Any], **known: str) -> pl.DataFrame:
    return pl.DataFrame([{name: known.get(name) for name in schema}], schema=schema, orient="row")


def test_vendors_are_counted_by_zone_and_a_silent_zone_gets_everybodys(extras: Extras) -> None:
    house, kitchen = there(extras.vendors).shares(0)  # north
    assert house == 0
    assert kitchen == 1
    assert there(extras.vendors).shares(1).tolist() == [1, 0]
    everywhere = there(extras.vendors).shares(-1)
    assert everywhere.sum() == pytest.approx(1)
    np.testing.assert_array_equal(there(extras.vendors).shares(7), everywhere)


def test_a_customers_clock_is_her_own_or_the_houses(extras: Extras) -> None:
    assert str(extras.clocks.zone_info(0, "UTC")) == "Asia/Shanghai"
    assert str(extras.clocks.zone_info(1, "UTC")) == "UTC"
    assert str(extras.clocks.zone_info(-1, "UTC")) == "UTC"


def test_a_dish_few_ordered_is_new(extras: Extras) -> None:
    assert newest(np.array([0, 1], np.int32), extras, least=2).tolist() == [False, False]
    assert newest(np.array([0, 1], np.int32), extras, least=3).tolist() == [True, True]


def test_a_newcomers_home_and_language_are_those_of_her_registration(extras: Extras) -> None:
    assert there(extras.cards).home_zone("new") == 1  # south
    assert there(extras.cards).language_of("new") == LANGUAGES.index("zh")
    assert there(extras.cards).home_zone("ann") == -1  # orders say more
    assert there(extras.cards).language_of("nobody") == -1


def test_an_artifact_without_extras_does_without() -> None:
    nothing = Extras.from_arrays({})
    assert nothing.together is None
    assert nothing.clocks.zone_info(3, "UTC").key == "UTC"
    assert not newest(np.array([0], np.int32), nothing).any()
