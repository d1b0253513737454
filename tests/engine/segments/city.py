"""The simulated city in a home, built once per run: what segments are tried on."""

from __future__ import annotations

import atexit
import shutil
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import polars as pl

from demo.city import City, simulate
from engine.columns import SEALED
from engine.customers.store import build_customer_table
from engine.files.encryption import seal_of
from engine.history.opening import open_history
from engine.history.tables import upsert_table
from engine.settings import Settings

UNTIL = datetime(2026, 3, 1, tzinfo=UTC)
# The end of the city's last whole day, which is what no --as-of means.
AS_OF = datetime(2026, 2, 28, 16, tzinfo=UTC) - timedelta(microseconds=1)
ENV = {"REGULARS_TIMEZONE": "Asia/Shanghai", "REGULARS_CURRENCY": "CNY"}


@cache
def city() -> City:
    return simulate(2000, seed=7, until=UNTIL)


@cache
def city_home() -> Path:
    """A home that holds the city and its customer table; copy it to write to it."""
    home = Path(mkdtemp(prefix="regulars-city-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    settings = Settings.from_environment(ENV, home=home)
    open_history(settings).append(city().orders, city().lines)
    seal = seal_of(settings)
    sealed = [
        pl.Series(name, [None if value is None else seal.seal(value) for value in city().customers[name]], pl.String)
        for name in SEALED
    ]
    upsert_table(settings, "customers", city().customers.with_columns(sealed))
    for name in ("items", "vendors", "offers"):
        upsert_table(settings, name, getattr(city(), name))
    build_customer_table(settings, now=UNTIL + timedelta(days=1))
    return home
