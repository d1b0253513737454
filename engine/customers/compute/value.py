"""Columns of value in the window (RFM, tiers, A/B/C/D, loyalty) and of cadence and lifecycle."""

from __future__ import annotations

import numpy as np
import polars as pl

from engine.columns import DAY_S, UTC_INSTANT
from engine.customers.behaviour import cadence
from engine.customers.compute.inputs import Columns, Floats, GroupResult, Ints, TableInputs, null_for_nan, spread
from engine.customers.value import rfm, tiers


def value_figures(inputs: TableInputs, _: Columns) -> GroupResult:
    """Return order days, RFM, tiers, A/B/C/D and loyalty."""
    purchases, days, config, n = inputs.purchases, inputs.days, inputs.config, inputs.n
    today, customer, start = inputs.moment.day, purchases.customer, inputs.window_start_s
    inside = purchases.orders["second"].to_numpy() >= start
    cents = purchases.orders["cents"].fill_null(0).to_numpy()
    frequency = np.bincount(customer[inside], minlength=n)
    late = purchases.corrections.filter(pl.col("at").dt.epoch("s") >= start)
    paid = np.bincount(customer[inside], cents[inside], minlength=n).astype(np.float64)
    taken_back = np.bincount(late["customer"].to_numpy(), late["cents"].to_numpy(), minlength=n).astype(np.float64)
    monetary: Floats = (paid + taken_back) / purchases.major
    there = np.flatnonzero(np.diff(days.start))
    last = days.day[days.start[there + 1] - 1]
    recency = today - last
    r, f, m = rfm.rfm_scores(recency, frequency[there], monetary[there])
    margin = inputs.window_margin
    # Where no margin is known at all everyone is ranked by revenue; the two are never compared with each other.
    worth = margin / purchases.major if np.isfinite(margin).any() else monetary
    return GroupResult(
        {
            "order_days": pl.Series(np.diff(days.start)),
            "recency_days": spread(recency, there, n),
            "frequency": pl.Series(frequency),
            "monetary": pl.Series(monetary),
            "r": spread(r, there, n),
            "f": spread(f, there, n),
            "m": spread(m, there, n),
            "rfm_group": spread(rfm.rfm_group_names(r, f, m), there, n),
            "tier": spread(tiers.tier_names(np.nan_to_num(worth[there]), config.tiers), there, n),
            "abcd": spread(tiers.abcd_letters(monetary[there], frequency[there] > 0, config.abcd), there, n),
            "tier_value": spread(worth[there], there, n),
            "repurchase_rate": null_for_nan(tiers.repurchase_rate(days, today, config.loyalty.repurchase_days)),
            "months_active_share": null_for_nan(tiers.months_active_share(days, today)),
        }
    )


def cadence_figures(inputs: TableInputs, _: Columns) -> GroupResult:
    """Return gaps, the instants a silence is judged by, lifecycle, and when the next order is due."""
    purchases, days, config, n = inputs.purchases, inputs.days, inputs.config.cadence, inputs.n
    there = np.flatnonzero(np.diff(days.start))
    last = _last_second(inputs, there)
    population = cadence.fit_population_cadence(days)
    gaps = cadence.gaps_of(days)
    mean, deviation = cadence.posterior_log_gap(population, gaps.n[there], gaps.log_sum[there])
    silences = [cadence.gap_quantile(mean, deviation, share, config)
                for share in (config.slowing, config.likely_lapsed, config.lapsed)]  # fmt: skip
    elapsed = (purchases.moment.at.timestamp() - last) / DAY_S
    age = inputs.moment.day - days.day[days.start[there]]
    won_back = cadence.was_won_back(population, gaps, config)[there]
    states = cadence.lifecycles(elapsed, age, (silences[0], silences[1], silences[2]), won_back, config)
    following = cadence.median_next_gap(mean, deviation, elapsed)
    instants = {
        name: spread(((last + days_later * DAY_S) * 1e6).astype(np.int64), there, n).cast(UTC_INSTANT)
        for name, days_later in zip(
            ("slowing_at", "likely_lapsed_at", "lapsed_at", "next_order_at"), [*silences, following], strict=True
        )
    }
    own = np.divide(gaps.day_sum, gaps.n, out=np.full(n, np.nan), where=gaps.n > 0)
    return GroupResult(
        instants
        | {
            "own_gap_days": null_for_nan(own),
            "cadence_days": spread(np.exp(mean), there, n),
            "lifecycle": spread(states, there, n).fill_null("prospect"),
        }
    )


def _last_second(inputs: TableInputs, there: Ints) -> Ints:
    """Return the second of the latest order of each customer in `there`, all of whom have one."""
    second = inputs.purchases.orders["second"].to_numpy()
    start = np.concatenate(([0], np.cumsum(np.bincount(inputs.purchases.customer, minlength=inputs.n))))
    last: Ints = second[start[there + 1] - 1] if len(there) else np.empty(0, np.int64)
    return last
