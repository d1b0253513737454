"""Properties of events lie in the frames they are read from, and only numbers are summed."""

from __future__ import annotations

import pytest

from engine.columns import LINES, ORDERS
from engine.segments.properties import BY_CLOCK, BY_MENU, FROM_HISTORY, SEGMENT_EVENTS
from engine.segments.sources import INBOX_EVENTS

DERIVED = {"discounted"}


@pytest.mark.parametrize("name", SEGMENT_EVENTS)
def test_every_property_is_a_column_or_derived_from_clock_or_menu(name: str) -> None:
    frame = {"order": ORDERS, "order_line": LINES}.get(name, INBOX_EVENTS)
    for prop, each in SEGMENT_EVENTS[name].properties.items():
        assert each.about.endswith("."), prop
        if each.column is None:
            assert prop in (*BY_CLOCK, *BY_MENU) or (prop == "vendor" and name not in FROM_HISTORY)
        else:
            assert each.column in frame.keys() | DERIVED, prop


def test_only_money_and_numbers_are_summed() -> None:
    for each in SEGMENT_EVENTS.values():
        assert {each.properties[name].kind for name in each.summed} <= {"money", "number"}
