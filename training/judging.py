"""Evaluation without publishing: on the newest stretch of a home's history, or on a file of what came next."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine

from engine.errors import NoHistory
from engine.history import History
from engine.settings import Settings
from engine.threads import one_blas_thread
from training.evaluate import evaluate
from training.future import read_future
from training.groups import standing_at
from training.learn import Report, hold_out, learn, learn_before
from training.logged import judge_by_log, read_impressions
from training.matrices import DAY_S
from training.model_settings import read_model_settings
from training.run import LEAST_JUDGED, MOST_JUDGED, load_training_set
from training.split import sample

PROTOCOLS = {
    "file": "on {file}: first order of each customer in it, everything imported as history",
    "last_basket": "on each customer's last basket, everything before it as history",
    "newest": "on the first order of each customer in the last {days:.1f} days, everything before as history",
}


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
) -> dict[str, Any]:
    """Return the evaluation's JSON form with `protocol`, one sentence on how it was made, and `basis`, its parts.

    With `log`, the database of the inbox, `logged` is what the lists shown since the split say (see `training.logged`);
    None without it, and where a file judges, because then no split is.
    Raises NoHistory when there is nothing to learn from or nobody came back to judge by, BadDefinition when the
    home's tuned.yaml is wrong.
    """
    one_blas_thread()
    chosen = read_model_settings(settings.home)
    report("read history")
    data = load_training_set(settings)
    if future is not None:
        targets = read_future(future, data, timezone=settings.timezone)
        learned = learn(data, horizon_days=horizon_days, seed=seed, report=report, settings=chosen)
        past, at = data.baskets, data.last_at + 1
        basis: dict[str, str | float | None] = {"kind": "file", "file": future.name, "days": None}
    else:
        split = hold_out(data, horizon_days)
        targets = sample(split.targets, MOST_JUDGED, np.random.default_rng([seed, 98]))
        if not split.past.n_baskets or not targets:
            raise NoHistory(
                f"no order falls on both sides of the split; import at least {LEAST_JUDGED} returning customers"
            )
        learned = learn_before(data, split, horizon_days=horizon_days, seed=seed, report=report, settings=chosen)
        past, at = split.past, split.at
        held_out_days = (data.last_at - split.at) / DAY_S
        basis = {"kind": "last_basket" if data.clock == "basket" else "newest", "file": None, "days": held_out_days}
    report(f"judge on {len(targets):,} customers")
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        report(f"judge on {done:,} of {len(targets):,} customers")

    standing = standing_at(settings, data, at)
    found = evaluate(learned, data, past, targets, k=k, seed=seed, advance=advance, standing=standing).as_dict()
    logged = None
    if log is not None and future is None:
        report("judge by the lists that were shown")
        impressions = read_impressions(log, since=datetime.fromtimestamp(at, UTC))
        lines = History(settings.history_folder).lines()
        logged = judge_by_log(impressions, learned, data, past, lines, within_days=within_days, seed=seed)
    return found | {
        "logged": logged,
        "protocol": PROTOCOLS[str(basis["kind"])].format(**basis),
        "basis": basis,
        "model_settings": chosen.as_dict(),
        "weights": dict(learned.blend.weights),
        "unseen_items": sum(target.unseen for target in targets),
    }
