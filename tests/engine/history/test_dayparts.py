"""The parts of a day: every hour belongs to one, and the last runs past midnight."""

from __future__ import annotations

import pytest

from engine.history.dayparts import HOURS, Dayparts


@pytest.mark.parametrize(
    ("hour", "name"),
    [(5, "breakfast"), (10, "breakfast"), (11, "lunch"), (14, "afternoon"), (17, "dinner"), (22, "late"), (4, "late")],
)
def test_an_hour_lies_in_the_daypart_that_began_last(hour: int, name: str) -> None:
    assert Dayparts().at(hour) == name


def test_numbers_of_hours_agree_with_names() -> None:
    dayparts = Dayparts(breakfast=7, lunch=10, afternoon=16, dinner=19, late=23)
    numbers = dayparts.part_of_hour()
    assert len(numbers) == HOURS
    assert [Dayparts.names()[number] for number in numbers] == [dayparts.at(hour) for hour in range(HOURS)]


def test_starts_rebuild_the_dayparts() -> None:
    dayparts = Dayparts(breakfast=6, lunch=12)
    assert Dayparts(**dayparts.starts()) == dayparts
