"""What the groups of columns are computed from, and what each returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.customers.behaviour.purchases import OrderDays, Purchases
from engine.customers.behaviour.satisfaction import FEEDBACK
from engine.customers.config import CustomerConfig
from engine.customers.moment import Moment

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Columns = dict[str, pl.Series]


@dataclass(frozen=True, slots=True)
class TableSources:
    """What the table is built from, as history and tables hold it."""

    orders: pl.LazyFrame
    lines: pl.LazyFrame
    customers: pl.DataFrame
    items: pl.DataFrame
    vendors: pl.DataFrame
    feedback: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FEEDBACK))


@dataclass(frozen=True, slots=True)
class TableInputs:
    """Everyone known at a moment, in the order of `purchases.ids`, and what an operator chose.

    `days` has the order days; `margin` and `window_margin` what the dishes of each customer earned less discounts, ever
    and in the window, in minor units, NaN where unknown. Forecasts look `horizon_days` ahead.
    """

    sources: TableSources
    purchases: Purchases
    days: OrderDays
    margin: Floats
    window_margin: Floats
    config: CustomerConfig
    horizon_days: int
    seed: int = 0

    @property
    def n(self) -> int:
        """How many customers, those without an order included."""
        return self.purchases.n

    @property
    def moment(self) -> Moment:
        """The instant the table is as of."""
        return self.purchases.moment

    @property
    def window_start_s(self) -> int:
        """The first second (UTC, since 1970) of the window that frequency, monetary and tiers look at."""
        return window_start_s(self.moment, self.config)


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The columns of a group, one value per customer, and what the table's manifest reports of them."""

    columns: Columns
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FigureGroup:
    """Columns computed together; `compute` gets the columns of all earlier groups, `stage` is what progress shows."""

    stage: str
    compute: Callable[[TableInputs, Columns], GroupResult]


def window_start_s(moment: Moment, config: CustomerConfig) -> int:
    """Return the first second (UTC, since 1970) of the newest `window_days` before `moment`."""
    return int(moment.back(config.rfm.window_days).at.timestamp()) + 1


def null_for_nan(values: npt.NDArray[Any]) -> pl.Series:
    """Return floats with null for NaN."""
    return pl.Series(values).fill_nan(None)


def spread(values: npt.NDArray[Any], where: Ints, n: int) -> pl.Series:
    """Return `n` values: `values` at places `where`, null elsewhere and for NaN."""
    found = pl.Series(values)
    found = found.fill_nan(None) if found.dtype.is_float() else found
    place = np.full(n, -1, np.int64)
    place[where] = np.arange(len(where))
    index = pl.Series(place)
    return found.gather(index.set(index < 0, None)) if len(found) else pl.Series([None] * n, dtype=found.dtype)
