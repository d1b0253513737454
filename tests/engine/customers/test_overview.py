"""One customer at a glance."""

from __future__ import annotations

import polars as pl

from engine.customers.overview import FAVOURITES, customer_overview, most_ordered
from engine.customers.store import build_customer_table
from engine.database.session import connect, transaction
from engine.history.opening import open_history
from engine.settings import Settings
from tests.engine.customers.histories import NOW, drawn_town, lines_of


def test_a_dish_counts_once_an_order_and_ties_go_by_id() -> None:
    lines = pl.DataFrame({"order_id": ["1", "1", "2", "3"], "item_id": ["rice", "rice", "dal", "tea"]})
    assert most_ordered(lines) == [("dal", 1), ("rice", 1), ("tea", 1)]


def test_only_the_most_ordered_dishes_are_shown() -> None:
    lines = pl.DataFrame({"order_id": ["1"] * 9, "item_id": [f"d{n}" for n in range(9)]})
    assert len(most_ordered(lines)) == FAVOURITES


def test_groups_are_shown_once_the_table_is_built_and_nobody_is_none(settings: Settings) -> None:
    placed = drawn_town(60, seed=5)
    open_history(settings).append(placed, lines_of(placed, [["dal"]] * placed.height))
    who, database = placed["customer_id"][0], connect(settings)
    with transaction(database) as session:
        before = customer_overview(settings, session, who, now=NOW.at)
        nobody = customer_overview(settings, session, "nobody", now=NOW.at)
    assert nobody is None
    assert before is not None
    assert before.profile is None
    build_customer_table(settings, now=NOW.at)
    with transaction(database) as session:
        after = customer_overview(settings, session, who, now=NOW.at)
    assert after is not None
    assert after.profile is not None
    assert after.as_of is not None
    database.dispose()
