"""As of an instant means up to and including it, wherever customers are looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from engine.columns import UTC_INSTANT
from engine.customers.behaviour.favourites import favourite_items
from engine.customers.behaviour.satisfaction import feedback_as_of
from engine.customers.config import CustomerConfig, Satisfaction
from engine.customers.figures import customer_figures
from engine.customers.moment import Moment, end_of
from engine.customers.table import customer_table
from engine.history.dayparts import Dayparts
from engine.market.low_rated import vendor_and_dish_ratings
from engine.segments.facts import members
from engine.segments.inputs import SegmentSources
from engine.segments.parse import parse_rule
from tests.engine.customers.histories import customers, feedback, items, lines_of, opinion, order, orders, sources

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = AT + timedelta(microseconds=1)
PLACED = orders(
    order("a", 0, ordered_at=AT, vendor_id="v1", rating=5.0),
    order("a", 0, ordered_at=LATER, vendor_id="v1", rating=1.0),
)
LINES = lines_of(PLACED, [["soup"], ["rice"]])
MENU = items({"item_id": "soup", "name": "Soup"}, {"item_id": "rice", "name": "Rice"})
NOW = Moment(AT, "UTC")


def test_the_figures_and_the_table_count_an_order_of_the_very_instant_and_none_after() -> None:
    figures = customer_figures(PLACED.lazy(), customers(), as_of=AT)
    assert figures.select("orders", "last_order_at").row(0) == (1, AT)
    built = customer_table(sources(PLACED, LINES), NOW, horizon_days=30, config=CustomerConfig())
    assert built.table.select("orders", "last_order_at", "average_rating", "top_items").row(0) == (1, AT, 5.0, ["soup"])


def test_the_favourite_dish_and_ratings_do_so_too() -> None:
    favourite = favourite_items(LINES.lazy(), MENU, pl.DataFrame({"customer_id": ["a"]}), as_of=AT)
    assert favourite["name"].to_list() == ["Soup"]
    rated = vendor_and_dish_ratings(PLACED.lazy(), LINES.lazy(), MENU, feedback(), NOW, Satisfaction())
    assert rated.filter(kind="vendor").select("ratings", "average_rating").row(0) == (1, 5.0)
    given = feedback(opinion("a", 0, "nps", 9), opinion("a", 0, "nps", 1) | {"at": LATER})
    assert feedback_as_of(given, NOW)["score"].to_list() == [9.0]


@pytest.mark.parametrize(
    ("window", "counted"),
    [
        ({}, 1),
        ({"before": "2026-03-01T12:00:00Z"}, 0),
        ({"before": "2026-03-01T12:00:01Z"}, 1),
        ({"between": ["2026-03-01T12:00:00Z", "2026-03-02"]}, 1),
        ({"between": ["2026-02-01", "2026-03-01T12:00:00Z"]}, 0),
    ],
)
def test_a_segment_counts_the_instant_of_as_of_and_of_a_start_but_not_that_of_before(
    window: dict[str, object], counted: int
) -> None:
    facts = SegmentSources(
        orders=lambda since: PLACED.lazy(),
        lines=lambda since: LINES.lazy(),
        customers=customers({"customer_id": "a"}).lazy(),
        menu=lambda: MENU,
        table=lambda at: pl.LazyFrame(),
        inbox=lambda kind, since, customer_id: pl.DataFrame(),
        consents=lambda at, customer_id: pl.DataFrame(),
        zone="UTC",
        dayparts=Dayparts(),
    )
    rule = parse_rule({"count": {"event": "order", "equals": counted, **window}}, currency="USD")
    assert members(rule, facts, AT).collect()["customer_id"].to_list() == ["a"]


def test_a_whole_day_ends_with_its_last_microsecond() -> None:
    day = end_of(AT.date(), "UTC")
    assert day.at == datetime(2026, 3, 2, tzinfo=UTC) - timedelta(microseconds=1)
    midnight = pl.Series([day.at, datetime(2026, 3, 2, tzinfo=UTC)]).cast(UTC_INSTANT)
    placed = orders(*(order("a", 0, ordered_at=at) for at in midnight))
    assert customer_figures(placed.lazy(), customers(), as_of=day.at)["orders"].to_list() == [1]
