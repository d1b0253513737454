"""The home's tuned.yaml: read strictly, used by training, and told in the manifest."""

from __future__ import annotations

import sys
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cli.main import run as command
from engine.artifact import load, manifest_of
from engine.errors import BadDefinition
from engine.history.opening import open_history
from engine.recommend.published.model import open_published
from engine.settings import Settings
from tests.baskets import random_town, tables
from training import run
from training.evaluate_home import evaluate_home
from training.learn.ranker import Growing
from training.learn.settings import (
    FILE,
    ModelSettings,
    parse_model_settings,
    read_model_settings,
    tunables,
    write_model_settings,
)
from training.learn.stack import models_of

NOW = datetime(2025, 6, 1, tzinfo=UTC)


def values_of(model: Any) -> dict[str, Any]:
    return {name: getattr(model, name) for name in tunables().get(model.name, {})}


def test_every_knob_is_a_setting_of_its_model_whose_default_lies_within_its_bounds() -> None:
    models: dict[str, Any] = {model.name: model for model in models_of(ModelSettings())} | {"ranker": Growing()}
    assert set(tunables()) <= set(models)
    for name, knobs in tunables().items():
        known = {field.name for field in fields(models[name])}
        for key, knob in knobs.items():
            assert key in known, f"{name}.{key}"
            default = getattr(models[name], key)
            assert isinstance(default, int if knob.whole else float), f"{name}.{key}"
            assert knob.low <= default <= knob.high, f"{name}.{key}"


def test_what_is_set_differs_and_all_else_keeps_its_default() -> None:
    plain = {model.name: values_of(model) for model in models_of(ModelSettings())}
    tuned = {m.name: values_of(m) for m in models_of(ModelSettings({"user_knn": {"neighbours": 7, "decay": 0.5}}))}
    assert tuned["user_knn"] == plain["user_knn"] | {"neighbours": 7, "decay": 0.5}
    assert {name: tuned[name] for name in tuned if name != "user_knn"} == {
        name: plain[name] for name in plain if name != "user_knn"
    }


knob_values = {
    name: st.fixed_dictionaries(
        {},
        optional={
            key: st.integers(int(knob.low), int(knob.high)) if knob.whole else st.floats(knob.low, knob.high)
            for key, knob in knobs.items()
        },
    )
    for name, knobs in tunables().items()
}


@hypothesis_settings(max_examples=40, deadline=None)
@given(st.fixed_dictionaries({}, optional=knob_values))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, models: dict[str, Any]) -> None:
    home = tmp_path_factory.mktemp("home")
    write_model_settings(home, ModelSettings(models), {"trials": 3})
    assert read_model_settings(home).as_dict() == ModelSettings(models).as_dict()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"modles": {}}, r"tuned.yaml.modles: unknown key; did you mean 'models'"),
        ({"models": {"userknn": {}}}, r"models.userknn: unknown key; did you mean 'user_knn'"),
        ({"models": {"user_knn": {"neighbors": 3}}}, r"user_knn.neighbors: unknown key; did you mean 'neighbours'"),
        ({"models": {"user_knn": {"neighbours": 3}}}, r"neighbours: 3 must lie between 10 and 500"),
        ({"models": {"user_knn": {"neighbours": 20.5}}}, r"20.5 is no whole number"),
        ({"models": {"user_knn": {"decay": True}}}, r"True is no number"),
        ({"models": {"user_knn": {"decay": float("nan")}}}, r"nan must lie between"),
        ({"models": ["user_knn"]}, r"models: must be keys and values"),
        ("text", r"must be keys and values"),
    ],
)
def test_a_wrong_setting_is_named_with_its_path(content: str | dict[str, Any], says: str) -> None:
    with pytest.raises(BadDefinition, match=says):
        parse_model_settings(content)


def test_a_broken_file_stops_training_with_one_line(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.home.mkdir()
    (settings.home / FILE).write_text("models: [", encoding="utf-8")
    for verb in ("train", "evaluate"):
        monkeypatch.setattr(sys, "argv", ["regulars", verb, "--home", str(settings.home)])
        with pytest.raises(SystemExit) as left:
            command()
        told = capsys.readouterr().err
        assert left.value.code == 2
        assert "tuned.yaml: is not YAML" in told
        assert "delete it to use the defaults" in told
        assert len(told.splitlines()) == 1


def test_training_uses_the_file_says_so_and_learns_anew_when_it_changes(settings: Settings) -> None:
    open_history(settings).append(*tables(random_town(80, 15, seed=1)))
    first = run.train(settings, now=NOW)
    assert "model_settings" not in first.manifest["recipe"]
    assert run.train(settings, now=NOW.replace(day=2)).unchanged
    write_model_settings(settings.home, ModelSettings({"als": {"factors": 8}, "repeat": {"decay": 0.6}}), {})
    # Whether they are good settings is the gate's question.
    tuned = run.train(settings, now=NOW.replace(day=3), force=True)
    assert tuned.published
    told = manifest_of(settings.artifacts_folder, tuned.version)["recipe"]
    assert told["model_settings"] == {"als": {"factors": 8}, "repeat": {"decay": 0.6}}
    served: dict[str, Any] = {m.name: m for m in open_published(load(settings.artifacts_folder, tuned.version)).models}
    assert served["als"].item_factors.shape[1] == 8
    assert served["repeat"].decay == pytest.approx(0.6)
    assert run.train(settings, now=NOW.replace(day=4)).unchanged
    (settings.home / FILE).unlink()
    again = run.train(settings, now=NOW.replace(day=5), force=True)
    assert "model_settings" not in again.manifest["recipe"]
    first_arrays, last_arrays = (load(settings.artifacts_folder, done.version).arrays for done in (first, again))
    np.testing.assert_array_equal(first_arrays["models.als.item_factors"], last_arrays["models.als.item_factors"])


def test_evaluation_judges_with_the_same_settings(settings: Settings) -> None:
    open_history(settings).append(*tables(random_town(80, 15, seed=1)))
    how: dict[str, Any] = {"horizon_days": 28, "future": None, "k": 5, "seed": 0, "report": lambda _: None}
    plain = evaluate_home(settings, **how)
    write_model_settings(settings.home, ModelSettings({"user_knn": {"neighbours": 10, "last": 1}}), {})
    tuned = evaluate_home(settings, **how)
    assert (plain["model_settings"], tuned["model_settings"]) == ({}, {"user_knn": {"neighbours": 10, "last": 1}})
    assert plain["models"]["user_knn"] != tuned["models"]["user_knn"]
    assert plain["models"]["als"] == tuned["models"]["als"]


def test_baskets_of_other_times_of_day_must_count_something() -> None:
    # A customer may have ordered at no other time: a share of nothing would be no number.
    assert tunables()["repeat_by_daypart"]["elsewhen"].low > 0
