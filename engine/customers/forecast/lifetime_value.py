"""What a customer will order and be worth: fit the models, choose between them, forecast any horizon."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from engine.customers.behaviour.purchases import OrderDays
from engine.customers.config import LifetimeValue
from engine.customers.forecast import bg_nbd, gamma_gamma
from engine.customers.forecast.bg_nbd import BgNbd, BgNbdVariant, Summaries
from engine.customers.forecast.gamma_gamma import GammaGamma
from engine.errors import NoHistory

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RecencyFrequency:
    """What the models need of every customer who ordered by `day`; `customer` is their place among all.

    `x` repeats, `tx_days` from first to last order day, `t_days` from the first to `day`; `valued` of the repeats have
    a known value, whose mean is `mean_value` (major units, NaN where none).
    """

    day: int
    customer: Ints
    x: Ints
    tx_days: Ints
    t_days: Ints
    valued: Ints
    mean_value: Floats


@dataclass(frozen=True, slots=True)
class Backtest:
    """Forecast against outcome of the newest `days` of history, over `customers` known before.

    `mae` is the mean absolute error per customer, `mae_same_rate` that of "orders go on as often as before".
    """

    days: int
    customers: int
    forecast: float
    actual: int
    mae: float
    mae_same_rate: float


@dataclass(frozen=True, slots=True)
class LifetimeModel:
    """The chosen model of order counts and that of order value.

    `held_out` is each variant's log likelihood per customer of the newest stretch given the older, empty where the
    configuration names the variant. `gamma_gamma` is None where too few amounts are known. `backtest` compares the
    forecast of the newest stretch, fitted on the older one, with its outcome.
    """

    bg_nbd: BgNbd
    gamma_gamma: GammaGamma | None
    held_out: dict[str, float]
    customers: int
    backtest: Backtest | None = None
    note: str | None = None

    def as_json(self) -> dict[str, object]:
        """Return the stable form scripts read; time in weeks, v in major units.

        What the choice rested on, and a note, are there only where there is one.
        """
        value = self.gamma_gamma
        stable: dict[str, object] = {
            "model": self.bg_nbd.model,
            "parameters": {name: getattr(self.bg_nbd, name) for name in ("r", "alpha", "a", "b")},
            "gamma_gamma": None if value is None else {"p": value.p, "q": value.q, "v": value.v},
            "log_likelihood": self.bg_nbd.log_likelihood,
            "customers": self.customers,
        }
        if self.held_out:
            stable["held_out_log_likelihood"] = self.held_out
        if self.backtest is not None:
            stable["calibration"] = asdict(self.backtest)
        return stable | ({"note": self.note} if self.note else {})


@dataclass(frozen=True, slots=True)
class LifetimeForecast:
    """For each horizon in days, expected orders and revenue (major units); chance of none; value of an order day.

    All align with `Recency.customer`; `revenue` and `order_value` are NaN where no amounts are known.
    """

    orders: dict[int, Floats]
    revenue: dict[int, Floats]
    silent: dict[int, Floats]
    order_value: Floats
    alive: Floats


def recency_frequency_at(days: OrderDays, day: int) -> RecencyFrequency:
    """Return what the models need, as known at the end of `day`."""
    known = days.until(day) if len(days.day) and days.day.max() > day else days
    n = np.diff(known.start)
    customer = np.flatnonzero(n > 0)
    first, last = known.start[customer], known.start[customer + 1] - 1
    x = n[customer] - 1
    counted = np.isfinite(known.value)
    counted[first] = False
    valued = np.bincount(known.customer, counted, minlength=known.n)[customer].astype(np.int64)
    total = np.bincount(known.customer, np.where(counted, known.value, 0.0), minlength=known.n)[customer]
    mean = np.divide(total, valued, out=np.full(len(customer), np.nan), where=valued > 0)
    return RecencyFrequency(
        day, customer, x, known.day[last] - known.day[first], day - known.day[first], valued, mean
    )  # fmt: skip


def fit_lifetime_model(days: OrderDays, day: int, config: LifetimeValue) -> LifetimeModel:
    """Fit on everything known at `day`; `auto` chooses the model by the likelihood of the newest stretch.

    Raises NoHistory where too few customers, or none who came back, leave nothing to fit.
    """
    now = recency_frequency_at(days, day)
    summaries, _ = bg_nbd.summarise(now.x, now.tx_days, now.t_days)
    held_out: dict[str, float] = {}
    note: str | None = None
    name: BgNbdVariant = "mbg_nbd" if config.model == "mbg_nbd" else "bg_nbd"
    tested = None
    if config.model == "auto":
        held_out, tested, note = _compare_variants(days, day, config)
        name = max(bg_nbd.BG_NBD_VARIANTS, key=lambda each: held_out[each]) if held_out else name
    model = bg_nbd.fit_bg_nbd(name, summaries)
    try:
        value = gamma_gamma.fit_gamma_gamma(now.valued, now.mean_value)
    except NoHistory as error:
        value, note = None, error.message
    return LifetimeModel(model, value, held_out, len(now.customer), tested, note)


def forecast_lifetime(model: LifetimeModel, now: RecencyFrequency, horizons: Sequence[int]) -> LifetimeForecast:
    """Return what to expect of everybody in `now` over each of `horizons` days."""
    data, which = bg_nbd.summarise(now.x, now.tx_days, now.t_days)
    each: Callable[[Floats], Floats] = lambda values: values[which]  # noqa: E731 - distinct summaries back to customers
    orders = {h: each(bg_nbd.expected_orders(model.bg_nbd, data, h)) for h in horizons}
    silent = {h: each(bg_nbd.p_no_order(model.bg_nbd, data, h)) for h in horizons}
    if model.gamma_gamma is None:
        worth = np.full(len(now.customer), np.nan)
    else:
        worth = gamma_gamma.expected_order_value(model.gamma_gamma, now.valued, now.mean_value)
    revenue = {h: orders[h] * worth for h in horizons}
    return LifetimeForecast(orders, revenue, silent, worth, each(bg_nbd.p_alive(model.bg_nbd, data)))


def held_out_log_likelihood(model: BgNbd, before: RecencyFrequency, after: RecencyFrequency) -> float:
    """Return the mean log likelihood, per customer of `before`, of what they did between the two days.

    It is exact: the likelihood of all orders, divided by that of those before.
    """
    same = np.isin(after.customer, before.customer, assume_unique=True)
    later = _log_likelihoods(model, after)[same]
    return float((later - _log_likelihoods(model, before)).mean())


def _log_likelihoods(model: BgNbd, known: RecencyFrequency) -> Floats:
    data, which = bg_nbd.summarise(known.x, known.tx_days, known.t_days)
    return bg_nbd.bg_nbd_log_likelihoods(model, data)[which]


def backtest(model: BgNbd, before: RecencyFrequency, after: RecencyFrequency, n: int) -> Backtest:
    """Compare the model's forecast at `before` with what happened until `after`; `n` counts all customers."""
    horizon = after.day - before.day
    data, which = bg_nbd.summarise(before.x, before.tx_days, before.t_days)
    expected = bg_nbd.expected_orders(model, data, horizon)[which]
    counts = np.zeros((2, n), np.int64)
    counts[0, before.customer], counts[1, after.customer] = before.x + 1, after.x + 1
    actual = (counts[1] - counts[0])[before.customer]
    same_rate = before.x / np.maximum(before.t_days, 1) * horizon
    return Backtest(
        horizon,
        len(actual),
        float(expected.sum()),
        int(actual.sum()),
        float(np.abs(expected - actual).mean()),
        float(np.abs(same_rate - actual).mean()),
    )


def _compare_variants(
    days: OrderDays, day: int, config: LifetimeValue
) -> tuple[dict[str, float], Backtest | None, str | None]:
    """Fit both models on the older part of history and return how likely each makes the newer part."""
    if not len(days.day):
        return {}, None, None
    cut = day - round((day - int(days.day.min())) * config.holdout_share)
    before, after = recency_frequency_at(days, cut), recency_frequency_at(days, day)
    summaries: Summaries = bg_nbd.summarise(before.x, before.tx_days, before.t_days)[0]
    try:
        fitted = {name: bg_nbd.fit_bg_nbd(name, summaries) for name in bg_nbd.BG_NBD_VARIANTS}
    except NoHistory:
        return {}, None, "too little history to hold any back: bg_nbd by default"
    held_out = {str(name): held_out_log_likelihood(model, before, after) for name, model in fitted.items()}
    best = max(bg_nbd.BG_NBD_VARIANTS, key=lambda each: held_out[each])
    return held_out, backtest(fitted[best], before, after, days.n), None
