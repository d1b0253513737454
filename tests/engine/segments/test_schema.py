"""The JSON Schema allows what the parser reads: every field, event, property and comparison, and no other."""

from __future__ import annotations

from typing import Any

from engine.segments.fields import OPERATORS, SEGMENT_FIELDS
from engine.segments.parse import MEASURES, NODES, parse_rule
from engine.segments.properties import SEGMENT_EVENTS
from engine.segments.schema import segment_json_schema

DEFS: Any = segment_json_schema()["$defs"]


def test_a_rule_is_one_of_the_nodes_or_fields() -> None:
    rule = DEFS["rule"]
    assert set(rule["properties"]) == {*NODES, *SEGMENT_FIELDS}
    assert (rule["minProperties"], rule["maxProperties"], rule["additionalProperties"]) == (1, 1, False)


def test_every_kind_has_its_comparisons() -> None:
    for kind, operators in OPERATORS.items():
        assert set(DEFS[f"compare_{kind}"]["properties"]) == {*operators, "known"}


def test_every_event_has_its_properties() -> None:
    for name, kind in SEGMENT_EVENTS.items():
        assert set(DEFS[f"where_{name}"]["properties"]) == set(kind.properties)
    for what in MEASURES:
        named = {each["properties"]["event"]["const"] for each in DEFS["rule"]["properties"][what]["oneOf"]}
        assert named == {name for name, kind in SEGMENT_EVENTS.items() if what != "sum" or kind.summed}


def test_every_reference_leads_somewhere() -> None:
    def references(tree: object) -> list[str]:
        if isinstance(tree, dict):
            own = [tree["$ref"]] if "$ref" in tree else []
            return own + [found for each in tree.values() for found in references(each)]
        return [found for each in tree for found in references(each)] if isinstance(tree, list) else []

    found = references(segment_json_schema())
    assert found
    assert {each.removeprefix("#/$defs/") for each in found} <= set(DEFS)


def test_every_field_it_names_is_read_by_the_parser() -> None:
    for name in DEFS["rule"]["properties"]:
        if name in SEGMENT_FIELDS:
            parse_rule({name: {"known": True}}, currency="USD")
