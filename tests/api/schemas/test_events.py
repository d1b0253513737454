"""The OpenAPI document describes every event type with its own properties."""

from __future__ import annotations

from typing import Any

import pytest

from api.app import build
from api.schemas.events import ANY_EVENT, shape_name
from api.schemas.responses import PARTS
from engine.events.types import EVENT_TYPES, EventType
from engine.settings import Settings


@pytest.fixture
def schemas(settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = build(settings).openapi()["components"]["schemas"]
    return found


@pytest.mark.parametrize("declared", EVENT_TYPES.values(), ids=lambda each: each.name)
def test_a_type_is_described_by_its_declaration(schemas: dict[str, Any], declared: EventType) -> None:
    shape = schemas[shape_name(declared)]
    assert shape["description"] == declared.about
    assert shape["properties"]["type"] == {"const": declared.name}
    own = shape["properties"]["properties"]
    assert list(own["properties"]) == [each.name for each in declared.properties]
    assert own["required"] == [each.name for each in declared.properties if each.required]
    for each in declared.properties:
        assert own["properties"][each.name]["examples"] == [each.example]


def test_an_event_is_one_of_the_types_told_apart_by_its_type(schemas: dict[str, Any]) -> None:
    any_event = schemas[ANY_EVENT]
    named = [PARTS + shape_name(declared) for declared in EVENT_TYPES.values()]
    assert [each["$ref"] for each in any_event["oneOf"]] == named
    assert any_event["discriminator"]["mapping"] == dict(zip(EVENT_TYPES, named, strict=True))


def test_every_shape_has_what_all_events_have(schemas: dict[str, Any]) -> None:
    for declared in EVENT_TYPES.values():
        shape = schemas[shape_name(declared)]
        assert set(shape["properties"]) == {"event_id", "type", "customer_id", "at", "properties"}
        assert set(shape["required"]) == {"event_id", "type", "customer_id", "properties"}
