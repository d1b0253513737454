"""Why a customer is in each group: one sentence per group, from their row and the table's manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from engine.clock import day_text
from engine.customers.config import CustomerConfig

CustomerRow = Mapping[str, Any]


def explain_groups(
    row: CustomerRow, table: pl.DataFrame, facts: Mapping[str, Any], config: CustomerConfig
) -> dict[str, str]:
    """Return a sentence for each group the customer is in; `table` has everyone's `orders`, `tier_value`."""
    zone = str(facts["timezone"])
    if row["orders"] == 0:
        found = {"lifecycle": "prospect: no delivered order by then"}
        if row["prospect_rank"] is not None:
            found["prospect_rank"] = (
                f"{row['prospect_rank']} of {int((table['orders'] == 0).sum())} prospects, by likeness to the best"
            )
        return found
    found = {
        "rfm_group": _rfm(row, facts, config),
        "tier": _tier(row, table, config),
        "abcd": _abcd(row, config),
        "lifecycle": _lifecycle(row, config, zone),
    }
    if row["p_no_order"] is not None:
        found["p_no_order"] = _chance(row, facts)
    if row["unhappy_at"] is not None:
        valuable = "and worth much" if row["unhappy_valuable"] else "but not lately, or not among the most valuable"
        found["unhappy_valuable"] = (
            f"made unhappy on {day_text(row['unhappy_at'], zone)} (complaint, low rating or answer, or refund), "
            f"{valuable}"
        )
    if row["natural_group"] is not None:
        found["natural_group"] = f"nearest to the group “{row['natural_group']}”"
    return found


def _rfm(row: CustomerRow, facts: Mapping[str, Any], config: CustomerConfig) -> str:
    if row["frequency"] == 0:
        return f"{row['rfm_group']}: no order in the newest {config.rfm.window_days} days, so r, f and m are 1"
    cuts = facts["cut_points"]
    parts = (
        f"r {row['r']} (last order {row['recency_days']} days ago; fifths end at "
        f"{_list(sorted(-cut for cut in cuts['recency_days']))})",
        f"f {row['f']} ({row['frequency']} orders; fifths end at {_list(cuts['frequency'])})",
        f"m {row['m']} ({row['monetary']:.2f}; fifths end at {_list(cuts['monetary'])})",
    )
    return f"{row['rfm_group']}: " + ", ".join(parts)


def _tier(row: CustomerRow, table: pl.DataFrame, config: CustomerConfig) -> str:
    value = row["tier_value"]
    if value is None or value <= 0:
        return f"{row['tier']}: no margin in the newest {config.rfm.window_days} days"
    ordered = table.filter(pl.col("orders") > 0)["tier_value"]
    above = int((ordered > value).sum())
    return f"{row['tier']}: {above:,} of {len(ordered):,} customers bring more than this one's {value:.2f}"


def _abcd(row: CustomerRow, config: CustomerConfig) -> str:
    meaning = {
        "A": f"among those who together make up the first {config.abcd.a:.0%} of revenue",
        "B": f"among those who make up the next {config.abcd.b:.0%} of revenue",
        "C": "among those who make up the last of revenue",
        "D": f"no order in the newest {config.rfm.window_days} days",
    }
    return f"{row['abcd']}: {meaning[row['abcd']]}"


def _lifecycle(row: CustomerRow, config: CustomerConfig, zone: str) -> str:
    last = f"last order {day_text(row['last_order_at'], zone)}"
    dates = (
        f"slowing from {day_text(row['slowing_at'], zone)}, "
        f"likely lapsed from {day_text(row['likely_lapsed_at'], zone)}, lapsed from {day_text(row['lapsed_at'], zone)}"
    )
    own = (
        "no gap of their own yet" if row["own_gap_days"] is None else f"own gaps {row['own_gap_days']:.1f} days on mean"
    )
    if row["lifecycle"] == "new":
        return f"new: first order {day_text(row['first_order_at'], zone)}, less than {config.cadence.new_days} days ago"
    back = ", which ended a lapse" if row["lifecycle"] == "won_back" else ""
    return f"{row['lifecycle']}: {last}{back}; {dates} ({own}, typical {row['cadence_days']:.1f})"


def _chance(row: CustomerRow, facts: Mapping[str, Any]) -> str:
    judged = facts.get("return_model")
    trust = f"AUC {judged['model']['value']:.3f} on days from {judged['tested_from']}" if judged else "not judged yet"
    return f"{row['p_no_order']:.0%} chance of no order in {facts['horizon_days']} days ({trust})"


def _list(values: list[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
