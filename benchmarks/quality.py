"""How good are the recommendations beside known ones, on the same real orders, candidates and metric code?

    python -m benchmarks.quality            every data set that is there, results in benchmarks/results/quality.md
    python -m benchmarks.quality --quick    ncr_food_orders only, nothing written
    python -m benchmarks.quality --set akeed    one set; the page keeps its other tables

Learning sees only what the protocol allows; all items are candidates, repeats are allowed where anybody repeats,
intervals are bootstrap 95 % over customers, and what is served is compared with the best peer on the same customers.
"""

from __future__ import annotations

import argparse
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.known_recommenders import peers
from engine.columns import DAY_S, ITEMS, LINES, ORDERS
from engine.models.kernels.top import top_k
from engine.models.query import Place
from engine.runtime.threads import one_blas_thread
from training.data.matrices import TrainingSet, queries_for, training_set
from training.data.split import Split, Target, split_by_time, split_last_basket
from training.judge.evaluate import evaluate
from training.learn.stack import learn, train_on_past
from training.metrics import Judged, interval, judge, paired_interval

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
RESULT = Path(__file__).parent / "results" / "quality.md"
SHOWN = ("recall", "ndcg", "ndcg_full", "hit", "repeat_recall", "explore_recall")
CHUNK = 256
# Where a source has only basket numbers, they count days from here.
BASKET_CLOCK = datetime(2000, 1, 3, tzinfo=UTC)
NOT_SEEN = "what the held-back periods and halves of these sets would say: nobody here has seen them"


@dataclass(frozen=True)
class Work:
    """One table: what is learned from, what is judged, at which k, by which figure peers are chosen and compared.

    `cited` are figures of peers from elsewhere, by peer and metric, on another draw of the same kind.
    """

    name: str
    data: TrainingSet
    split: Split
    k: int
    metric: str
    ease_l2: float = 250.0
    cited: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def frames(lines: pl.DataFrame) -> TrainingSet:
    """Return the training set of a frame with order_id, customer_id, ordered_at, item_id and any context columns."""

    def conform(frame: pl.DataFrame, schema: Mapping[str, Any]) -> pl.LazyFrame:
        frame = frame.with_columns(status=pl.lit("delivered"), quantity=pl.lit(1.0))
        return frame.select(
            pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, dtype=kind).alias(name)
            for name, kind in schema.items()
        ).lazy()

    orders = lines.unique("order_id", maintain_order=True)
    return training_set(conform(orders, ORDERS), conform(lines, LINES), pl.DataFrame(schema=ITEMS))


def tafeng() -> Iterator[Work]:
    """Histories of all customers; the future basket of half of them judges.

    Then again with the future baskets of every other one of those known, in turn.
    """
    history = pl.read_parquet(DATA / "tafeng" / "history.parquet")
    future = pl.read_parquet(DATA / "tafeng" / "future_dev.parquet")
    data = numbered(history)
    yield Work("tafeng, history to future basket", data, next_for(data, future), 10, "recall@10")
    customers = np.random.default_rng(0).permutation(future["user_id"].unique().sort().to_numpy())
    following = history.group_by("user_id").agg(pl.col("basket_no").max() + 1)
    for half in (0, 1):
        told = pl.col("user_id").is_in(customers[half::2])
        known = future.filter(told).join(following, on="user_id").select(history.columns)
        data = numbered(pl.concat([history, known.cast(pl.Schema(history.schema))]))
        split = next_for(data, future.filter(~told))
        yield Work(f"tafeng, the other half's future known ({half + 1} of 2)", data, split, 10, "recall@10")


def numbered(lines: pl.DataFrame) -> TrainingSet:
    """Return the training set of (user_id, basket_no, item_id)."""
    return frames(
        lines.select(
            order_id=pl.format("{}-{}", "user_id", "basket_no"),
            customer_id=pl.col("user_id").cast(pl.String),
            basket_no="basket_no",
            ordered_at=pl.lit(BASKET_CLOCK) + pl.duration(days=pl.col("basket_no")),
            item_id=pl.col("item_id").cast(pl.String),
        )
    )


def next_for(data: TrainingSet, future: pl.DataFrame) -> Split:
    """Return everything of `data` as past, and as targets what each user_id of `future` went on to (item_id)."""
    items = {name: column for column, name in enumerate(data.items)}
    rows = {name: row for row, name in enumerate(data.customers)}
    grouped = future.group_by("user_id", maintain_order=True).agg("item_id")
    own = np.array([rows.get(str(user), -1) for user in grouped["user_id"]])
    asked = queries_for(data.baskets, own, np.full(len(own), data.last_at + 1), [Place()] * len(own))
    targets = []
    for query, names in zip(asked, grouped["item_id"], strict=True):
        known = [items[str(name)] for name in names if str(name) in items]
        targets.append(Target(query, np.array(sorted(known), np.int32), len(names) - len(known)))
    return Split(data.baskets, targets, data.last_at + 1)


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
    data = replace(data, baskets=replace(data.baskets, timezone="Asia/Kolkata"))
    forward = returning(split_by_time(data, data.last_at - 28 * DAY_S))
    yield Work("ncr, 28 days forward, brand unknown", data, forward, 5, "hit@5")
    yield Work("ncr, 28 days forward, brand known", data, with_vendor(data, forward), 5, "hit@5")
    yield Work("ncr, last order", data, split_last_basket(data), 5, "hit@5")


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
    yield Work("akeed, 28 days forward, returning", data, returning(split), 5, "hit@5")
    yield Work("akeed, 28 days forward, no history", data, returning(split, known=False), 5, "hit@5")
    yield Work("akeed, last order of returning", data, split_last_basket(data), 5, "hit@5")


def dealt(past: pl.DataFrame) -> TrainingSet:
    """Return the training set of (user_id, item_id) without an order in time, each customer's dealt into five baskets.

    Lots, not time, decide what the published splits hold back; so they decide what learning holds back to learn by.
    """
    lot = pl.Series(np.random.default_rng(0).random(past.height))
    shuffled = past.sort("user_id", "item_id").with_columns(lot=lot)
    basket_no = (pl.col("lot").rank("ordinal").over("user_id") % 5 + 1).cast(pl.Int32)
    return frames(
        shuffled.select(
            customer_id=pl.col("user_id").cast(pl.String),
            basket_no=basket_no,
            item_id=pl.col("item_id").cast(pl.String),
        ).with_columns(
            order_id=pl.format("{}-{}", "customer_id", "basket_no"),
            ordered_at=pl.lit(BASKET_CLOCK) + pl.duration(days="basket_no"),
        )
    )


def mealrec() -> Iterator[Work]:
    """Meals of recipes, each cooked once: the published training part to the published test part."""
    for density in "HL":
        meals = pl.read_parquet(DATA / "mealrec_plus" / f"user_meal_{density}.parquet").rename({"meal_id": "item_id"})
        data = dealt(meals.filter(pl.col("split") == "train"))
        split = next_for(data, meals.filter(pl.col("split") == "test"))
        yield Work(f"mealrec_plus {density}, published split", data, split, 10, "recall@10", ease_l2=100.0)


def movielens() -> Iterator[Work]:
    """Films, each rated once: two official splits, and a quarter of each user's ratings drawn by lot."""
    ratings = pl.read_parquet(DATA / "movielens_100k" / "ratings.parquet").sort("user_id", "item_id")
    lot = pl.Series(np.random.default_rng(42).random(ratings.height))
    drawn = pl.col("lot").rank("ordinal").over("user_id") <= (0.25 * pl.len().over("user_id")).round()
    ratings = ratings.with_columns(lot=lot).with_columns(quarter=drawn)
    cited = {
        "BiVAE": {"recall": 0.219, "ndcg": 0.475},
        "BPR": {"recall": 0.213, "ndcg": 0.442},
        "ALS": {"recall": 0.018, "ndcg": 0.044},
    }
    parts: list[tuple[str, pl.Expr, Mapping[str, Mapping[str, float]]]] = [
        ("official fold 1", pl.col("fold") == 1, {}),
        ("official ua", pl.col("ua_test"), {}),
        ("75/25 by lot", pl.col("quarter"), cited),
    ]
    for name, held, known in parts:
        data = dealt(ratings.filter(~held))
        split = next_for(data, ratings.filter(held))
        yield Work(f"movielens_100k, {name}", data, split, 10, "ndcg@10", ease_l2=200.0, cited=known)


SETS: dict[str, Callable[[], Iterator[Work]]] = {
    "ncr_food_orders": ncr,
    "tafeng": tafeng,
    "akeed": akeed,
    "mealrec_plus": mealrec,
    "movielens_100k": movielens,
}


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
    """Fit a peer on the split's past and judge it like a model, under the same filters."""
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
            if not work.data.repeats:
                keep[i, target.query.items] = False
        ranked.append(top_k(np.where(keep, scores, np.float32(np.nan)), work.k))
    return judge(np.concatenate(ranked), work.split.targets, work.k)


def measure(work: Work) -> list[str]:
    """Return the Markdown rows of one piece of work."""
    started = time.perf_counter()
    if work.split.past is work.data.baskets:
        learned = learn(work.data, horizon_days=28, seed=0, report=lambda _: None)
    else:
        learned = train_on_past(work.data, work.split, horizon_days=28, seed=0, report=lambda _: None)
    found = evaluate(learned, work.data, work.split.past, work.split.targets, k=work.k, seed=0, advance=lambda _: None)
    judged = {peer.name: judge_peer(peer, work) for peer in peers(work.data.baskets.n_items, work.ease_l2)}
    served = found.judged[found.served]
    metric = work.metric
    best = max(judged, key=lambda name: judged[name].means()[metric] or 0)
    rng = np.random.default_rng(0)
    gain = paired_interval(served.column(metric), judged[best].column(metric), rng)
    seconds = time.perf_counter() - started
    rows = [f"## {work.name}: {len(work.split.targets):,} customers, k = {work.k}\n"]
    rows.append(f"| | {' | '.join(SHOWN)} | 95 % of {metric} |\n|---|{'---:|' * len(SHOWN)}---|")
    ours = {f"{name} (served)" if name == found.served else name: one for name, one in found.judged.items()}
    for name, one in [*((f"*{peer}*", one) for peer, one in judged.items()), *ours.items()]:
        means, bounds = one.means(), interval(one.column(metric), rng)
        cells = ["-" if mean is None else f"{mean:.4f}" for mean in (means[f"{each}@{work.k}"] for each in SHOWN)]
        rows.append(f"| {name} | {' | '.join(cells)} | {f'{bounds[0]:.3f} to {bounds[1]:.3f}' if bounds else ''} |")
    for peer, figures in work.cited.items():
        cells = [f"{figures[shown]:.3f}" if shown in figures else "-" for shown in SHOWN]
        rows.insert(2, f"| *{peer}, cited* | {' | '.join(cells)} | |")
    assert gain is not None
    mean = float(np.nanmean(served.column(metric) - judged[best].column(metric)))
    rows.append(
        f"\nServed against the best peer ({best}) by {metric}: {mean:+.4f}, paired 95 % interval {gain[0]:+.4f} to "
        f"{gain[1]:+.4f}. {seconds:.0f} s for everything above; "
        f"{datetime.now(UTC):%Y-%m-%d}, {commit()}."
    )
    return rows


def set_of(section: str) -> str | None:
    """Return which set a section of the page is about; None for words on all of them."""
    title = section.removeprefix("## ")
    return next((name for name in SETS if title.startswith(name.split("_")[0])), None)


def page_with(page: str, measured: Mapping[str, str]) -> str:
    """Return the page with the sections of the sets in `measured` in place of its own, sets in order, words last."""
    sections = re.split(r"\n(?=## )", page)[1:]
    kept = [section.strip() for section in sections if set_of(section) not in measured]
    of_sets = [
        part
        for name in SETS
        for part in [measured.get(name, ""), *(one for one in kept if set_of(one) == name)]
        if part
    ]
    words = [section for section in kept if set_of(section) is None]
    head = (
        "# Recommendation quality\n\n`python -m benchmarks.quality`, each table with its day and commit; "
        f"{platform.machine()}, 2 cores, Python {platform.python_version()}, numpy {np.__version__}, polars "
        f"{pl.__version__}.\nPeers in italics, written from their papers (`benchmarks/known_recommenders.py`), on the "
        "same baskets, candidates and metric code.\nBlend and ranker are learned inside the past only. Not known: "
        f"{NOT_SEEN}."
    )
    return "\n\n".join([head, *of_sets, *words]) + "\n"


def commit() -> str:
    """Return the short name of the commit measured, with a star where files differ from it."""
    said = subprocess.run(["git", "describe", "--always", "--dirty=*"], capture_output=True, text=True, check=False)
    return said.stdout.strip() or "no commit"


def main() -> int:
    """Measure what is there and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ncr_food_orders only, write nothing")
    parser.add_argument("--set", choices=SETS, help="measure one set, keep the tables of the others")
    asked = parser.parse_args()
    wanted = ["ncr_food_orders"] if asked.quick else [asked.set] if asked.set else list(SETS)
    one_blas_thread()
    measured = {}
    for name in wanted:
        if not (DATA / name).exists():
            print(f"SKIPPED {name}: no real data at {DATA / name}", file=sys.stderr)
            continue
        tables = []
        for work in SETS[name]():
            tables.append("\n".join(measure(work)))
            print(f"{tables[-1]}\n", flush=True)
        measured[name] = "\n\n".join(tables)
    if measured and not asked.quick:
        page = RESULT.read_text(encoding="utf-8") if RESULT.exists() else ""
        RESULT.write_text(page_with(page, measured), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
