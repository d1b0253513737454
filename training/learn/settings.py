"""The settings of models and ranker: what may be set, within which bounds, and what a home's `tuned.yaml` sets.

Defaults stand in the models themselves; here is only what differs from them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import BadDefinition
from engine.files.atomic import replace
from engine.files.sections import mapping
from engine.files.yaml import read_yaml, write_yaml
from engine.models.base import Tunable
from engine.models.registry import REGISTRY

FILE = "tuned.yaml"
RANKER = "ranker"
HEAD = "# Written by `regulars tune`; `regulars train` uses it. Delete it to go back to the defaults.\n"


RANKER_TUNABLES: Mapping[str, Tunable] = {
    "trees": Tunable("Trees; each takes its time of every request.", 20, 300, whole=True, log=True),
    "rate": Tunable("What each tree adds of what is left to learn.", 0.01, 0.3, log=True),
    "leaves": Tunable("Leaves of a tree.", 4, 63, whole=True, log=True),
    "least_in_leaf": Tunable("Dishes shown that a leaf needs to have a value.", 10, 1000, whole=True, log=True),
    "l2": Tunable("Pull of leaves towards 0.", 0.01, 100, log=True),
    "features": Tunable("Share of the features each tree looks at.", 0.1, 1.0),
}


def tunables() -> dict[str, Mapping[str, Tunable]]:
    """Return what may be set, by model and setting, the ranker's after all models'."""
    return {kind.name: kind.tunables for kind in REGISTRY if kind.tunables} | {RANKER: RANKER_TUNABLES}


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Settings by model and name; what is missing keeps the model's default."""

    models: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def of(self, model: str) -> Mapping[str, float]:
        """Return what is set for `model`; empty where it keeps its defaults."""
        return self.models.get(model, {})

    def with_model(self, model: str, values: Mapping[str, float]) -> ModelSettings:
        """Return these settings with `values` for `model` in place of what was set for it."""
        return ModelSettings({**self.models, model: dict(values)})

    def without(self, model: str) -> ModelSettings:
        """Return these settings with nothing set for `model`."""
        return ModelSettings({name: values for name, values in self.models.items() if name != model})

    def as_dict(self) -> dict[str, dict[str, float]]:
        """Return the JSON form, models without a setting left out."""
        return {name: dict(values) for name, values in self.models.items() if values}


def read_model_settings(home: Path) -> ModelSettings:
    """Read `<home>/tuned.yaml`; the defaults where it is absent. Raises BadDefinition with the wrong key's path."""
    file = home / FILE
    if not file.exists():
        return ModelSettings()
    content = read_yaml(file, hint="; mend it, or delete it to use the defaults")
    return parse_model_settings(content, where=str(file))


def parse_model_settings(content: object, *, where: str = FILE) -> ModelSettings:
    """Check a parsed document; `where` starts every path, and `found`, how it came about, is not read.

    Raises BadDefinition.
    """
    given = mapping(content if content is not None else {}, ("models", "found"), where)
    models: dict[str, dict[str, float]] = {}
    known = tunables()
    for name, values in mapping(given.get("models") or {}, known, f"{where}.models").items():
        path = f"{where}.models.{name}"
        own = mapping(values, known[name], path)
        models[name] = {key: _value(value, known[name][key], f"{path}.{key}") for key, value in own.items()}
    return ModelSettings(models)


def write_model_settings(home: Path, settings: ModelSettings, found: Mapping[str, object]) -> Path:
    """Write `<home>/tuned.yaml`, whole or not at all; `found` is how the settings came about."""
    path = home / FILE
    text = HEAD + write_yaml({"models": settings.as_dict(), "found": dict(found)})
    replace(path, lambda file: file.write_text(text, encoding="utf-8"))
    return path


def _value(value: object, tunable: Tunable, where: str) -> float:
    whole = tunable.whole
    if not isinstance(value, int | float) or isinstance(value, bool) or (whole and not float(value).is_integer()):
        raise BadDefinition(f"{value!r} is no {'whole ' if whole else ''}number", where=where)
    if math.isnan(value) or not tunable.low <= value <= tunable.high:
        raise BadDefinition(f"{value!r} must lie between {tunable.low:g} and {tunable.high:g}", where=where)
    return int(value) if whole else float(value)
