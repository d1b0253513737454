"""Instants as people read them: on the clock of the one who reads."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

INSTANT_STEP = timedelta(microseconds=1)


def zone_exists(name: str) -> bool:
    """Return whether `name` is an IANA time zone that is known here."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def day_text(at: datetime, zone: str) -> str:
    """Return the calendar day of an instant in `zone`, as 2026-03-01."""
    return at.astimezone(ZoneInfo(zone)).date().isoformat()


def last_day_text(until: datetime, zone: str) -> str:
    """Return the last day in `zone` that begins before `until`: an end at midnight ends the day before."""
    return day_text(until - INSTANT_STEP, zone)


def minute_text(at: datetime, zone: str) -> str:
    """Return an instant to the minute on the clock of `zone`, which it names: 2026-03-01 12:30 Asia/Shanghai."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"
