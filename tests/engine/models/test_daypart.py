"""What is ordered at this time of day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.models.board import Board
from engine.models.daypart import PopularByDaypart, RepeatByDaypart, slot, slots
from engine.models.popular import Popular
from engine.models.query import Place, Query
from engine.models.repeat import Repeat
from tests.baskets import START, asks, learned_from, random_town
from training.data.matrices import TrainingSet

MONDAY_BREAKFAST, SUNDAY_NIGHT = 0, 34


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def in_time(data: TrainingSet, timezone: str = "UTC") -> TrainingSet:
    return replace(data, baskets=replace(data.baskets, timezone=timezone))


def fit(model: Any, data: TrainingSet) -> Any:
    return model.fit(data.baskets, now=data.last_at, rng=np.random.default_rng(0))


def told(model: Any, data: TrainingSet, query: Query) -> dict[str, float]:
    """Return what the model says of each dish, on a board as it is asked in answers."""
    board = Board(len(data.items), 1)
    board.start(query)
    model.propose(query, board, 0, np.ones(len(data.items), bool))
    model.score_candidates(query, board, 0, np.arange(board.n, dtype=np.int32))
    return {
        data.items[int(column)]: float(board.model_scores[row, 0])
        for row, column in enumerate(board.columns[: board.n])
    }


@pytest.mark.parametrize(
    ("instant", "timezone", "expected"),
    [
        ("2026-11-23T05:00", "UTC", MONDAY_BREAKFAST),
        ("2026-11-23T04:59", "UTC", SUNDAY_NIGHT),
        ("2026-11-22T23:30", "Asia/Kolkata", MONDAY_BREAKFAST),  # 05:00 there
        ("2026-11-22T23:29", "Asia/Kolkata", SUNDAY_NIGHT),
        ("2026-11-24T12:00", "Asia/Shanghai", 1 * 5 + 3),  # Tuesday, eight in the evening
        ("2026-07-07T10:00", "Europe/Berlin", 1 * 5 + 1),  # Tuesday noon, in summer time
    ],
)
def test_a_daypart_of_the_week_is_local_and_a_night_belongs_to_the_day_it_began(
    instant: str, timezone: str, expected: int
) -> None:
    assert slot(at(instant), timezone) == expected


@given(
    st.lists(st.integers(0, 4_000_000_000), min_size=1), st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York"])
)
def test_one_instant_and_many_have_the_same_daypart(instants: list[int], timezone: str) -> None:
    assert slots(np.array(instants, np.int64), timezone).tolist() == [slot(each, timezone) for each in instants]


def test_what_is_ordered_in_the_morning_is_popular_in_the_morning() -> None:
    # START is at noon: a dish ordered at half past is lunch, one ordered 20 hours later breakfast.
    days = range(40)
    data = in_time(
        learned_from({"ann": [(d, ["noodles"]) for d in days], "bob": [(d + 20 / 24, ["congee"]) for d in days]})
    )
    model = fit(PopularByDaypart(), data)
    lunch = replace(asks(data), now=int(START.timestamp()) + 40 * 86_400)
    morning = replace(lunch, now=lunch.now + 20 * 3_600)
    assert told(model, data, lunch)["noodles"] > 2 * told(model, data, lunch)["congee"]
    assert told(model, data, morning)["congee"] > 2 * told(model, data, morning)["noodles"]
    plain = told(fit(Popular(), data), data, lunch)
    assert plain["noodles"] == pytest.approx(plain["congee"], rel=0.02)


def test_a_time_of_day_nobody_ordered_at_and_a_history_without_clock_read_as_popular() -> None:
    clocked = in_time(learned_from({"ann": [(0, ["soup", "rice"]), (1, ["soup"])]}))
    silent = in_time(clocked, "")
    night = replace(asks(clocked), now=clocked.last_at + 12 * 3_600)
    for data in (clocked, silent):
        plain, timed = fit(Popular(), data), fit(PopularByDaypart(evidence=1e9 if data is clocked else 1), data)
        assert told(timed, data, night) == pytest.approx(told(plain, data, night), rel=1e-5)


def test_popularity_by_daypart_keeps_to_the_zone() -> None:
    told_orders = {"ann": [(0, ["soup"])], "bob": [(0, ["rice"])]}
    data = in_time(learned_from(told_orders, zones={"ann": "north", "bob": "south"}))
    model = fit(PopularByDaypart(shrink=0.1), data)
    north = asks(data, place=Place(zone=data.zones.to_list().index("north")))
    assert told(model, data, north)["soup"] > 5 * told(model, data, north)["rice"]


def test_orders_of_this_time_count_more_than_orders_of_others() -> None:
    data = in_time(learned_from({"ann": [(0, ["noodles"]), (20 / 24, ["congee"]), (1, ["noodles"])]}))
    asked = asks(data, ["noodles"], ["congee"])
    asked = replace(asked, at=np.array([START.timestamp(), START.timestamp() + 20 * 3_600], np.int64))
    for now, likelier in ((START.timestamp() + 86_400, "noodles"), (START.timestamp() + 44 * 3_600, "congee")):
        said = told(fit(RepeatByDaypart(elsewhen=0.2, decay=1), data), data, replace(asked, now=int(now)))
        assert max(said, key=lambda dish: said[dish]) == likelier
        assert sorted(said.values()) == pytest.approx([1 / 6, 5 / 6], abs=2e-4)


def test_where_every_time_counts_the_same_it_is_repeat() -> None:
    data = in_time(learned_from(random_town(20, 6, seed=1)))
    asked = replace(asks(data, ["d01"], ["d02", "d03"], ["d01"]), now=data.last_at)
    assert told(fit(RepeatByDaypart(elsewhen=1), data), data, asked) == pytest.approx(
        told(fit(Repeat(), data), data, asked), rel=1e-6
    )


@pytest.mark.parametrize("kind", [PopularByDaypart, RepeatByDaypart])
def test_it_scores_the_same_after_the_artifact(kind: type[Any]) -> None:
    data = in_time(learned_from(random_town(30, 8, seed=2)), "Asia/Shanghai")
    model = fit(kind(), data)
    again = kind.from_arrays(model.arrays())
    asked = replace(asks(data, ["d01"], ["d02"]), now=data.last_at + 7_200)
    assert told(again, data, asked) == told(model, data, asked)
