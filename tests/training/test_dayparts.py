"""Dayparts configured in customers.yaml reach the models, the artifact and the reasons."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from engine.artifact import load
from engine.history.dayparts import Dayparts
from engine.history.opening import open_history
from engine.models.daypart import PopularByDaypart, RepeatByDaypart
from engine.recommend.published.model import PublishedModel, open_published
from engine.settings import Settings
from tests.baskets import random_town, tables
from training import run

NOW = datetime(2025, 6, 1, tzinfo=UTC)
EARLY = Dayparts(breakfast=4, lunch=9, afternoon=13, dinner=16, late=20)


def published(settings: Settings, dayparts: Dayparts | None) -> PublishedModel:
    """Train a home and open what it published; `dayparts` None leaves customers.yaml out."""
    open_history(settings).append(*tables(random_town(120, 15, seed=1)))
    if dayparts is not None:
        hours = "".join(f"  {name}: {hour}\n" for name, hour in dayparts.starts().items())
        (settings.home / "customers.yaml").write_text(f"dayparts:\n{hours}", encoding="utf-8")
    done = run.train(settings, now=NOW)
    return open_published(load(settings.artifacts_folder, done.version))


def test_configured_dayparts_are_in_models_and_reasons_of_the_reopened_artifact(settings: Settings) -> None:
    opened = published(settings, EARLY)
    assert opened.dayparts == EARLY
    assert opened.manifest["data"]["dayparts"] == EARLY.starts()
    by_daypart = [model for model in opened.models if isinstance(model, PopularByDaypart | RepeatByDaypart)]
    assert [model.dayparts for model in by_daypart] == [EARLY, EARLY]


def test_an_artifact_without_a_word_of_dayparts_uses_the_usual_ones(settings: Settings) -> None:
    opened = published(settings, None)
    assert "dayparts" not in opened.manifest["data"]
    assert opened.dayparts == Dayparts()


def test_other_dayparts_are_learned_although_history_is_the_same(settings: Settings) -> None:
    first = published(settings, None)
    (settings.home / "customers.yaml").write_text("dayparts: {breakfast: 4}\n", encoding="utf-8")
    again = run.train(settings, now=NOW + timedelta(days=1))
    assert not again.unchanged
    assert again.version != first.version
