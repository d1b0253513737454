"""Groups are protected: a planted loss is refused with its name and numbers, luck is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from engine.errors import InputError
from engine.history.opening import open_history
from engine.settings import Settings
from tests.baskets import random_town, tables
from tests.present import there
from training import run
from training.judge.gate import Protection, judge_candidate
from training.judge.groups import KINDS, OTHERS
from training.metrics import mean_and_error

SINGLES = 7
NAMES = [("history", "returning"), ("history", "new"), *(("zone", f"z{i}") for i in range(18))]


def manifest(
    served: dict[tuple[str, str], npt.NDArray[np.float64]],
    *,
    gaps: Any = None,
    version: str = "v1",
    names: list[tuple[str, str]] = NAMES,
) -> dict[str, Any]:
    """A manifest whose groups have the figures `served` {(kind, name): ndcg of each customer} and paired `gaps`."""
    groups = []
    for kind, name in names:
        n, mean, error = mean_and_error(served[kind, name])
        _, difference, gap_error = mean_and_error((gaps or {}).get((kind, name), np.array([0.1, 0.2])))
        hardest = {"model": "repeat", "difference": difference, "error": gap_error}
        groups.append(
            {"kind": kind, "name": name, "customers": n, "figures": {"ndcg@10": mean}, "error": error}
            | {"singles": SINGLES, "hardest_single": hardest}
        )
    whole = {"ndcg@10": 0.4}
    figures = {
        "served": "blend",
        "customers": 1000,
        "k": 10,
        "models": {"blend": whole},
        "intervals": {"blend": {"ndcg@10": (0.3, 0.5)}},
        "against_best_single": {"model": "repeat", "metric": "ndcg@10", "difference": 0.1, "interval": (0.05, 0.15)},
        "groups": groups,
    }
    return {"version": version, "evaluation": figures, "data": {"customers": 100, "items": 10}}


def customers(
    rng: np.random.Generator, *, mean: float = 0.4, n: int = 200
) -> dict[tuple[str, str], npt.NDArray[np.float64]]:
    """The ndcg of customers: none found for many, like the real ones."""
    return {name: np.where(rng.random(n) < 0.4, 0.0, rng.beta(2, 1, n)) * mean / 0.4 for name in NAMES}


def test_noise_is_refused_less_often_than_once_in_twenty() -> None:
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(300):
        live, candidate = manifest(customers(rng)), manifest(customers(rng))
        refused += not judge_candidate(candidate, live, {}).passed
    assert refused <= 15


def test_luck_against_its_own_models_is_refused_less_often_than_once_in_twenty() -> None:
    rng = np.random.default_rng(2)
    refused = 0
    live = manifest(customers(rng))
    for _ in range(300):
        gaps = {}
        for name in NAMES:
            # The single model that presses hardest is the luckiest of seven equal ones.
            lucky = rng.normal(0, 0.2, (SINGLES, 200))
            gaps[name] = min(lucky, key=lambda gap: gap.mean() / gap.std())
        refused += not judge_candidate(manifest(customers(rng), gaps=gaps), live, {}).passed
    assert refused <= 15


def test_a_loss_planted_in_one_group_is_refused_with_its_name_and_numbers() -> None:
    rng = np.random.default_rng(3)
    live, served = manifest(customers(rng)), customers(rng)
    served["zone", "z4"] = served["zone", "z4"] * 0.4
    verdict = judge_candidate(manifest(served, version="v2"), live, {})
    (problem,) = verdict.problems
    assert "group zone z4" in problem
    assert "below live v1" in problem
    assert f"{served['zone', 'z4'].mean():.4f}" in problem
    assert "99.75 % interval" in problem  # 1 - .05 / 20


def test_losing_to_an_own_model_in_one_group_is_told_at_first_and_refused_later() -> None:
    rng = np.random.default_rng(4)
    lost = {("history", "new"): rng.normal(-0.1, 0.2, 200)}
    candidate = manifest(customers(rng), gaps=lost)
    first = judge_candidate(candidate, None, {})
    assert first.passed
    assert "group history new" in first.notes[0]
    later = judge_candidate(candidate, manifest(customers(rng)), {})
    assert "below repeat alone" in later.problems[0]


def test_what_is_not_protected_or_too_small_does_not_stop_anybody() -> None:
    rng = np.random.default_rng(5)
    live, served = manifest(customers(rng)), customers(rng)
    served["zone", "z4"] = served["zone", "z4"] * 0.4
    candidate = manifest(served)
    assert not judge_candidate(candidate, live, {}).passed
    assert judge_candidate(candidate, live, {}, Protection.of(["history"])).passed
    assert judge_candidate(candidate, live, {}, Protection.of(["none"])).passed
    assert judge_candidate(candidate, live, {}, Protection(least=201)).passed


def test_the_pool_of_small_zones_is_not_compared_with_another_pool() -> None:
    rng = np.random.default_rng(6)
    names = [("zone", OTHERS)]
    live = manifest({names[0]: rng.random(100)}, names=names)
    assert judge_candidate(manifest({names[0]: rng.random(100) * 0.2}, names=names), live, {}).passed


def test_a_live_version_judged_before_groups_were_is_compared_as_a_whole() -> None:
    rng = np.random.default_rng(7)
    live = manifest(customers(rng))
    del live["evaluation"]["groups"]
    assert judge_candidate(manifest(customers(rng)), live, {}).passed


def test_customers_who_all_lose_alike_do_not_divide_by_zero() -> None:
    rng = np.random.default_rng(8)
    gaps = {("history", "new"): np.zeros(50)}
    assert judge_candidate(manifest(customers(rng), gaps=gaps), manifest(customers(rng)), {}).passed


def test_an_unknown_kind_of_group_is_named_before_anything_is_read(settings: Settings) -> None:
    wrong = replace(settings, protected_groups=("zones",))
    with pytest.raises(InputError, match="REGULARS_PROTECTED_GROUPS: 'zones' is no kind of group; did you mean 'zone'"):
        run.train(wrong, now=datetime.now(UTC))


def test_the_setting_takes_every_kind_and_defaults_to_groups_of_customers(tmp_path: Path) -> None:
    every = Settings.from_environment({"REGULARS_PROTECTED_GROUPS": " , ".join(KINDS)}, home=tmp_path)
    assert Protection.of(every.protected_groups).kinds == tuple(KINDS)
    assert Protection.of(Settings.from_environment({}, home=tmp_path).protected_groups) == Protection()
    assert set(KINDS) - set(Protection().kinds) == {"dishes"}


def test_a_zone_whose_customers_turned_random_is_refused_by_a_real_run(settings: Settings) -> None:
    from datetime import UTC, datetime

    import polars as pl

    now = datetime(2025, 6, 1, tzinfo=UTC)
    told = random_town(600, 15, seed=1)
    orders, lines = tables(told, zones={name: "east" if name < "c150" else "west" for name in told})
    history = open_history(settings)
    history.append(orders, lines)
    run.train(settings, now=now)
    rng = np.random.default_rng(0)
    noise = pl.Series([f"d{i:02d}" for i in rng.integers(15, 400, lines.height)])
    spoilt = lines.with_columns(item_id=pl.when(pl.col("customer_id") < "c150").then(noise).otherwise("item_id"))
    broken = replace(settings, home=settings.home.parent / "broken")
    open_history(broken).append(orders, spoilt)
    settings.artifacts_folder.rename(broken.artifacts_folder)
    verdict_of = run.train(broken, now=now.replace(day=2), force=True).verdict
    assert any("group zone east" in problem for problem in there(verdict_of).problems)
    assert not any("zone west" in problem for problem in there(verdict_of).problems)
