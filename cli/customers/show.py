"""How a stored customer table is told in a terminal."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cli.output import (
    err,
    print_facts,
    print_json,
    print_table,
)


def print_stored(facts: dict[str, Any], json: bool) -> None:
    for note in facts["notes"]:
        err.print(f"note: {note}", markup=False)
    if json:
        print_json(facts)
        return
    value, chance = facts["lifetime_value"], facts["return_model"]
    print_facts(
        f"{facts['customers']:,} customers as of {facts['as_of']}",
        {
            "of whom ordered": facts["ordered"],
            "orders": facts["orders"],
            "data": f"{facts['first_order_at']} to {facts['last_order_at']}",
            "BG/NBD model": value["model"] if value else None,
            f"chance of no order in {facts['horizon_days']} days": (
                f"AUC {chance['model']['value']:.3f} (recency alone {chance['recency_alone']['value']:.3f}, expected "
                f"orders alone {chance['expected_orders_alone']['value']:.3f}), Brier {chance['brier']:.3f}"
                if chance
                else "not judged"
            ),
            "typical gap, days": facts["cadence"]["typical_gap_days"],
            "written to": facts.get("out", "the home"),
        },
    )
    if chance:
        print_table(
            f"Reliability on {chance['customers']:,} customers from {chance['tested_from']}",
            ["chance of an order, forecast", "observed", "customers"],
            [[b["forecast"], b["observed"], b["n"]] for b in chance["reliability"]],
        )


def plain_value(value: object) -> object:
    if isinstance(value, list):
        return ", ".join(f"{v:.2f}" if isinstance(v, float) else str(v) for v in value)
    return value.isoformat() if isinstance(value, datetime) else value
