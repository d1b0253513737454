"""How quality is asked for and shown: the horizon, the seed, and the tables of an evaluation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli.output import out, print_table
from engine.errors import InputError

HorizonOption = Annotated[
    str, typer.Option("--horizon", help="How much of the newest history judges the models, e.g. 28d or 4w.")
]


SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Equal seed and history give equal models.")]


MOST_DAYS = 3650


SHOWN = {
    "recall": "recall",
    "ndcg": "ndcg",
    "hit": "hit",
    "repeat_recall": "repeat",
    "explore_recall": "explore",
}


LISTS = {"coverage": "coverage", "novelty": "novelty", "gini": "gini", "popularity": "popularity"}


def print_quality(found: Mapping[str, Any], title: str) -> None:
    """Print figures by model, the 95 % interval of the main one, what the lists are like, and paired comparisons."""
    k = found["k"]
    rows, lists = [], []
    for name, figures in found["models"].items():
        low_high = found["intervals"][name][f"ndcg@{k}"]
        shown = f"{(low_high[1] - low_high[0]) / 2:.3f}" if low_high else None
        label = f"{name} *" if name == found["served"] else name
        rows.append([label, *(figures[f"{metric}@{k}"] for metric in SHOWN), shown])
        lists.append([label, *(figures[f"{metric}@{k}"] for metric in LISTS)])
    print_table(
        f"{title}: {found['customers']:,} customers, {found['new']:,} of them new",
        ["model", *SHOWN.values(), "± 95 %"],
        rows,
    )
    out.print(
        f"All at {k}. repeat, explore: recall of dishes ordered before, and of new ones; ± is on ndcg; * is served."
    )
    print_table("What the lists are like", ["model", *LISTS.values()], lists)
    ordered = found["exposure"]["popularity_of_ordered"]
    out.print(
        "coverage: share of dishes shown; novelty: bits of surprise; gini: 0 shows all dishes alike, 1 only one; "
        "popularity: mean percentile of what is shown"
        + (f", where what was ordered has {ordered:.3f}." if ordered is not None else ".")
    )
    for pair in found["comparisons"]:
        if pair["difference"] is not None:
            out.print(f"{pair['ours']} - {pair['model']}: {difference_of(pair)}", markup=False)


def difference_of(pair: Mapping[str, Any]) -> str:
    """Return a paired difference with its interval in words."""
    bounds = pair["interval"]
    return f"{pair['metric']} {pair['difference']:+.4f}" + (
        f", paired 95 % interval {bounds[0]:+.4f} to {bounds[1]:+.4f}" if bounds else ", too few to say how sure"
    )


def days_of(text: str, *, where: str = "--horizon") -> float:
    """Return the days of a span such as 28d or 4w.

    Raises InputError for anything else, or more than ten years.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([dw]?)", text.strip().lower())
    if found is None:
        raise InputError(f"{text!r} is not a span such as 28d or 4w", where=where)
    days = float(found[1]) * (7 if found[2] == "w" else 1)
    if not 0 < days <= MOST_DAYS:
        raise InputError(f"{text!r} is not above 0 and up to {MOST_DAYS}d (ten years)", where=where)
    return days
