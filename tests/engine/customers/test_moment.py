"""A date counts whole, an instant counts itself, and days are cut where the company's clocks say."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from engine.columns import UTC_INSTANT
from engine.customers.moment import EPOCH, end_of, local_time, read_moment
from engine.errors import BadRequest


def test_a_whole_date_ends_with_its_last_microsecond_in_the_zone() -> None:
    moment = read_moment("1997-09-30", "UTC")
    assert moment.at == datetime(1997, 9, 30, 23, 59, 59, 999_999, tzinfo=UTC)
    assert moment.date == date(1997, 9, 30)
    assert moment.day - (date(1997, 1, 1) - EPOCH).days == 272
    shanghai = read_moment("2026-03-01", "Asia/Shanghai")
    assert shanghai.at == datetime(2026, 3, 1, 15, 59, 59, 999_999, tzinfo=UTC)
    assert shanghai.date == date(2026, 3, 1)


def test_an_instant_counts_itself_and_without_an_offset_it_is_local() -> None:
    assert read_moment("2026-03-01T12:00:00Z", "Asia/Shanghai").at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert read_moment("2026-03-01T12:00", "Asia/Shanghai").at == datetime(2026, 3, 1, 4, tzinfo=UTC)
    assert read_moment("2026-03-01T20:00Z", "Asia/Shanghai").date == date(2026, 3, 2)


def test_days_of_23_and_25_hours_end_where_the_next_begins() -> None:
    spring, autumn = (end_of(date(2026, month, day), "Europe/London") for month, day in ((3, 29), (10, 25)))
    assert (spring.at - end_of(date(2026, 3, 28), "Europe/London").at).total_seconds() == 23 * 3600
    assert (autumn.at - end_of(date(2026, 10, 24), "Europe/London").at).total_seconds() == 25 * 3600
    assert autumn.back(1) == end_of(date(2026, 10, 24), "Europe/London")


def test_wall_clocks_follow_the_zone() -> None:
    at = pl.Series([datetime(2026, 7, 1, 20, tzinfo=UTC)]).cast(UTC_INSTANT).alias("at").to_frame()
    assert at.select(local_time("at", "Asia/Kolkata")).item() == datetime(2026, 7, 2, 1, 30)  # noqa: DTZ001


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-02-30", "20260301T", "9999-12-31T99"])
def test_what_is_no_moment_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadRequest, match=r"--as-of: .*neither a date"):
        read_moment(text, "UTC")
