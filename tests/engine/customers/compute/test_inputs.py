"""Values are put in their customers' places, and a window begins right after the day before it ends."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import polars as pl

from engine.customers.compute.inputs import null_for_nan, spread, window_start_s
from engine.customers.config import CustomerConfig, Rfm
from engine.customers.moment import end_of


def test_values_lie_at_their_places_and_null_elsewhere_and_for_nan() -> None:
    assert spread(np.array([1.5, np.nan]), np.array([2, 0]), 4).to_list() == [None, None, 1.5, None]
    assert spread(np.array(["a"]), np.array([1]), 2).to_list() == [None, "a"]
    empty = spread(np.empty(0), np.empty(0, np.int64), 2)
    assert empty.to_list() == [None, None]
    assert empty.dtype == pl.Float64
    assert null_for_nan(np.array([np.nan, 0.0])).to_list() == [None, 0.0]


def test_a_window_of_one_day_is_the_moments_own_calendar_day() -> None:
    moment = end_of(date(2026, 3, 1), "Asia/Shanghai")
    start = window_start_s(moment, CustomerConfig(rfm=Rfm(window_days=1)))
    assert datetime.fromtimestamp(start, UTC) == datetime(2026, 2, 28, 16, 0, 0, tzinfo=UTC)
