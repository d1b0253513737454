"""Tuning sees only older history, repeats itself, goes on where it was, and adopts what is surely better."""

from __future__ import annotations

import fcntl
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.main import run as command
from engine.errors import BadFile, Conflict, NoHistory
from engine.history.opening import open_history
from engine.settings import Settings
from tests.baskets import learned_from, random_town, tables
from training import run
from training.learn.settings import FILE, ModelSettings, read_model_settings, write_model_settings
from training.learn.stack import hold_out
from training.tune.search import changes, tune
from training.tune.trial import Confirmed, Field, field_of

NOW = datetime(2025, 6, 1, tzinfo=UTC)
TOWN = random_town(700, 20, seed=5)


@pytest.fixture
def town(settings: Settings) -> Settings:
    """A home whose customers came back often enough to tune by."""
    open_history(settings).append(*tables(TOWN))
    return settings


@pytest.fixture(scope="module")
def ground() -> Field:
    return field_of(learned_from(TOWN), horizon_days=28, seed=0)


def test_nothing_that_training_judges_by_is_seen(ground: Field) -> None:
    data = learned_from(TOWN)
    judged_from = hold_out(data, 28).at
    assert ground.window.baskets.at.max() < judged_from
    assert ground.split.past.at.max() < ground.split.at < judged_from
    for target in [*ground.taught, *ground.judged, *ground.confirming]:
        assert target.query.now < judged_from
        assert not len(target.query.at) or target.query.at.max() < ground.split.at


def test_who_teaches_judges_and_confirms_are_different_customers(ground: Field) -> None:
    parts = [{target.query.row for target in part} for part in (ground.taught, ground.judged, ground.confirming)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == len(ground.split.targets)
    assert min(map(len, parts)) >= len(ground.split.targets) // 4


def test_a_trial_fits_only_the_model_it_changes(ground: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.value(ModelSettings())
    fitted: list[str] = []
    for model in ("Popular", "Repeat", "Als", "UserKnn", "ItemKnn", "NextItem"):
        kind = getattr(__import__("engine.models.registry", fromlist=[model]), model)

        def counted(self: Any, *given: Any, fit: Any = kind.fit, **named: Any) -> Any:
            fitted.append(self.name)
            return fit(self, *given, **named)

        monkeypatch.setattr(kind, "fit", counted)
    ground.value(ModelSettings({"repeat": {"decay": 0.5}}))
    assert fitted == ["repeat"]


def test_a_value_is_the_same_whatever_was_tried_before(ground: Field) -> None:
    tried = ModelSettings({"user_knn": {"neighbours": 20, "last": 2}})
    first = ground.value(tried)
    ground.value(ModelSettings({"user_knn": {"neighbours": 200, "last": 9}}))
    assert ground.value(tried) == first
    assert field_of(learned_from(TOWN), horizon_days=28, seed=0).value(tried) == first


def test_equal_seed_and_trials_find_equal_settings(town: Settings, tmp_path: Path) -> None:
    other = Settings.from_environment({}, home=tmp_path / "other")
    open_history(other).append(*tables(TOWN))
    found = [tune(home, now=NOW, minutes=9, most_trials=9, seed=3) for home in (town, other)]
    assert found[0] == found[1]
    assert found[0].trials == 9


def test_a_search_goes_on_where_it_was_and_never_gets_worse(town: Settings) -> None:
    steps: list[Any] = []
    first = tune(town, now=NOW, minutes=9, most_trials=4, report=steps.append)
    more = tune(town, now=NOW, minutes=9, most_trials=5, report=steps.append)
    assert (first.resumed_from, more.resumed_from, more.trials) == (0, 4, 9)
    assert [step.trials for step in steps] == list(range(1, 10))
    best = [step.best for step in steps]
    assert best == sorted(best)
    assert more.models.best_value >= first.models.best_value >= first.models.default_value == more.models.default_value


def test_without_time_only_the_defaults_are_tried_and_nothing_is_written(town: Settings) -> None:
    found = tune(town, now=NOW, minutes=0)
    assert (found.trials, found.adopted, found.models.confirmed) == (1, False, None)
    assert not (town.home / FILE).exists()


def test_other_history_is_another_search(town: Settings) -> None:
    tune(town, now=NOW, minutes=9, most_trials=2)
    open_history(town).append(*tables({"late": [(89.5, ["d01"])]}))
    assert tune(town, now=NOW, minutes=9, most_trials=2).resumed_from == 0


def fickle_town(customers: int, *, turned_on_day: float) -> dict[str, list[tuple[float, list[Any]]]]:
    """Everybody orders from one half of the menu, and from that day on from the other: only the last days matter."""
    rng = np.random.default_rng(6)
    likes = 1 / np.arange(1, 16)
    town = {}
    for customer in range(customers):
        days = np.sort(rng.uniform(0, 90, rng.integers(4, 12)))
        dishes = rng.choice(15, len(days), p=likes / likes.sum()) + 15 * (days > turned_on_day)
        town[f"c{customer:03d}"] = [(float(day), [f"d{dish:02d}"]) for day, dish in zip(days, dishes, strict=True)]
    return town


def test_what_is_surely_better_is_adopted_and_trained_with(settings: Settings) -> None:
    # Tuning asks on about day 58, three days after the menu turned.
    open_history(settings).append(*tables(fickle_town(500, turned_on_day=54.5)))
    better = ModelSettings({"trending": {"half_life_days": 0.5}, "popular": {"half_life_days": 2.0}})
    write_model_settings(settings.home, better, {})
    kept = (settings.home / FILE).read_bytes()
    found = tune(settings, now=NOW, minutes=9, most_trials=2)
    assert found.settings == better
    assert found.adopted
    assert found.models.confirmed is not None
    assert found.models.confirmed.interval[0] > 0
    assert ("trending", "half_life_days", 7.0, 0.5) in changes(found.settings, thorough=True)
    assert (settings.home / FILE).read_bytes() == kept  # it says so already
    (settings.home / FILE).unlink()
    searched = tune(settings, now=NOW, minutes=9, most_trials=8)
    assert searched.adopted
    assert read_model_settings(settings.home).as_dict() == searched.settings.as_dict()
    done = run.train(settings, now=NOW)
    assert done.manifest["recipe"]["model_settings"] == searched.settings.as_dict()


def test_an_interval_that_touches_0_may_be_luck() -> None:
    def sure(low: float, high: float) -> Confirmed:
        return Confirmed(100, 0.4, 0.41, 0.01, (low, high), 0.05)

    assert sure(0.001, 0.02).better
    assert not sure(-0.001, 0.02).better
    assert not sure(0.0, 0.02).better


def test_asking_the_same_customers_again_is_asked_for_more(town: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = []

    def confirm(_self: object, _settings: object, *, level: float) -> Confirmed:
        levels.append(level)
        return Confirmed(10, 0.4, 0.4, 0.0, (-0.1, 0.1), level)

    monkeypatch.setattr("training.tune.trial.Field.confirm", confirm)
    values = iter([0.1, 0.2, 0.2, 0.3])
    monkeypatch.setattr("training.tune.trial.Field.value", lambda _self, _settings: next(values))
    write_model_settings(town.home, ModelSettings({"repeat": {"decay": 0.9}}), {})
    kept = (town.home / FILE).read_bytes()
    for _ in range(4):
        assert not tune(town, now=NOW, minutes=9, most_trials=1).adopted
    assert (town.home / FILE).read_bytes() == kept
    # Defaults alone are not confirmed; then the home's own, those once more, and at last a new best.
    assert levels == [0.05, 0.05, 0.025]


def test_too_few_to_tune_by_is_said_with_what_is_needed(settings: Settings) -> None:
    open_history(settings).append(*tables(random_town(40, 15, seed=1)))
    with pytest.raises(NoHistory, match=r"\d+ customers came back .* 200 are needed"):
        tune(settings, now=NOW, minutes=1)


def test_training_and_tuning_do_not_run_at_once(town: Settings) -> None:
    town.artifacts_folder.mkdir(parents=True)
    with (town.artifacts_folder / ".training").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match="another training run, or a search for settings"):
            tune(town, now=NOW, minutes=1)
        with pytest.raises(Conflict):
            run.train(town, now=NOW)


def test_a_broken_study_is_named_and_not_overwritten(town: Settings) -> None:
    study = town.home / "tuning" / "study.db"
    study.parent.mkdir()
    study.write_bytes(b"this is no database at all, but long enough to look like one" * 20)
    before = study.read_bytes()
    with pytest.raises(BadFile, match=r"study\.db: is no study of ours; delete it"):
        tune(town, now=NOW, minutes=1)
    assert study.read_bytes() == before


def test_the_command_prints_what_was_found(
    town: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def regulars(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["regulars", "tune", "--home", str(town.home), *words])
        with pytest.raises(SystemExit) as left:
            command()
        told = capsys.readouterr()
        assert not left.value.code, told.err
        return told.out

    found = json.loads(regulars("--trials", "3", "--minutes", "9", "--json"))
    assert found["trials"] == 3
    assert found["search"]["best"] >= found["search"]["default"]
    assert found["adopted"] == (found["file"] is not None) == (town.home / FILE).exists()
    said = regulars("--minutes", "0")
    assert "3 trials, 0 of them now" in said
    assert any(line in said for line in ("Models: adopted", "Models: not adopted", "Models: no trial beat"))
    assert "Ranker: not searched" in said


@pytest.fixture
def taught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a ranker be taught by fewer than it takes elsewhere, so that a small town may search its settings."""
    monkeypatch.setattr("training.tune.search.LEAST_TAUGHT", 50)


@pytest.mark.usefixtures("taught")
def test_a_third_of_the_trials_goes_to_how_the_ranker_grows(town: Settings) -> None:
    steps: list[Any] = []
    found = tune(town, now=NOW, minutes=9, most_trials=9, report=steps.append)
    assert [step.of for step in steps] == ["models"] * 6 + ["ranker"] * 3
    assert found.ranker is not None
    assert (found.models.trials, found.ranker.trials, found.trials) == (6, 3, 9)
    assert found.ranker.best_value >= found.ranker.default_value > 0
    again = tune(town, now=NOW, minutes=9, most_trials=3, report=steps.append)
    assert again.ranker is not None
    assert (again.models.resumed_from, again.ranker.resumed_from) == (6, 3)


@pytest.mark.usefixtures("taught")
def test_two_trials_all_go_to_the_models(town: Settings) -> None:
    assert tune(town, now=NOW, minutes=9, most_trials=2).ranker is None


def test_a_trial_of_the_ranker_fits_no_model_and_asks_them_nothing_new(
    ground: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ground.ranked_value(ModelSettings())

    def never(*_given: object, **_named: object) -> None:
        raise AssertionError("worked out again")

    monkeypatch.setattr("training.tune.trial.examples_of", never)
    few = ground.ranked_value(ModelSettings({"ranker": {"trees": 20, "rate": 0.01, "leaves": 4}}))
    assert few != first
    assert ground.ranked_value(ModelSettings()) == first


@pytest.mark.usefixtures("taught")
def test_trees_that_are_surely_better_are_adopted_beside_what_was_set_and_trained_with(
    town: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    better = ModelSettings({"repeat": {"decay": 0.9}, "ranker": {"trees": 30, "leaves": 7}})
    write_model_settings(town.home, better, {})

    def confirm(sure: bool) -> Callable[..., Any]:
        return lambda _self, _settings, *, level: Confirmed(10, 0.4, 0.5, 0.1, (0.05 if sure else -0.1, 0.2), level)

    monkeypatch.setattr("training.tune.trial.Field.value", lambda _self, settings: 0.1 + bool(settings.as_dict()))
    monkeypatch.setattr(
        "training.tune.trial.Field.ranked_value", lambda _self, settings: 0.1 + bool(settings.of("ranker"))
    )
    monkeypatch.setattr("training.tune.trial.Field.confirm", confirm(sure=False))
    monkeypatch.setattr("training.tune.trial.Field.confirm_ranker", confirm(sure=True))
    (town.home / FILE).write_text("models: {repeat: {decay: 0.9}, ranker: {leaves: 7}}")
    found = tune(town, now=NOW, minutes=9, most_trials=6)
    # The models' best may be luck, so what the home had set stays; the ranker's is not.
    assert found.adopted
    assert found.kept.as_dict() == {"repeat": {"decay": 0.9}, "ranker": {"leaves": 7}}
    assert read_model_settings(town.home).as_dict() == found.kept.as_dict()


@pytest.mark.usefixtures("taught")
def test_a_ranker_that_is_no_better_leaves_the_file_as_it_was(town: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.tune.trial.Field.value", lambda _self, _settings: 0.1)
    monkeypatch.setattr(
        "training.tune.trial.Field.ranked_value", lambda _self, settings: 0.1 + bool(settings.of("ranker"))
    )
    monkeypatch.setattr(
        "training.tune.trial.Field.confirm_ranker",
        lambda _self, _settings, *, level: Confirmed(10, 0.4, 0.4, 0.0, (-0.1, 0.1), level),
    )
    found = tune(town, now=NOW, minutes=9, most_trials=6)
    assert not found.adopted
    assert found.ranker is not None
    assert found.ranker.settings.of("ranker")
    assert not (town.home / FILE).exists()


def test_the_ranker_is_confirmed_on_the_same_customers_and_models(ground: Field) -> None:
    found = ground.confirm_ranker(ModelSettings({"ranker": {"trees": 20, "rate": 0.01, "leaves": 4}}), level=0.05)
    assert found.customers == len(ground.confirming)
    assert found.difference == pytest.approx(found.found - found.default)
    same = ground.confirm_ranker(ModelSettings({"repeat": {"decay": 0.9}}), level=0.05)
    assert (same.difference, same.interval) == (0.0, (0.0, 0.0))


def test_confirming_compares_the_same_customers(ground: Field) -> None:
    found = ground.confirm(ModelSettings({"repeat": {"decay": 0.5}}), level=0.05)
    assert found.customers == len(ground.confirming)
    assert found.difference == pytest.approx(found.found - found.default)
    assert found.interval[0] < found.difference < found.interval[1]
    same = ground.confirm(ModelSettings(), level=0.05)
    assert (same.difference, same.interval) == (0.0, (0.0, 0.0))
    assert not same.better
    assert np.isfinite(found.default)
