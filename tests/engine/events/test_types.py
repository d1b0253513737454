"""Every event type is declared whole: sentences, examples that its own checks accept, names said once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.events.event import Event
from engine.events.types import EVENT_TYPES, EventType, register_event_type
from engine.events.validate import check_event

NOW = datetime(2026, 1, 16, 4, tzinfo=UTC)


@pytest.mark.parametrize("declared", EVENT_TYPES.values(), ids=lambda each: each.name)
def test_every_type_and_property_has_a_sentence(declared: EventType) -> None:
    assert declared.about.endswith(".")
    assert all(each.about.endswith(".") for each in declared.properties)


@pytest.mark.parametrize("declared", EVENT_TYPES.values(), ids=lambda each: each.name)
def test_the_examples_of_a_type_are_valid_together(declared: EventType) -> None:
    example = {each.name: each.example for each in declared.properties}
    check_event(Event("e1", declared.name, "ann", NOW, example), NOW, "events[0]")


@pytest.mark.parametrize("declared", EVENT_TYPES.values(), ids=lambda each: each.name)
def test_what_is_kept_and_named_is_a_property(declared: EventType) -> None:
    names = [each.name for each in declared.properties]
    assert len(names) == len(set(names))
    assert set(declared.kept or ()) <= set(names)
    if declared.segment_about is not None:
        assert any(each.segment_name is not None for each in declared.properties)


def test_a_type_is_found_under_its_own_name() -> None:
    assert all(declared.name == name for name, declared in EVENT_TYPES.items())


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(ValueError, match="view"):
        register_event_type(EventType("view", "Again.", ()))
