"""How good are the recommendations beside known ones, on the same real orders, candidates and metric code?

    python -m benchmarks.quality            every data set that is there, results in benchmarks/results/quality.md
    python -m benchmarks.quality --quick    ncr_food_orders only, nothing written

Learning sees only what the protocol allows; all items are candidates, repeats are allowed, intervals are bootstrap
95 % over customers, and what is served is compared with the best peer on the same customers.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.known_recommenders import peers
from engine.columns import ITEMS, LINES, ORDERS
from engine.models.base import Place
from engine.models.top import top_k
from training.evaluate import evaluate
from training.learn import learn, learn_before
from training.matrices import DAY_S, TrainingSet, training_set
from training.metrics import Judged, interval, judge, paired_interval
from training.split import Split, Target, split_by_time, split_last_basket

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
RESULT = Path(__file__).parent / "results" / "quality.md"
SHOWN = ("recall", "ndcg", "ndcg_full", "hit", "repeat_recall", "explore_recall")
CHUNK = 256
NOT_SEEN = "what the held-back periods and halves of these sets would say: nobody here has seen them"


@dataclass(frozen=True)
class Work:
    """One row of the table: what is learned from, what is judged, at which k."""

    name: str
    data: TrainingSet
    split: Split
    k: int


def frames(lines: pl.DataFrame) -> TrainingSet:
    """Return the training set of a frame with order_id, customer_id, ordered_at, item_id and any context columns."""

    def conform(frame: pl.DataFrame, schema: dict[str, Any]) -> pl.LazyFrame:
        frame = frame.with_columns(status=pl.lit("delivered"), quantity=pl.lit(1.0))
        return frame.select(
            pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, dtype=kind).alias(name)
            for name, kind in schema.items()
        ).lazy()

    orders = lines.unique("order_id", maintain_order=True)
    return training_set(conform(orders, ORDERS), conform(lines, LINES), pl.DataFrame(schema=ITEMS))


def tafeng() -> Iterator[Work]:
    """Histories of all customers; the future basket of half of them judges."""
    zero = datetime(2000, 1, 3, tzinfo=UTC)
    lines = pl.read_parquet(DATA / "tafeng" / "history.parquet").select(
        order_id=pl.format("{}-{}", "user_id", "basket_no"),
        customer_id=pl.col("user_id").cast(pl.String),
        basket_no="basket_no",
        ordered_at=pl.lit(zero) + pl.duration(days=pl.col("basket_no")),
        item_id=pl.col("item_id").cast(pl.String),
    )
    data = frames(lines)
    future = pl.read_parquet(DATA / "tafeng" / "future_dev.parquet")
    items = {name: column for column, name in enumerate(data.items)}
    rows = {name: row for row, name in enumerate(data.customers)}
    from training.matrices import queries_for  # noqa: PLC0415 - only here

    grouped = future.group_by("user_id", maintain_order=True).agg("item_id")
    own = np.array([rows[str(user)] for user in grouped["user_id"]])
    asked = queries_for(data.baskets, own, np.full(len(own), data.last_at + 1), [Place()] * len(own))
    targets = []
    for query, names in zip(asked, grouped["item_id"], strict=True):
        known = [items[str(name)] for name in names if str(name) in items]
        targets.append(Target(query, np.array(sorted(known), np.int32), len(names) - len(known)))
    yield Work("tafeng, history to future basket", data, Split(data.baskets, targets, data.last_at + 1), 10)


def ncr() -> Iterator[Work]:
    """Dishes of six brands: 28 days forward, brand unknown and known, and each returning customer's last order."""
    orders = pl.read_parquet(DATA / "ncr_food_orders" / "orders.parquet").filter(pl.col("status") == "Delivered")
    lines = pl.read_parquet(DATA / "ncr_food_orders" / "order_items.parquet").join(orders, on="order_id")
    data = frames(
        lines.select(
            pl.col("order_id").cast(pl.String),
            "customer_id",
            ordered_at=pl.col("placed_at").dt.replace_time_zone("Asia/Kolkata").dt.convert_time_zone("UTC"),
            item_id="item_name",
            zone="subzone",
            vendor_id="brand",
        )
    )
    forward = returning(split_by_time(data, data.last_at - 28 * DAY_S))
    yield Work("ncr, 28 days forward, brand unknown", data, forward, 5)
    yield Work("ncr, 28 days forward, brand known", data, with_vendor(data, forward), 5)
    yield Work("ncr, last order", data, split_last_basket(data), 5)


def akeed() -> Iterator[Work]:
    """Restaurants at a location: 28 days forward, returning customers and customers without history."""
    orders = pl.read_parquet(DATA / "akeed" / "orders.parquet").filter(pl.col("customer_id").is_not_null())
    places = pl.read_parquet(DATA / "akeed" / "locations.parquet")
    lines = orders.join(places, on=["customer_id", "location_number"], how="left").select(
        order_id=pl.col("seq").cast(pl.String),
        customer_id="customer_id",
        basket_no="seq",
        ordered_at=pl.col("date_est").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        item_id=pl.col("vendor_id").cast(pl.String),
        vendor_id=pl.col("vendor_id").cast(pl.String),
        latitude="latitude",
        longitude="longitude",
    )
    data = frames(lines)
    split = split_by_time(data, data.last_at - 27 * DAY_S)
    yield Work("akeed, 28 days forward, returning", data, returning(split), 5)
    yield Work("akeed, 28 days forward, no history", data, returning(split, known=False), 5)
    yield Work("akeed, last order of returning", data, split_last_basket(data), 5)


SETS: dict[str, Callable[[], Iterator[Work]]] = {"ncr_food_orders": ncr, "tafeng": tafeng, "akeed": akeed}


def returning(split: Split, *, known: bool = True) -> Split:
    """Keep the targets of customers with (or without) history."""
    return replace(split, targets=[t for t in split.targets if bool(t.query.baskets) == known])


def with_vendor(data: TrainingSet, split: Split) -> Split:
    """Tell each query the vendor of its order."""
    vendor_at = {
        (row, at): vendor
        for row in range(data.baskets.n_customers)
        for at, vendor in zip(
            data.baskets.at[data.baskets.customer_start[row] : data.baskets.customer_start[row + 1]].tolist(),
            data.baskets.vendor[data.baskets.customer_start[row] : data.baskets.customer_start[row + 1]].tolist(),
            strict=True,
        )
    }

    def told(target: Target) -> Target:
        place = replace(target.query.place, vendor=vendor_at[(target.query.row, target.query.now)])
        return replace(target, query=replace(target.query, place=place))

    return replace(split, targets=[told(target) for target in split.targets])


def judge_peer(peer: Any, work: Work) -> Judged:
    """Fit a peer on the split's past and judge it like a model, under the same vendor filter."""
    peer.fit(work.split.past)
    vendors = {
        key[0]: part["item"].to_numpy()
        for key, part in work.data.vendor_items.partition_by("vendor", as_dict=True).items()
    }
    ranked = []
    for first in range(0, len(work.split.targets), CHUNK):
        some = work.split.targets[first : first + CHUNK]
        scores = peer.score([target.query for target in some])
        keep = np.ones(scores.shape, dtype=bool)
        for i, target in enumerate(some):
            if target.query.place.vendor >= 0:
                keep[i] = False
                keep[i, vendors[target.query.place.vendor]] = True
        ranked.append(top_k(np.where(keep, scores, np.float32(np.nan)), work.k))
    return judge(np.concatenate(ranked), work.split.targets, work.k)


def measure(work: Work) -> list[str]:
    """Return the Markdown rows of one piece of work."""
    started = time.perf_counter()
    if work.split.past is work.data.baskets:
        learned = learn(work.data, horizon_days=28, seed=0, report=lambda _: None)
    else:
        learned = learn_before(work.data, work.split, horizon_days=28, seed=0, report=lambda _: None)
    found = evaluate(learned, work.data, work.split.past, work.split.targets, k=work.k, seed=0, advance=lambda _: None)
    judged = {peer.name: judge_peer(peer, work) for peer in peers(work.data.baskets.n_items)}
    served = found.judged[found.served]
    metric = f"hit@{work.k}" if work.k == 5 else f"recall@{work.k}"
    best = max(judged, key=lambda name: judged[name].means()[metric] or 0)
    rng = np.random.default_rng(0)
    gain = paired_interval(served.column(metric), judged[best].column(metric), rng)
    seconds = time.perf_counter() - started
    rows = [f"\n## {work.name}: {len(work.split.targets):,} customers, k = {work.k}\n"]
    rows.append(f"| | {' | '.join(SHOWN)} | 95 % of {metric} |\n|---|{'---:|' * len(SHOWN)}---|")
    ours = {f"{name} (served)" if name == found.served else name: one for name, one in found.judged.items()}
    for name, one in [*((f"*{peer}*", one) for peer, one in judged.items()), *ours.items()]:
        means, bounds = one.means(), interval(one.column(metric), rng)
        cells = [means[f"{shown}@{work.k}"] for shown in SHOWN]
        shown = " | ".join("-" if cell is None else f"{cell:.4f}" for cell in cells)
        rows.append(f"| {name} | {shown} | {f'{bounds[0]:.3f} to {bounds[1]:.3f}' if bounds else ''} |")
    assert gain is not None
    mean = float(np.nanmean(served.column(metric) - judged[best].column(metric)))
    rows.append(
        f"\nServed against the best peer ({best}) by {metric}: {mean:+.4f}, paired 95 % interval {gain[0]:+.4f} to "
        f"{gain[1]:+.4f}. {seconds:.0f} s for everything above."
    )
    return rows


def main() -> int:
    """Measure what is there and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ncr_food_orders only, write nothing")
    quick = parser.parse_args().quick
    page = []
    for name, works in SETS.items():
        if not (DATA / name).exists():
            print(f"SKIPPED {name}: no real data at {DATA / name}", file=sys.stderr)
            continue
        if quick and name != "ncr_food_orders":
            continue
        for work in works():
            rows = measure(work)
            print("\n".join(rows), flush=True)
            page += rows
    if not quick and page:
        versions = f"Python {platform.python_version()}, numpy {np.__version__}, polars {pl.__version__}"
        head = (
            "# Recommendation quality\n\n"
            f"{datetime.now(UTC):%Y-%m-%d}, `python -m benchmarks.quality`, {platform.machine()}, 2 cores, {versions}\n"
            "Peers in italics, written from their papers (`benchmarks/known_recommenders.py`), on the same baskets, "
            "candidates and metric code.\nBlend and ranker are learned inside the past only. Not known: "
            f"{NOT_SEEN}.\n"
        )
        RESULT.write_text(head + "\n".join(page) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
