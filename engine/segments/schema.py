"""The JSON Schema of a segment, made from the tree's own definition so that the two cannot part."""

from __future__ import annotations

from engine.customers.columns import DAYPART_NAMES
from engine.segments.fields import DAY_OPERATORS, LIST_OPERATORS, OPERATORS, SEGMENT_FIELDS, ValueKind
from engine.segments.parse import MAX_CLAUSES, MAX_DEPTH, MEASURES
from engine.segments.properties import SEGMENT_EVENTS, EventKind
from engine.segments.values import MOST_WINDOW_DAYS, WEEKDAY_NAMES

JsonSchema = dict[str, object]
VALUE_SCHEMAS: dict[ValueKind, JsonSchema] = {
    "number": {"type": "number"},
    "money": {"type": ["number", "string"], "description": "An amount in major units, such as 50 or 3.20."},
    "word": {"type": "string", "minLength": 1},
    "words": {"type": "string", "minLength": 1},
    "boolean": {"type": "boolean"},
    "instant": {"type": "string", "description": "2026-03-01 (UTC midnight) or 2026-03-01T10:00:00Z."},
    "date": {"type": "string", "format": "date"},
    "weekday": {"enum": [*range(1, 8), *WEEKDAY_NAMES]},
    "daypart": {"enum": list(DAYPART_NAMES)},
}
PLAIN: tuple[ValueKind, ...] = ("word", "boolean", "weekday", "daypart")
DAYS_SCHEMA: JsonSchema = {"type": "number", "exclusiveMinimum": 0, "maximum": MOST_WINDOW_DAYS}
RULE_SCHEMA: JsonSchema = {"$ref": "#/$defs/rule"}


def segment_json_schema() -> JsonSchema:
    """Return the schema (draft 2020-12) of a rule, or of the name of a ready or saved segment."""
    kinds = {f"compare_{kind}": _comparison(kind) for kind in OPERATORS}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Segment",
        "description": f"One clause; at most {MAX_DEPTH} levels and {MAX_CLAUSES} clauses.",
        "oneOf": [{"type": "string", "description": "The name of a ready or saved segment."}, RULE_SCHEMA],
        "$defs": {"rule": _rule(), **kinds, **{f"where_{name}": _where(kind) for name, kind in SEGMENT_EVENTS.items()}},
    }


def _rule() -> JsonSchema:
    several: JsonSchema = {"type": "array", "items": RULE_SCHEMA, "minItems": 1}
    properties: dict[str, object] = {"all": several, "any": several, "not": RULE_SCHEMA}
    properties["segment"] = {
        "oneOf": [
            {"type": "string"},
            {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "rule": RULE_SCHEMA}},
        ]
    }
    properties["sample"] = _object(
        {
            "salt": {"type": "string", "minLength": 1, "maxLength": 200},
            "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            "from": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
        },
        required=["salt", "share"],
    )
    for what in MEASURES:
        kinds = [kind for kind in SEGMENT_EVENTS if what != "sum" or SEGMENT_EVENTS[kind].summed]
        properties[what] = {"oneOf": [_event(what, name, SEGMENT_EVENTS[name]) for name in kinds]}
    for name, field in SEGMENT_FIELDS.items():
        properties[name] = {"description": field.about, **_reference(field.kind)}
    return {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": False,
            "properties": properties}  # fmt: skip


def _event(what: str, name: str, kind: EventKind) -> JsonSchema:
    instant = VALUE_SCHEMAS["instant"]
    properties: dict[str, object] = {
        "event": {"const": name, "description": kind.about},
        "where": {"$ref": f"#/$defs/where_{name}"},
        "last_days": DAYS_SCHEMA,
        "before_days": DAYS_SCHEMA,
        "between": {"type": "array", "items": instant, "minItems": 2, "maxItems": 2},
        "before": instant,
    }
    required = ["event"]
    if what == "sum":
        properties["of"] = {"enum": list(kind.summed)}
        required.append("of")
    if what != "absent":
        # A sum may be of money or of a number, and both are numbers here.
        compared: ValueKind = "instant" if what in ("first", "last") else "number"
        for operator in (*OPERATORS[compared], "known"):
            properties.setdefault(operator, _value(compared, operator))
    return _object(properties, required=required)


def _where(kind: EventKind) -> JsonSchema:
    properties: dict[str, object] = {
        name: {"description": each.about, **_reference(each.kind)} for name, each in kind.properties.items()
    }
    return {**_object(properties), "minProperties": 1}


def _comparison(kind: ValueKind) -> JsonSchema:
    operators: dict[str, object] = {operator: _value(kind, operator) for operator in (*OPERATORS[kind], "known")}
    return {**_object(operators), "minProperties": 1}


def _value(kind: ValueKind, operator: str) -> JsonSchema:
    one = VALUE_SCHEMAS[kind]
    if operator == "known":
        return {"type": "boolean"}
    if operator in DAY_OPERATORS:
        return DAYS_SCHEMA
    if operator == "anniversary_within_days":
        return {"type": "integer", "minimum": 1, "maximum": 366}
    if operator in LIST_OPERATORS:
        return {"type": "array", "items": one, "minItems": 1, "maxItems": 10_000}
    return {"type": "array", "items": one, "minItems": 2, "maxItems": 2} if operator == "between" else one


def _reference(kind: ValueKind) -> JsonSchema:
    full: JsonSchema = {"$ref": f"#/$defs/compare_{kind}"}
    return {"oneOf": [VALUE_SCHEMAS[kind], full]} if kind in PLAIN else full


def _object(properties: dict[str, object], required: list[str] | None = None) -> JsonSchema:
    found: JsonSchema = {"type": "object", "additionalProperties": False, "properties": properties}
    return found | {"required": required} if required else found
