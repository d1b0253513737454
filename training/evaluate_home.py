"""Evaluation without publishing: on the newest stretch of a home's history, or on a file of what came next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine

from engine.artifact import live_version
from engine.columns import DAY_S
from engine.errors import BadFile, NoHistory
from engine.history.opening import open_history
from engine.models.baskets import Baskets
from engine.runtime.threads import one_blas_thread
from engine.settings import Settings
from training.data.future import read_future
from training.data.matrices import TrainingSet
from training.data.split import Target, sample
from training.judge.evaluate import evaluate
from training.judge.groups import standing_at
from training.judge.logged import judge_by_log, read_impressions
from training.learn.settings import ModelSettings, read_model_settings
from training.learn.stack import Learned, Report, hold_out, learn, train_on_past
from training.run import LEAST_JUDGED, MOST_JUDGED, load_training_set

PROTOCOLS = {
    "file": "on {file}: first order of each customer in it, everything imported as history",
    "last_basket": "on each customer's last basket, everything before it as history",
    "newest": "on the first order of each customer in the last {days:.3g} days, everything before as history",
}


@dataclass(frozen=True, slots=True)
class _Ground:
    """What was learned from which past, and who judges it from second `at` on."""

    learned: Learned
    past: Baskets
    targets: list[Target]
    at: int
    basis: Mapping[str, str | float | None]


def evaluate_home(
    settings: Settings,
    *,
    horizon_days: float,
    future: Path | None,
    k: int,
    seed: int,
    report: Report,
    log: Engine | None = None,
    within_days: float = 7.0,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Return the evaluation's JSON form with `protocol`, one sentence on how it was made, and `basis`, its parts.

    `made` says when (`now`, None where it is not told), by which release and beside which live version; `data` what was
    learned from and judged on, its instants null where orders came without.

    With `log`, the database of the inbox, `logged` is what the lists shown since the split say
    (see `training.judge.logged`);
    None without it, and where a file judges, because then no split is.
    Raises NoHistory when there is nothing to learn from or nobody came back to judge by, BadFile when `future` holds
    no order, BadDefinition when the home's tuned.yaml is wrong.
    """
    one_blas_thread()
    chosen = read_model_settings(settings.home)
    report("read history")
    data = load_training_set(settings)
    if future is None:
        ground = _newest(data, chosen, horizon_days, seed, report)
    else:
        ground = _next(settings, data, future, chosen, horizon_days, seed, report)
    learned, past, targets = ground.learned, ground.past, ground.targets
    report(f"judge on {len(targets):,} customers")
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        report(f"judge on {done:,} of {len(targets):,} customers")

    standing = standing_at(settings, data, ground.at)
    found = evaluate(learned, data, past, targets, k=k, seed=seed, advance=advance, standing=standing).as_dict()
    logged = None
    if log is not None and future is None:
        report("judge by the lists that were shown")
        impressions = read_impressions(log, since=datetime.fromtimestamp(ground.at, UTC))
        lines = open_history(settings).lines()
        logged = judge_by_log(impressions, learned, data, past, lines, within_days=within_days, seed=seed)
    return found | {
        "logged": logged,
        "protocol": PROTOCOLS[str(ground.basis["kind"])].format(**ground.basis),
        "basis": ground.basis,
        "made": _made(settings, now),
        "data": _window(data, ground.at if future is None else None),
        "model_settings": chosen.as_dict(),
        "weights": dict(learned.blend.weights),
        "unseen_items": sum(target.unseen for target in targets),
    }


def _made(settings: Settings, now: datetime | None) -> dict[str, str | None]:
    at = None if now is None else now.astimezone(UTC).isoformat()
    return {"at": at, "regulars": installed("regulars"), "live": live_version(settings.artifacts_folder)}


def _window(data: TrainingSet, split_at: int | None) -> dict[str, Any]:
    def instant(at: int | None) -> str | None:
        known = at is not None and data.clock != "basket"
        return datetime.fromtimestamp(at or 0, UTC).isoformat() if known else None

    return {
        "first_at": instant(data.first_at),
        "last_at": instant(data.last_at),
        "split_at": instant(split_at),
        "customers": data.baskets.n_customers,
        "items": data.baskets.n_items,
        "baskets": data.baskets.n_baskets,
    }


def _newest(data: TrainingSet, chosen: ModelSettings, horizon_days: float, seed: int, report: Report) -> _Ground:
    split = hold_out(data, horizon_days)
    targets = sample(split.targets, MOST_JUDGED, np.random.default_rng([seed, 98]))
    if not split.past.n_baskets or not targets:
        raise NoHistory(
            f"no order falls on both sides of the split; import at least {LEAST_JUDGED} returning customers"
        )
    learned = train_on_past(data, split, horizon_days=horizon_days, seed=seed, report=report, settings=chosen)
    kind = "last_basket" if data.clock == "basket" else "newest"
    basis = {"kind": kind, "file": None, "days": (data.last_at - split.at) / DAY_S}
    return _Ground(learned, split.past, targets, split.at, basis)


def _next(
    settings: Settings,
    data: TrainingSet,
    file: Path,
    chosen: ModelSettings,
    horizon_days: float,
    seed: int,
    report: Report,
) -> _Ground:
    targets = read_future(file, data, timezone=settings.timezone)
    if not targets:
        raise BadFile("holds no order to judge by", where=str(file))
    learned = learn(data, horizon_days=horizon_days, seed=seed, report=report, settings=chosen)
    return _Ground(learned, data.baskets, targets, data.last_at + 1, {"kind": "file", "file": file.name, "days": None})
