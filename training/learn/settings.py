"""The settings of models and ranker: what may be set, within which bounds, and what a home's `tuned.yaml` says.

Defaults stand in the models themselves; here is only what differs from them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from engine.errors import BadDefinition
from engine.files.atomic import replace
from engine.files.sections import mapping
from engine.files.yaml import StrictLoader

FILE = "tuned.yaml"
RANKER = "ranker"
HEAD = "# Written by `regulars tune`; `regulars train` uses it. Delete it to go back to the defaults.\n"


@dataclass(frozen=True, slots=True)
class Knob:
    """One setting of a model: what it means and from `low` to `high` what it may be; `log`: its size is what counts."""

    about: str
    low: float
    high: float
    whole: bool = False
    log: bool = False


KNOBS: Mapping[str, Mapping[str, Knob]] = {
    "popular": {
        "half_life_days": Knob("An order counts half after this.", 2, 1000, log=True),
        "shrink": Knob("Baskets a zone needs to speak for itself.", 1, 500, log=True),
        "reach_km": Knob("Twice as far from her as this, an order on the map counts a ninth.", 0.2, 20, log=True),
    },
    "trending": {
        "half_life_days": Knob("An order counts half after this.", 0.5, 60, log=True),
        "reach_km": Knob("Twice as far from her as this, an order on the map counts a ninth.", 0.2, 20, log=True),
    },
    "popular_by_daypart": {
        "half_life_days": Knob("An order counts half after this.", 2, 1000, log=True),
        "evidence": Knob("Baskets a time of day needs to speak for itself, by dish.", 1, 500, log=True),
    },
    "repeat_by_daypart": {
        "decay": Knob("What each older basket counts of the one after it.", 0.5, 1.0),
        "elsewhen": Knob("What a basket of another time of day counts.", 0.01, 1.0),
    },
    "popular_by_language": {
        "half_life_days": Knob("An order counts half after this.", 2, 1000, log=True),
        "evidence": Knob("Baskets a language needs to speak for itself, by dish.", 1, 500, log=True),
    },
    "referral": {
        "decay": Knob("What each older basket counts of the one after it.", 0.5, 1.0),
        "least_customers": Knob("Customers a dish needs to be passed on.", 2, 1000, log=True),
    },
    "repeat": {"decay": Knob("What each older basket counts of the one after it.", 0.5, 1.0)},
    "als": {
        "factors": Knob("Length of the factors.", 8, 128, whole=True, log=True),
        "regularization": Knob("Pull towards 0.", 0.01, 200, log=True),
        "alpha": Knob("Confidence a basket adds.", 0.5, 100, log=True),
    },
    "item_knn": {"neighbours": Knob("Neighbours of a dish.", 5, 400, whole=True, log=True)},
    "next_item": {
        "last": Knob("Baskets that speak.", 1, 20, whole=True),
        "decay": Knob("What each older basket counts of the one after it.", 0.2, 1.0),
        "shrink": Knob("Baskets a dish needs to speak for itself.", 0.1, 200, log=True),
    },
    "user_knn": {
        "neighbours": Knob("Neighbours of a customer.", 10, 500, whole=True, log=True),
        "asymmetry": Knob("How far her own baskets, not the neighbour's, set the scale.", 0.0, 1.0),
        "shrink": Knob("Doubt in neighbours with little in common.", 0.1, 100, log=True),
        "last": Knob("Baskets of a neighbour that vote.", 1, 30, whole=True, log=True),
        "decay": Knob("What each older basket counts of the one after it.", 0.3, 1.0),
    },
    RANKER: {
        "trees": Knob("Trees; each takes its time of every request.", 20, 300, whole=True, log=True),
        "rate": Knob("What each tree says of what is left to learn.", 0.01, 0.3, log=True),
        "leaves": Knob("Leaves of a tree.", 4, 63, whole=True, log=True),
        "least_in_leaf": Knob("Dishes shown that a leaf needs to speak.", 10, 1000, whole=True, log=True),
        "l2": Knob("Pull of leaves towards 0.", 0.01, 100, log=True),
        "features": Knob("Share of the features each tree looks at.", 0.1, 1.0),
    },
    "ease": {"ridge": Knob("Pull towards 0, in mean customers of a dish.", 0.5, 200, log=True)},
}


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
    try:
        # The loader is YAML's safe one, made stricter.
        content = yaml.load(file.read_text(encoding="utf-8"), StrictLoader)  # noqa: S506
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise BadDefinition(
            f"is not YAML: {' '.join(str(error).split())}; mend it, or delete it to use the defaults", where=str(file)
        ) from error
    return parse_model_settings(content, where=str(file))


def parse_model_settings(content: object, *, where: str = FILE) -> ModelSettings:
    """Check a parsed document; `where` starts every path, and `found`, how it came about, is not read.

    Raises BadDefinition.
    """
    given = mapping(content if content is not None else {}, ("models", "found"), where)
    models: dict[str, dict[str, float]] = {}
    for name, values in mapping(given.get("models") or {}, KNOBS, f"{where}.models").items():
        path = f"{where}.models.{name}"
        own = mapping(values, KNOBS[name], path)
        models[name] = {key: _value(value, KNOBS[name][key], f"{path}.{key}") for key, value in own.items()}
    return ModelSettings(models)


def write_model_settings(home: Path, settings: ModelSettings, found: Mapping[str, object]) -> Path:
    """Write `<home>/tuned.yaml`, whole or not at all; `found` says how the settings came about."""
    path = home / FILE
    text = HEAD + yaml.safe_dump({"models": settings.as_dict(), "found": dict(found)}, sort_keys=False)
    replace(path, lambda file: file.write_text(text, encoding="utf-8"))
    return path


def _value(value: object, knob: Knob, where: str) -> float:
    whole = knob.whole
    if not isinstance(value, int | float) or isinstance(value, bool) or (whole and not float(value).is_integer()):
        raise BadDefinition(f"{value!r} is no {'whole ' if whole else ''}number", where=where)
    if math.isnan(value) or not knob.low <= value <= knob.high:
        raise BadDefinition(f"{value!r} must lie between {knob.low:g} and {knob.high:g}", where=where)
    return int(value) if whole else float(value)
