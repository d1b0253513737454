"""Whether an event may enter the inbox: its type, instant and properties, checked against the declaration."""

from __future__ import annotations

from datetime import datetime, timedelta

from engine.errors import BadRequest, did_you_mean
from engine.events.event import Event
from engine.events.types import EVENT_TYPES

# Clocks of phones run ahead; an instant further in the future is a mistake and would outrank all later events.
MOST_AHEAD = timedelta(hours=24)
# An app reports what happens; history is imported. Further back lies an unset clock.
MOST_BACK = timedelta(days=731)


def check_event(event: Event, now: datetime, where: str) -> None:
    """Raise BadRequest for an event that contradicts the declaration of its type.

    The error's place is a path below `where`, such as `events[0].properties.rating`. The first fault is reported:
    type, instant, unknown properties, missing ones, values in the order given, rules over several properties.
    """
    declared = EVENT_TYPES.get(event.type)
    if declared is None:
        raise BadRequest(f"unknown event type{did_you_mean(event.type, EVENT_TYPES)}", where=f"{where}.type")
    if event.at > now + MOST_AHEAD:
        raise BadRequest("lies more than a day in the future; check the clock", where=f"{where}.at")
    if event.at < now - MOST_BACK:
        raise BadRequest(
            "lies more than two years back; check the clock, or import history as a file", where=f"{where}.at"
        )
    given, path = event.properties, f"{where}.properties"
    known = {each.name: each for each in declared.properties}
    for name in given:
        if name not in known:
            raise BadRequest(f"unknown property{did_you_mean(name, known)}", where=f"{path}.{name}")
    for each in declared.properties:
        if each.required and given.get(each.name) is None:
            raise BadRequest("is missing", where=f"{path}.{each.name}")
    for name, value in given.items():
        if value is not None:
            known[name].value.check(value, f"{path}.{name}")
    for rule in declared.rules:
        rule(given, path)
