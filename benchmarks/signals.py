"""What are the first taps worth? A stranger's, and those of somebody with orders.

    python -m benchmarks.signals           results in benchmarks/results/signals.md
    python -m benchmarks.signals --quick   ncr_food_orders alone, nothing written

Of each customer's last basket of three dishes or more, one or two are taken as tapped and the rest are looked for among
the ten best others. Dishes of a real basket are better signs than real taps: these are upper bounds. Models and
fixed-weight blend, learned from everything before.
"""

from __future__ import annotations

import argparse
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.quality import DATA, ncr, tafeng
from engine.models.query import Query
from engine.models.registry import default_weights
from engine.models.together import Together
from engine.recommend.options import SignalOptions
from engine.recommend.published.extras import Extras
from engine.recommend.rerank.signals import Signals, moving, stand_in, steer
from engine.recommend.scoring.allowed import Allowed
from engine.recommend.scoring.blend import Blend
from engine.recommend.scoring.scorer import Scorer
from training.data.split import Target, split_last_basket
from training.learn.stack import fit_models

RESULT = Path(__file__).parent / "results" / "signals.md"
MOST, K = 800, 10


def pools(context: Any, scorer: Scorer, signals: Signals) -> list[int]:
    """Return the list as the service makes it."""
    pool = scorer.pool(stand_in(context, signals), context.allowed, size=100)
    if left := moving(context, signals):
        pool = steer(pool, context, left, SignalOptions())
    found: list[int] = pool.columns.tolist()
    return found


def measured(name: str, target_taps: int, targets: list[Target], asking_of: Any, scorer: Scorer) -> list[str]:
    """Return a row each for strangers and for known customers, without and with taps."""
    rng, rows = np.random.default_rng(3), dict[str, list[tuple[float, float]]]()
    for target in targets:
        truth = rng.permutation(target.truth)
        taps, rest = truth[:target_taps], set(truth[target_taps:].tolist())
        told = Signals({int(column): 0.2 * 0.8**age for age, column in enumerate(taps[::-1])})
        stranger = Query.of([], np.empty(0, np.int64), target.query.now, target.query.place)
        for who, query in (("a stranger", stranger), ("with orders", target.query)):
            for what, signals in ((f"none of {target_taps} told", Signals()), (f"{target_taps} tapped", told)):
                shown = [c for c in pools(asking_of(query), scorer, signals) if c not in set(taps.tolist())][:K]
                found = len(set(shown) & rest)
                rows.setdefault(f"{who}, {what}", []).append((found / min(len(rest), K), float(found > 0)))
    return [
        f"| {name}, {key} | {np.mean([r for r, _ in values]):.4f} | {np.mean([h for _, h in values]):.4f} |"
        for key, values in rows.items()
    ]


def main() -> int:
    """Run, print, and write unless --quick."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true")
    quick = options.parse_args().quick
    if not (DATA / "ncr_food_orders").exists():
        print(f"skipped: real data is not here: {DATA / 'ncr_food_orders'}")
        return 0
    out = [
        "# First taps",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, `python -m benchmarks.signals`, {platform.machine()}, "
        f"Python {platform.python_version()}, numpy {np.__version__}",
        "",
        "The rest of a basket looked for after one or two of its dishes were tapped: an upper bound of what taps tell.",
        "",
        "| | recall@10 | hit@10 |",
        "|---|---:|---:|",
    ]
    for name, works in (("ncr", ncr),) if quick else (("ncr", ncr), ("tafeng", tafeng)):
        split = split_last_basket(next(iter(works())).data)
        models = fit_models(split.past, now=split.at, seed=0, report=lambda _: None)
        scorer = Scorer(models, Blend(default_weights()), None)
        published = SimpleNamespace(models=models, extras=Extras(Together().fit(split.past)))
        allowed = Allowed(np.ones(split.past.n_items, dtype=bool), None, np.empty(0, np.int32))
        long = [target for target in split.targets if len(target.truth) >= 3]
        drawn = np.random.default_rng(3).choice(len(long), min(MOST, len(long)), replace=False)

        def asking_of(query: Query, published: Any = published, allowed: Allowed = allowed) -> Any:
            return SimpleNamespace(query=query, published=published, allowed=allowed, request=SimpleNamespace(limit=K))

        for taps in (1, 2):
            out += measured(name, taps, [long[i] for i in np.sort(drawn)], asking_of, scorer)
    text = "\n".join(out) + "\n"
    print(text)
    if not quick:
        RESULT.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
