"""Does the add-on list complete a basket better than what is popular, and than counting pairs?

    python -m benchmarks.addons            results in benchmarks/results/addons.md
    python -m benchmarks.addons --quick    indian_takeaway alone, nothing written

One dish of each held-out basket of two or more is hidden; every dish not in the rest of the basket is a candidate.
Learning sees only what lies before: the first 80 % of orders by time (indian_takeaway, which has no customers), or
everything but each customer's last basket (ncr_food_orders, tafeng), where their own baskets count too.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from benchmarks.quality import DATA, frames, ncr, tafeng
from engine.models.baskets import Baskets
from engine.models.together import Together
from engine.recommend.lists.addons import OWN_SHRINK, OWN_WEIGHT
from training.data.split import split_last_basket

RESULT = Path(__file__).parent / "results" / "addons.md"
MOST_ASKED = 4_000
Scores = npt.NDArray[np.number]
Scorer = Callable[["Case"], Scores]


@dataclass(frozen=True)
class Case:
    """One question: the rest of a basket, the hidden dish, and their earlier baskets."""

    cart: npt.NDArray[np.int32]
    hidden: int
    before: tuple[npt.NDArray[np.int32], ...]


def takeaway() -> tuple[str, Baskets, list[Case]]:
    """Return the first 80 % of orders of one takeaway, and a case for each later basket."""
    lines = pl.read_parquet(DATA / "indian_takeaway" / "order_lines.parquet")
    data = frames(
        lines.select(
            pl.col("order_id").cast(pl.String),
            customer_id=pl.col("order_id").cast(pl.String),
            ordered_at=pl.col("ordered_at").dt.replace_time_zone("UTC"),
            item_id="item_name",
        )
    )
    from training.data.matrices import keep_baskets  # noqa: PLC0415 - only here

    cut = np.sort(data.baskets.at)[int(data.baskets.n_baskets * 0.8)]
    later = np.flatnonzero(data.baskets.at >= cut)
    start = data.baskets.basket_start
    held = [data.baskets.items[start[i] : start[i + 1]] for i in later.tolist()]
    return "indian_takeaway", keep_baskets(data.baskets, data.baskets.at < cut), cases(held, [()] * len(held))


def of_customers() -> Iterator[tuple[str, Baskets, list[Case]]]:
    """Yield real customers' histories and a case for each one's last basket."""
    for name, works in (("ncr_food_orders", ncr), ("tafeng", tafeng)):
        data = next(iter(works())).data
        split = split_last_basket(data)
        yield (
            name,
            split.past,
            cases([t.truth for t in split.targets], [t.query.baskets for t in split.targets]),
        )


def cases(held: list[npt.NDArray[np.int32]], before: list[tuple[npt.NDArray[np.int32], ...]]) -> list[Case]:
    """Hide one dish of each basket, drawn by a fixed seed."""
    rng = np.random.default_rng(7)
    found = []
    for basket, own in zip(held, before, strict=True):
        if len(basket) >= 2:
            out = int(rng.integers(len(basket)))
            found.append(Case(np.delete(basket, out).astype(np.int32), int(basket[out]), own))
    if len(found) > MOST_ASKED:
        found = [found[i] for i in np.sort(rng.choice(len(found), MOST_ASKED, replace=False))]
    return found


def scorers(baskets: Baskets) -> dict[str, Scorer]:
    """Return what is compared, by name."""
    holds = sparse.csr_array(
        (np.ones(len(baskets.items), np.float32), baskets.items, baskets.basket_start),
        shape=(baskets.n_baskets, baskets.n_items),
    )
    counts: Scores = np.asarray(holds.sum(axis=0)).ravel()
    pairs = sparse.csr_array(holds.T @ holds)
    pairs.setdiag(0)
    share = sparse.csr_array(sparse.diags_array(1 / np.maximum(counts, 1)) @ pairs)
    root = sparse.diags_array(1 / np.sqrt(np.maximum(counts, 1)))
    cosine = sparse.csr_array(root @ pairs @ root)
    together = Together().fit(baskets)

    def summed(matrix: sparse.csr_array) -> Scorer:
        return lambda case: np.asarray(matrix[case.cart].sum(axis=0)).ravel()

    def own(case: Case) -> Scores:
        total, among = np.zeros(baskets.n_items), 0
        for basket in case.before:
            if np.isin(basket, case.cart).any():
                total[basket] += 1
                among += 1
        return total / (among + OWN_SHRINK)

    found: dict[str, Scorer] = {
        "popular": lambda _: counts,
        "pairs counted": summed(pairs),
        "share of baskets with it": summed(share),
        "cosine": summed(cosine),
        "together": lambda case: together.score(case.cart),
    }
    for weight in (0.1, OWN_WEIGHT, 1.0):
        found[f"together + {weight:g} own"] = lambda case, w=weight: together.score(case.cart) + w * own(case)  # type: ignore[misc]
    return found


def ranks(score: Scorer, asked: list[Case]) -> npt.NDArray[np.int64]:
    """Return the rank of each hidden dish from 0; of equal scores half are taken to rank above it."""
    found = []
    for case in asked:
        scores = np.array(score(case), dtype=np.float64)
        scores[case.cart] = -np.inf
        mine = scores[case.hidden]
        found.append(int((scores > mine).sum() + (scores == mine).sum() // 2))
    return np.array(found)


def main() -> int:
    """Run, print, and write unless --quick."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true")
    quick = options.parse_args().quick
    if not (DATA / "indian_takeaway").exists():
        print(f"skipped: real data is not here: {DATA / 'indian_takeaway'}")
        return 0
    out = [
        "# Add-ons",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, `python -m benchmarks.addons`, {platform.machine()}, "
        f"Python {platform.python_version()}, numpy {np.__version__}",
        "",
        "One dish of each held-out basket of two or more hidden, all other dishes candidates. `together` is served,",
        f"with {OWN_WEIGHT:g} times the customer's own share where they are known.",
    ]
    for name, baskets, asked in [takeaway()] if quick else [takeaway(), *of_customers()]:
        began = time.perf_counter()
        out += [
            "",
            f"## {name}: {baskets.n_baskets:,} baskets to learn from, {len(asked):,} asked, {baskets.n_items:,} dishes",
            "",
            "| | hit@5 | hit@10 | mrr |",
            "|---|---:|---:|---:|",
        ]
        by_name = {}
        known = any(case.before for case in asked)
        for each, score in scorers(baskets).items():
            if "own" in each and not known:
                continue
            by_name[each] = ranks(score, asked)
            found = by_name[each]
            out.append(
                f"| {each} | {(found < 5).mean():.4f} | {(found < 10).mean():.4f} | {(1 / (found + 1)).mean():.4f} |"
            )
        published = by_name[f"together + {OWN_WEIGHT:g} own" if known else "together"]
        for peer in ("popular", "pairs counted"):
            gain = (published < 10).astype(float) - (by_name[peer] < 10)
            mean, low, high = _interval(gain)
            out.append("")
            out.append(f"Served against {peer} by hit@10: {mean:+.4f}, paired 95 % interval {low:+.4f} to {high:+.4f}.")
        out.append(f"{time.perf_counter() - began:.0f} s.")
    text = "\n".join(out) + "\n"
    print(text)
    if not quick:
        RESULT.write_text(text, encoding="utf-8")
    return 0


def _interval(gain: npt.NDArray[np.floating]) -> tuple[float, float, float]:
    spread = 1.96 * float(gain.std(ddof=1)) / len(gain) ** 0.5
    return float(gain.mean()), float(gain.mean()) - spread, float(gain.mean()) + spread


if __name__ == "__main__":
    sys.exit(main())
