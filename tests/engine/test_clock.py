"""Days and minutes are told on the clock of the one who reads them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.clock import day_text, last_day_text, minute_text, zone_exists

MIDNIGHT_IN_SHANGHAI = datetime(2026, 2, 28, 16, tzinfo=UTC)


def test_a_day_east_of_greenwich_is_the_local_one() -> None:
    assert day_text(MIDNIGHT_IN_SHANGHAI, "Asia/Shanghai") == "2026-03-01"
    assert day_text(MIDNIGHT_IN_SHANGHAI, "America/New_York") == "2026-02-28"


def test_an_end_at_midnight_ends_the_day_before() -> None:
    assert last_day_text(MIDNIGHT_IN_SHANGHAI, "Asia/Shanghai") == "2026-02-28"
    assert last_day_text(datetime(2026, 3, 1, 10, tzinfo=UTC), "UTC") == "2026-03-01"


def test_a_minute_names_its_zone() -> None:
    assert minute_text(MIDNIGHT_IN_SHANGHAI, "Asia/Shanghai") == "2026-03-01 00:00 Asia/Shanghai"


@pytest.mark.parametrize(("name", "known"), [("Asia/Shanghai", True), ("Nowhere/Land", False), ("../etc", False)])
def test_only_zones_of_the_database_exist(name: str, known: bool) -> None:
    assert zone_exists(name) is known
