"""When a customer orders a dish, and that nothing is said of it that is not so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.history.dayparts import Dayparts
from engine.recommend.explain.dish_habits import habit, shifts_of
from tests.present import there

SHANGHAI = ZoneInfo("Asia/Shanghai")
FRIDAY = datetime(2025, 3, 7, 12, 30, tzinfo=SHANGHAI)


def said(*days: float, now: int = 21, hour: int = 12, language: str = "en") -> tuple[str, str] | None:
    instants = np.array([int((FRIDAY + timedelta(days=day)).timestamp()) for day in days], np.int64)
    here = (FRIDAY + timedelta(days=now)).replace(hour=hour)
    found = habit(instants, int(here.timestamp()), SHANGHAI, language)
    return None if found is None else (found.code, found.text)


def test_every_friday_is_most_fridays() -> None:
    assert said(0, 7, 14) == ("most_weekdays", "You order this most Fridays")
    assert said(0, 7, 14, language="zh") == ("most_weekdays", "您几乎每个周五都点这个")


def test_some_fridays_of_many_are_not_most_of_them() -> None:
    assert said(0, 35, 70, now=98) == ("mostly_weekday", "You mostly order this on Fridays")
    assert there(said(0, 35, 70, now=98, language="zh"))[1] == "您常在周五点这个"


def test_two_orders_are_no_habit_and_neither_are_three_on_one_day() -> None:
    assert said(0, 7, now=14) is None
    assert said(0, 0.01, 0.02, now=7) is None


def test_below_sixty_percent_the_weekday_is_no_habit() -> None:
    # Three Fridays of six orders, the others on other weekdays at other hours.
    assert said(0, 7, 14, 1.4, 2.4, 3.4, now=21) is None


def test_a_weekday_is_told_on_that_weekday_alone_and_else_the_time_of_day() -> None:
    assert said(0, 7, 14, now=15) == ("usual_daypart", "You usually order this at lunch")
    assert said(0, 7, 14, now=15, hour=20) is None


def test_the_day_is_hers_and_not_the_servers() -> None:
    # Half past midnight on Saturday in Shanghai is still Friday in UTC.
    saturday = np.array([int((FRIDAY + timedelta(days=7 * n, hours=12)).timestamp()) for n in range(3)])
    now = int((FRIDAY + timedelta(days=21, hours=12)).timestamp())
    assert there(habit(saturday, now, SHANGHAI, "en")).text == "You order this most Saturdays"
    assert there(habit(saturday, now, ZoneInfo("UTC"), "en")).text == "You order this most Fridays"


@pytest.mark.parametrize(
    ("hour", "part"), [(4, "late"), (5, "breakfast"), (11, "lunch"), (14, "afternoon"), (17, "dinner"), (22, "late")]
)
def test_dayparts_are_those_of_the_customer_table(hour: int, part: str) -> None:
    assert Dayparts().at(hour) == part


@given(st.lists(st.integers(0, 400), max_size=12), st.integers(0, 500), st.integers(0, 23))
def test_a_weekday_is_only_claimed_with_three_days_and_sixty_percent(days: list[int], later: int, hour: int) -> None:
    days = sorted(days)
    now = max([*days, 0]) + later
    found = said(*days, now=now, hour=hour)
    weekday = (FRIDAY + timedelta(days=now)).weekday()
    same = [day for day in days if (FRIDAY + timedelta(days=day)).weekday() == weekday]
    if found is not None and found[0] != "usual_daypart":
        assert len(set(same)) >= 3
        assert len(same) >= 0.6 * len(days)
    if found is not None and found[0] == "most_weekdays":
        assert 2 * len(set(same)) >= (now - min(same)) // 7 + 1


CLOCKS = ["Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]


@given(st.sampled_from(CLOCKS), st.integers(0, 2_000_000_000), st.integers(0, 40_000_000))
def test_a_clock_shows_what_its_zone_says(name: str, first: int, later: int) -> None:
    clock = ZoneInfo(name)
    shifts = shifts_of(clock, first, first + later)
    for at in (first, first + later // 2, first + later):
        shown = datetime.fromtimestamp(at, clock)
        assert shifts.local(at) == int(shown.replace(tzinfo=UTC).timestamp())
