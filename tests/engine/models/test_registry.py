"""The one list of models: names are distinct, every model is findable by its name."""

from __future__ import annotations

import pytest

from engine.models.registry import REGISTRY, default_weights, impersonal_models, model_kind


def test_every_model_is_found_by_its_name_and_names_are_distinct() -> None:
    assert [model_kind(kind.name) for kind in REGISTRY] == REGISTRY
    assert len(default_weights()) == len(REGISTRY)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError, match="gone"):
        model_kind("gone")


def test_newcomers_have_models_with_a_weight() -> None:
    weights = default_weights()
    assert impersonal_models()
    assert all(weights[name] > 0 for name in impersonal_models())


def test_exactly_the_tunables_of_a_model_are_its_fields() -> None:
    for kind in REGISTRY:
        assert all(hasattr(kind(), name) for name in kind.tunables), kind.name
