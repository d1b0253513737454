"""The JSON shape of every event type, for the OpenAPI document: made from the declarations of `engine.events.types`."""

from __future__ import annotations

from typing import Any

from api.schemas.responses import PARTS
from engine.events.types import EVENT_TYPES, EventType

ANY_EVENT = "EventShape"


def with_event_types(document: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI document with a shape for each event type, in place of one for events of any type."""
    schemas = document["components"]["schemas"]
    common = schemas[ANY_EVENT]
    shapes = {shape_name(declared): event_schema(declared, common) for declared in EVENT_TYPES.values()}
    schemas |= shapes
    schemas[ANY_EVENT] = {
        "title": ANY_EVENT,
        "description": common["description"],
        "oneOf": [{"$ref": PARTS + name} for name in shapes],
        "discriminator": {
            "propertyName": "type",
            "mapping": {declared.name: PARTS + shape_name(declared) for declared in EVENT_TYPES.values()},
        },
    }
    return document


def shape_name(declared: EventType) -> str:
    """Return the name of a type's shape, such as OrderStatusEvent."""
    return "".join(part.capitalize() for part in declared.name.split("_")) + "Event"


def event_schema(declared: EventType, common: dict[str, Any]) -> dict[str, Any]:
    """Return the shape of one event type: `common`, the shape of any event, with the type's own properties."""
    own = {
        each.name: {"description": each.about, "examples": [each.example], **each.value.json_schema()}
        for each in declared.properties
    }
    properties = {
        "type": "object",
        "additionalProperties": False,
        "properties": own,
        "required": [each.name for each in declared.properties if each.required],
    }
    return {
        **common,
        "title": shape_name(declared),
        "description": declared.about,
        "properties": common["properties"] | {"type": {"const": declared.name}, "properties": properties},
        "required": [*common["required"], "properties"],
    }
