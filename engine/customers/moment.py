"""As of when: one instant, the calendar day it falls on, and the zone that cuts days."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from engine.errors import BadRequest

EPOCH = date(1970, 1, 1)
WHOLE_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known at `at` (UTC): orders placed at or before it; days are cut in `zone`."""

    at: datetime
    zone: str

    @property
    def day(self) -> int:
        """The calendar day in `zone`, as days since 1970-01-01."""
        return (self.at.astimezone(ZoneInfo(self.zone)).date() - EPOCH).days

    @property
    def date(self) -> date:
        """The calendar day in `zone`."""
        return EPOCH + timedelta(days=self.day)

    def back(self, days: int) -> Moment:
        """Return the end of the day `days` before this one."""
        return end_of(self.date - timedelta(days=days), self.zone)


def end_of(day: date, zone: str) -> Moment:
    """Return the last microsecond of `day` in `zone`, so that all its orders count and its date is the moment's."""
    following = datetime.combine(day + timedelta(days=1), datetime.min.time(), ZoneInfo(zone))
    return Moment(following.astimezone(UTC) - timedelta(microseconds=1), zone)


def read_moment(text: str, zone: str, *, where: str = "--as-of") -> Moment:
    """Read a date (its whole day counts) or an instant (inclusive; without offset it is local to `zone`).

    Raises BadRequest when it is neither.
    """
    try:
        if WHOLE_DATE.fullmatch(text.strip()):
            return end_of(date.fromisoformat(text.strip()), zone)
        instant = datetime.fromisoformat(text.strip())
        local = instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(zone))
        return Moment(local.astimezone(UTC), zone)
    except (ValueError, OverflowError) as error:
        raise BadRequest(
            f"{text!r} is neither a date such as 2026-03-01 nor an instant such as 2026-03-01T12:00:00Z", where=where
        ) from error


def local_time(column: str, zone: str) -> pl.Expr:
    """Return the UTC instants of `column` as wall-clock time in `zone`, without a zone."""
    return pl.col(column).dt.convert_time_zone(zone).dt.replace_time_zone(None)
