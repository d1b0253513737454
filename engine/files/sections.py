"""Sections of a YAML file that operators write: each a frozen dataclass whose fields carry meaning and range."""

from __future__ import annotations

import math
from dataclasses import field, fields
from typing import Any, get_type_hints

from engine.errors import BadDefinition, did_you_mean


def key(default: Any, about: str, low: float = 0, high: float = 1, choices: tuple[str, ...] = ()) -> Any:
    """Return a dataclass field that holds what it means and from `low` to `high` what it may be."""
    return field(default=default, metadata={"about": about, "low": low, "high": high, "choices": choices})


def mapping(content: object, known: Any, where: str) -> dict[str, object]:
    """Return `content` as names and values, each name one of `known`. Raises BadDefinition at `where`."""
    if not isinstance(content, dict):
        raise BadDefinition(f"must be keys and values, found {content!r}", where=where)
    for name in content:
        if name not in known:
            raise BadDefinition(f"unknown key{did_you_mean(str(name), known)}", where=f"{where}.{name}")
    return {str(name): value for name, value in content.items()}


def section(kind: Any, content: object, where: str) -> dict[str, object]:
    """Return the values `content` gives for fields of the dataclass `kind`, checked. Raises BadDefinition."""
    types = get_type_hints(kind)
    rules = {f.name: f.metadata for f in fields(kind)}
    given = mapping(content, rules, where)
    return {name: _value(value, types[name], rules[name], f"{where}.{name}") for name, value in given.items()}


def _value(value: object, kind: type, rule: Any, where: str) -> object:
    if kind is str:
        if value not in rule["choices"]:
            raise BadDefinition(f"{value!r} is none of {', '.join(rule['choices'])}", where=where)
        return value
    if not isinstance(value, int | float) or isinstance(value, bool) or (kind is int and not float(value).is_integer()):
        raise BadDefinition(f"{value!r} is no {'whole ' if kind is int else ''}number", where=where)
    if math.isnan(value) or not rule["low"] <= value <= rule["high"]:
        raise BadDefinition(f"{value!r} must lie between {rule['low']} and {rule['high']}", where=where)
    return int(value) if kind is int else float(value)
