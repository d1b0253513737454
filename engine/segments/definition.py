"""A segment as written, and the ready ones that come with the product.

A definition is YAML or JSON: a bare rule, or `name:` (en, zh), `about:` (en, zh), `parameters:` and `rule:`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from engine.errors import BadDefinition, did_you_mean
from engine.files.yaml import parse_yaml
from engine.language import LANGUAGES

READY_SEGMENTS = Path(__file__).parent / "ready"
MAX_BYTES = 256 * 1024
MAX_NODES = 50_000
HEADINGS = ("name", "about", "parameters", "rule")


@dataclass(frozen=True, slots=True)
class SegmentDefinition:
    """A segment as written: its tree, the words people know it by, and the parameters its tree fills in.

    `parameters` maps a name to its default, None where one must be given; the tree names one as "$cuisine".
    """

    tree: object
    title: Mapping[str, str]
    about: Mapping[str, str]
    parameters: Mapping[str, object]

    def as_json(self) -> dict[str, object]:
        """Return it as it is written, headings first where it has any."""
        found: dict[str, object] = {"name": dict(self.title)} if self.title else {}
        if self.about:
            found["about"] = dict(self.about)
        if self.parameters:
            found["parameters"] = dict(self.parameters)
        return found | {"rule": self.tree}

    def filled(self, given: Mapping[str, object], *, where: str) -> object:
        """Return the tree with parameters filled in. Raises BadDefinition for one unknown or missing."""
        for name in given:
            if name not in self.parameters:
                known = did_you_mean(name, self.parameters) if self.parameters else "; it takes none"
                raise BadDefinition(f"unknown parameter {name!r}{known}", where=where)
        values = {name: given.get(name, default) for name, default in self.parameters.items()}
        for name, value in values.items():
            if value is None:
                raise BadDefinition(f"needs its parameter {name!r}, such as {name}: ...", where=where)
        return _filled(self.tree, values)


def ready_segment_names() -> list[str]:
    """Return the names of the segments that come with the product."""
    return sorted(path.stem for path in READY_SEGMENTS.glob("*.yaml"))


@cache
def ready_segment(name: str) -> SegmentDefinition:
    """Return the ready segment `name`."""
    return read_segment_definition((READY_SEGMENTS / f"{name}.yaml").read_text(encoding="utf-8"))


def read_segment_definition(text: str) -> SegmentDefinition:
    """Read YAML or JSON text; the rule itself is checked by `parse_rule`. Raises BadDefinition."""
    return segment_definition_of(read_segment_tree(text))


def read_segment_tree(text: str) -> object:
    """Return the parsed tree of YAML or JSON text. Raises BadDefinition where it is neither, or too large."""
    if len(text.encode()) > MAX_BYTES:
        raise BadDefinition(f"larger than {MAX_BYTES // 1024} KB; this is no segment")
    return parse_yaml(text, max_nodes=MAX_NODES)


def segment_definition_of(tree: object) -> SegmentDefinition:
    """Return the definition a parsed `tree` gives. Raises BadDefinition for a wrong heading."""
    _refuse_endless(tree)
    if not isinstance(tree, Mapping) or "rule" not in tree:
        return SegmentDefinition(tree, {}, {}, {})
    for key in tree:
        if key not in HEADINGS:
            raise BadDefinition(f"unknown field{did_you_mean(str(key), HEADINGS)}", where=str(key))
    parameters = tree.get("parameters", {})
    if not isinstance(parameters, Mapping) or not all(isinstance(key, str) for key in parameters):
        raise BadDefinition("expected names, each with a default or nothing", where="parameters")
    return SegmentDefinition(tree["rule"], _words(tree, "name"), _words(tree, "about"), dict(parameters))


def _refuse_endless(tree: object) -> None:
    """Refuse what is small in the file and endless when read, as YAML aliases within aliases make it."""
    left, waiting = MAX_NODES, [tree]
    while waiting:
        left -= 1
        if left < 0:
            raise BadDefinition(f"too large; at most {MAX_NODES:,} names and values")
        each = waiting.pop()
        if isinstance(each, Mapping):
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _words(tree: Mapping[object, object], key: str) -> dict[str, str]:
    value = tree.get(key, {})
    if isinstance(value, str):
        value = dict.fromkeys(LANGUAGES, value)
    if not isinstance(value, Mapping) or not all(k in LANGUAGES and isinstance(v, str) for k, v in value.items()):
        raise BadDefinition("expected text, or `en:` and `zh:`", where=key)
    return dict(value)


def _filled(tree: object, values: Mapping[str, object]) -> object:
    if isinstance(tree, Mapping):
        return {key: _filled(inner, values) for key, inner in tree.items()}
    if isinstance(tree, list):
        return [_filled(each, values) for each in tree]
    if isinstance(tree, str) and tree.startswith("$") and tree[1:] in values:
        return values[tree[1:]]
    return tree
