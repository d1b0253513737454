"""A training run from history to a live artifact, and everything that must stop it."""

from __future__ import annotations

import fcntl
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.artifact import live_version, load, manifest_of, versions
from engine.errors import CandidateRefused, Conflict, NoHistory
from engine.history.opening import open_history
from engine.history.tables import TableName, upsert_table
from engine.recommend.published.model import open_published
from engine.settings import Settings
from tests.baskets import random_town, tables
from training import run
from training.judge.gate import judge_candidate

NOW = datetime(2025, 6, 1, tzinfo=UTC)


def import_town(settings: Settings, *, seed: int = 1, customers: int = 120, dishes: int = 15, suffix: str = "") -> None:
    orders, lines = tables(
        {f"{name}{suffix}": told for name, told in random_town(customers, dishes, seed=seed).items()}
    )
    open_history(settings).append(orders, lines)


def test_what_was_published_is_what_serving_opens(settings: Settings) -> None:
    import_town(settings)
    done = run.train(settings, now=NOW)
    assert done.published
    assert live_version(settings.artifacts_folder) == done.version
    served = open_published(load(settings.artifacts_folder, done.version))
    assert len(served.customers) == 120
    assert {model.name for model in served.models} >= {"popular", "repeat", "als", "item_knn"}
    figures = manifest_of(settings.artifacts_folder, done.version)["evaluation"]["models"]
    assert figures["blend"]["ndcg@10"] >= figures["popular"]["ndcg@10"]


def test_training_twice_on_the_same_history_changes_nothing(settings: Settings) -> None:
    import_town(settings)
    first = run.train(settings, now=NOW)
    second = run.train(settings, now=NOW)
    assert second.unchanged
    assert not second.published
    assert versions(settings.artifacts_folder) == [first.version]


def test_equal_history_and_seed_give_equal_arrays(settings: Settings, tmp_path: Path) -> None:
    arrays = []
    for name in ("a", "b"):
        own = replace(settings, home=tmp_path / name)
        import_town(own)
        arrays.append(load(own.artifacts_folder, run.train(own, now=NOW).version).arrays)
    assert arrays[0].keys() == arrays[1].keys()
    for name in arrays[0]:
        np.testing.assert_array_equal(arrays[0][name], arrays[1][name], err_msg=name)


def test_times_of_day_are_those_of_most_vendors_else_of_most_customers_else_of_the_operator(settings: Settings) -> None:
    import_town(settings)
    told: dict[TableName, tuple[str, list[str | None]]]
    told = {"vendors": ("vendor_id", ["Asia/Shanghai", "Asia/Shanghai", "Asia/Tokyo", None])}
    told |= {"customers": ("customer_id", ["Europe/Berlin", None])}
    assert run.load_training_set(settings).baskets.timezone == settings.timezone
    found: dict[TableName, str] = {"customers": "Europe/Berlin", "vendors": "Asia/Shanghai"}
    for name, expected in found.items():
        key, zones = told[name]
        rows = [{key: f"{key}{n}", "timezone": zone} for n, zone in enumerate(zones)]
        upsert_table(settings, name, pl.DataFrame(rows, schema_overrides={"timezone": pl.String}))
        assert run.load_training_set(settings).baskets.timezone == expected


def test_dates_tell_no_time_of_day() -> None:
    midnights = np.arange(300, dtype=np.int64) * 86_400
    in_summer_time = np.where(np.arange(300) < 150, midnights, midnights - 3_600)
    assert not run.tells_time(midnights)
    assert not run.tells_time(in_summer_time)
    assert run.tells_time(midnights + np.random.default_rng(0).integers(0, 86_400, 300))


def test_a_version_says_whether_its_orders_came_with_the_hour(settings: Settings, tmp_path: Path) -> None:
    for hour in (0, 7):
        told = {f"c{n}": [(day + n * hour / 24, [f"d{day % 3}"]) for day in range(4)] for n in range(12)}
        home = replace(settings, home=tmp_path / f"by-{hour}")
        open_history(home).append(*tables(told))
        assert run.train(home, now=NOW).manifest["data"]["hours"] is (hour > 0)


def test_an_empty_home_says_what_to_do(settings: Settings) -> None:
    with pytest.raises(NoHistory, match="import orders"):
        run.train(settings, now=NOW)


def test_a_worse_candidate_is_refused_with_the_numbers_and_live_stays(settings: Settings, tmp_path: Path) -> None:
    import_town(settings, customers=400)
    good = run.train(settings, now=NOW)
    # The same people, but what they order is now pure noise.
    history = open_history(settings)
    rng = np.random.default_rng(0)
    noise = history.lines().collect()
    noise = noise.with_columns(item_id=pl.Series([f"d{i:02d}" for i in rng.integers(0, 400, noise.height)]))
    orders = history.orders().collect()
    broken = replace(settings, home=tmp_path / "broken")
    open_history(broken).append(orders, noise)
    broken.artifacts_folder.parent.mkdir(exist_ok=True)
    settings.artifacts_folder.rename(broken.artifacts_folder)
    with pytest.raises(CandidateRefused, match=r"ndcg@10 is 0\.\d+ .* below live"):
        run.train(broken, now=NOW)
    assert live_version(broken.artifacts_folder) == good.version
    forced = run.train(broken, now=NOW.replace(day=2), force=True)
    assert forced.published
    assert manifest_of(broken.artifacts_folder, forced.version)["verdict"]["forced"] is True


def test_a_history_that_lost_its_customers_is_refused(settings: Settings, tmp_path: Path) -> None:
    import_town(settings)
    run.train(settings, now=NOW)
    small = replace(settings, home=tmp_path / "small")
    import_town(small, customers=40)
    settings.artifacts_folder.rename(small.artifacts_folder)
    with pytest.raises(CandidateRefused, match="customers fell from 120"):
        run.train(small, now=NOW)


def test_values_that_are_not_finite_are_refused() -> None:
    candidate = {"evaluation": None, "data": {"customers": 1, "items": 1}}
    verdict = judge_candidate(candidate, None, {"models.als.item_factors": np.array([1.0, np.nan])})
    assert verdict.problems == ("models.als.item_factors holds values that are not finite",)


def test_two_runs_at_once_are_not_let_in(settings: Settings) -> None:
    import_town(settings)
    settings.artifacts_folder.mkdir(parents=True)
    with (settings.artifacts_folder / ".training").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match="another training run"):
            run.train(settings, now=NOW)


def test_too_little_to_judge_is_published_and_says_so(settings: Settings) -> None:
    import_town(settings, customers=5)
    done = run.train(settings, now=NOW)
    assert done.published
    assert done.verdict is not None
    assert "too few customers came back" in done.verdict.notes[0]


def test_what_cannot_be_judged_does_not_replace_what_was(settings: Settings, tmp_path: Path) -> None:
    import_town(settings, customers=60)
    run.train(settings, now=NOW)
    few = replace(settings, home=tmp_path / "few")
    import_town(few, customers=31)
    settings.artifacts_folder.rename(few.artifacts_folder)
    with pytest.raises(CandidateRefused, match="too few customers"):
        run.train(few, now=NOW)


def test_old_versions_are_pruned_but_never_the_live_one(settings: Settings) -> None:
    import_town(settings, customers=5)
    made = [run.train(settings, now=NOW.replace(day=day), force=True).version for day in range(1, 8)]
    assert versions(settings.artifacts_folder) == made[-run.KEPT_VERSIONS :]
    assert live_version(settings.artifacts_folder) == made[-1]


def test_losing_to_a_model_of_its_own_is_told_at_first_and_refused_once_something_is_live() -> None:
    lost = {"model": "repeat", "metric": "ndcg@10", "difference": -0.05, "interval": (-0.08, -0.02)}
    figures = {"served": "blend", "customers": 90, "k": 10, "against_best_single": lost}
    figures |= {"models": {"blend": {"ndcg@10": 0.4}}, "intervals": {"blend": {"ndcg@10": (0.35, 0.45)}}}
    candidate = {"evaluation": figures, "data": {"customers": 100, "items": 10}}
    first = judge_candidate(candidate, None, {})
    assert first.passed
    assert "0.0500 below repeat alone" in first.notes[0]
    later = judge_candidate(candidate, candidate | {"version": "v1"}, {})
    assert "0.0500 below repeat alone" in later.problems[0]
