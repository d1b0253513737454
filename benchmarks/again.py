"""In which order should "buy again" stand: by how often, how recently, how due, or as the models say?

    python -m benchmarks.again           results in benchmarks/results/again.md
    python -m benchmarks.again --quick   ncr_food_orders alone, nothing written

The last basket of customers with three earlier ones or more is held out; candidates are the dishes they had ordered,
and counted are baskets that hold one of them again. Models and fixed-weight blend, learned from everything before.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.quality import DATA, ncr, tafeng
from engine.models.query import Query
from engine.models.registry import default_weights
from engine.recommend.scoring.allowed import Allowed
from engine.recommend.scoring.blend import Blend
from engine.recommend.scoring.scorer import Scorer
from training.data.split import split_last_basket
from training.learn.stack import fit_models

RESULT = Path(__file__).parent / "results" / "again.md"
MOST, LEAST_BASKETS = 1_500, 3
Orders = npt.NDArray[np.int64]


def rules(query: Query) -> dict[str, Callable[[Orders], float]]:
    """Return what is compared, by name: each scores a dish from the numbers of their baskets with it."""
    n, now, at = len(query.at), query.now, query.at
    usual = max(float(at[-1] - at[0]) / max(n - 1, 1), 1.0)

    def since(orders: Orders) -> float:
        return float(now - at[orders[-1]])

    def decayed(orders: Orders) -> float:
        return float((0.5 ** ((n - orders) / 10)).sum())

    def due(orders: Orders) -> float:
        """Return how many of their own gaps have passed; a gap seldom seen is shrunk to their pace over all."""
        spread, count = float(at[orders[-1]] - at[orders[0]]), len(orders)
        return since(orders) / ((spread + 2 * usual * n / count) / (count + 1))

    def timely(orders: Orders) -> float:
        passed = due(orders)
        return 0.5 + 0.5 * passed if passed < 1 else 1.0 if passed < 3 else 3 / passed

    return {
        "most often, then newest": lambda orders: len(orders) - since(orders) * 1e-9,
        "newest, then most often": lambda orders: -since(orders) + len(orders) * 1e-3,
        "most often, halved every 10 orders": decayed,
        "that times how due": lambda orders: decayed(orders) * timely(orders),
    }


def main() -> int:
    """Run, print, and write unless --quick."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true")
    quick = options.parse_args().quick
    if not (DATA / "ncr_food_orders").exists():
        print(f"skipped: real data is not here: {DATA / 'ncr_food_orders'}")
        return 0
    out = [
        "# Buy again",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, `python -m benchmarks.again`, {platform.machine()}, "
        f"Python {platform.python_version()}, numpy {np.__version__}",
    ]
    for name, works in (("ncr", ncr),) if quick else (("ncr", ncr), ("tafeng", tafeng)):
        split = split_last_basket(next(iter(works())).data)
        scorer = Scorer(
            fit_models(split.past, now=split.at, seed=0, report=lambda _: None), Blend(default_weights()), None
        )
        everything = np.ones(split.past.n_items, dtype=bool)
        asked = [t for t in split.targets if len(t.query.at) >= LEAST_BASKETS and np.isin(t.truth, t.query.items).any()]
        drawn = np.sort(np.random.default_rng(3).choice(len(asked), min(MOST, len(asked)), replace=False))
        found: dict[str, list[tuple[float, float, float]]] = {}
        for target in (asked[i] for i in drawn):
            query, own = target.query, np.unique(target.query.items).astype(np.int32)
            basket = np.repeat(np.arange(len(query.at)), np.diff(query.start))
            orders = {column: basket[query.items == column] for column in own.tolist()}
            lists = {
                rule: sorted(orders, key=lambda column, score=score: -score(orders[column]))  # type: ignore[misc]
                for rule, score in rules(query).items()
            }
            only = Allowed(everything, own, np.empty(0, np.int32))
            lists["the models' blend (served)"] = scorer.pool(query, only, size=len(own)).columns.tolist()
            again = set(target.truth.tolist()) & set(own.tolist())
            for rule, shown in lists.items():
                first = min(shown.index(column) for column in again)
                hits = len(again & set(shown[:5])) / len(again)
                found.setdefault(rule, []).append((float(first == 0), hits, 1 / (first + 1)))
        out += ["", f"## {name}: {len(drawn):,} customers", "", "| | hit@1 | recall@5 | mrr |", "|---|---:|---:|---:|"]
        for rule, figures in found.items():
            hit, recall, mrr = np.mean(figures, axis=0)
            out.append(f"| {rule} | {hit:.4f} | {recall:.4f} | {mrr:.4f} |")
    text = "\n".join(out) + "\n"
    print(text)
    if not quick:
        RESULT.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
