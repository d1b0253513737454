"""Instants in the spellings of shops; day and month are told by the whole column, or asked about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from engine.imports.instants import DateOrder, WallClocks, read_clocks
from engine.imports.zones import RAILS, zone_named

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def wall(*parts: int) -> datetime:
    """Return a wall clock, which has no zone."""
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001


def read(*words: str, order: DateOrder | None = None) -> WallClocks:
    return read_clocks(pl.Series(words), NOW, order)


@pytest.mark.parametrize(
    ("word", "local"),
    [
        ("Mar 1, 2026 5:30 PM", wall(2026, 3, 1, 17, 30)),
        ("1 March 2026 12:00 AM", wall(2026, 3, 1)),
        ("01-Mar-2026", wall(2026, 3, 1)),
        ("Sun, 1 Mar 2026 17:30", wall(2026, 3, 1, 17, 30)),
        ("01.03.2026 17:30", wall(2026, 3, 1, 17, 30)),
        ("31/01/26 5:30:10 p.m.", wall(2026, 1, 31, 17, 30, 10)),
        ("12/31/2025 11:59 PM", wall(2025, 12, 31, 23, 59)),
        ("2026年3月1日 17:30", wall(2026, 3, 1, 17, 30)),
        ("2026年3月1日 下午5:30", wall(2026, 3, 1, 17, 30)),
        ("2026年03月01日17时30分", wall(2026, 3, 1, 17, 30)),
        ("45352.73", wall(2024, 3, 1, 17, 31, 12)),
        ("03/03/1999", wall(1999, 3, 3)),
        ("13/07/64", wall(1964, 7, 13)),
    ],
)  # fmt: skip
def test_spellings_of_shops_are_read(word: str, local: datetime) -> None:
    assert read(word).local.to_list() == [local]


@pytest.mark.parametrize(
    ("word", "hours"),
    [("+00", 0), ("Z", 0), (" UTC", 0), (" GMT", 0), (" +0800", 8), ("+08:00", 8), (" GMT+8", 8), ("-05:30", -5.5)],
)
def test_offsets_are_read_in_any_spelling(word: str, hours: float) -> None:
    found = read(f"2026-03-01 12:30{word}")
    assert found.local.to_list() == [wall(2026, 3, 1, 12, 30)]
    assert found.shift.to_list() == [timedelta(hours=hours)]


@pytest.mark.parametrize(
    "word", ["soon", "13/13/2026 x", "2026-02-30", "2026-03-01 25:00", "13:00 PM", "99999", "12345"]
)
def test_what_is_no_instant_is_not_read(word: str) -> None:
    assert read(word).local.to_list() == [None]


def test_day_and_month_that_nothing_tells_apart_are_a_question() -> None:
    assert read("03/04/2026", "05/06/2026").ambiguous.to_list() == [True, True]
    assert read("03/03/2026").ambiguous.to_list() == [False]
    assert read("31/04/2026", "12/31/2026", "03/04/2026").ambiguous.to_list() == [True, True, True]


def test_one_cell_of_the_column_tells_it() -> None:
    assert read("03/04/2026", "31/01/2026").local.to_list() == [wall(2026, 4, 3), wall(2026, 1, 31)]
    assert read("03/04/2026", "01/31/2026").local.to_list() == [wall(2026, 3, 4), wall(2026, 1, 31)]


def test_the_map_tells_it() -> None:
    assert read("03/04/2026", order="day").local.to_list() == [wall(2026, 4, 3)]
    assert read("03/04/2026", order="month").local.to_list() == [wall(2026, 3, 4)]


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Asia/Shanghai", "Asia/Shanghai"),
        ("China Standard Time", "Asia/Shanghai"),
        ("Eastern Standard Time", "America/New_York"),
        ("Eastern Time (US & Canada)", "America/New_York"),
        ("Beijing", "Asia/Shanghai"),
        ("Mars Time (US & Canada)", None),
    ],
)
def test_zones_are_known_by_the_names_of_windows_and_rails(name: str, zone: str | None) -> None:
    assert zone_named(name) == zone


def test_every_zone_of_rails_exists() -> None:
    assert [name for name in RAILS if zone_named(name) is None] == []
