"""An event that contradicts its declaration is refused with the path of what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from engine.errors import BadRequest
from engine.events.event import Event
from engine.events.validate import check_event

NOW = datetime(2026, 1, 16, 4, tzinfo=UTC)
ORDER: dict[str, object] = {"order_id": "o", "items": [{"item_id": "d"}]}


def event(type_: str, properties: Mapping[str, object], at: datetime = NOW) -> Event:
    return Event("e1", type_, "ann", at, properties)


@pytest.mark.parametrize(
    ("type_", "properties"),
    [
        ("order", ORDER),
        ("order", ORDER | {"latitude": 31.2, "longitude": 121.5, "status": "placed", "order_cents": 0}),
        ("order", {"order_id": "o", "items": [{"item_id": "d", "quantity": 0.5, "unit_price_cents": None}]}),
        ("view", {"item_id": "d"}),
        ("rating", {"order_id": "o", "rating": 4.5, "item_id": None}),
        ("impression", {"item_id": "d", "request_id": "r", "slot": 0, "propensity": 1}),
        ("survey", {"kind": "nps", "score": 0}),
        ("survey", {"kind": "csat", "score": 5.0, "vendor_id": "v"}),
        ("consent", {"granted": False}),
    ],
)
def test_a_right_event_passes(type_: str, properties: Mapping[str, object]) -> None:
    check_event(event(type_, properties), NOW, "events[0]")


@pytest.mark.parametrize(
    ("type_", "properties", "field", "message"),
    [
        ("veiw", {"item_id": "d"}, "type", "unknown event type; did you mean 'view'"),
        ("view", {}, "properties.item_id", "is missing"),
        ("view", {"item_id": None}, "properties.item_id", "is missing"),
        ("view", {"item_id": "d", "colour": "red"}, "properties.colour", "unknown property; valid are item_id"),
        ("view", {"item_id": 5}, "properties.item_id", "expected text of 1 to 200 characters"),
        ("view", {"item_id": ""}, "properties.item_id", "expected text of 1 to 200 characters"),
        ("rating", {"order_id": "o", "rating": 6}, "properties.rating", "expected a number from 1 to 5"),
        ("rating", {"order_id": "o", "rating": True}, "properties.rating", "expected a number from 1 to 5"),
        ("order_status", {"order_id": "o", "status": "lost"}, "properties.status", "unknown status; valid are"),
        ("consent", {"granted": "yes"}, "properties.granted", "expected true or false"),
        ("consent", {"granted": True, "channel": "x" * 41}, "properties.channel", "expected text of 1 to 40"),
        ("complaint", {"reason": "x" * 201}, "properties.reason", "expected text of 1 to 200 characters"),
        ("complaint", {"reason": "cold", "score": 1}, "properties.score", "unknown property"),
        (
            "impression",
            {"item_id": "d", "request_id": "r", "slot": 0, "propensity": 0},
            "properties.propensity",
            "expected a number from 1e-09 to 1",
        ),
        (
            "impression",
            {"item_id": "d", "request_id": "r", "slot": 0, "propensity": 1.01},
            "properties.propensity",
            "expected a number from 1e-09 to 1",
        ),
        (
            "impression",
            {"item_id": "d", "request_id": "r", "slot": -1},
            "properties.slot",
            "expected a number from 0 to 10000",
        ),
        ("impression", {"item_id": "d", "slot": 0}, "properties.request_id", "is missing"),
        ("survey", {"kind": "nps"}, "properties.score", "is missing"),
        ("survey", {"kind": "csat", "score": "5"}, "properties.score", "expected a whole number from 1 to 5 for csat"),
        ("survey", {"kind": "csat", "score": 5, "vendor_id": ""}, "properties.vendor_id", "expected text of 1 to 200"),
        ("complaint", {"order_id": "o"}, "properties.reason", "is missing"),
        ("survey", {"kind": "nsp", "score": 3}, "properties.kind", "unknown kind of survey; did you mean 'nps'"),
        ("survey", {"kind": ["nps"], "score": 3}, "properties.kind", "unknown kind of survey"),
        ("survey", {"score": 11, "kind": "nps"}, "properties.score", "expected a whole number from 0 to 10 for nps"),
        ("survey", {"kind": "nps", "score": 7.5}, "properties.score", "expected a whole number from 0 to 10 for nps"),
        ("survey", {"kind": "csat", "score": True}, "properties.score", "expected a whole number from 1 to 5 for csat"),
        ("order", ORDER | {"items": []}, "properties.items", "expected a list of 1 to 200 lines"),
        ("order", ORDER | {"items": ["d"]}, "properties.items[0]", "expected {item_id, quantity, unit_price_cents}"),
        ("order", ORDER | {"items": [{"quantity": 1}]}, "properties.items[0].item_id", "expected text of 1 to 200"),
        (
            "order",
            ORDER | {"items": [{"item_id": "d"}, {"item_id": "d", "quantity": 0}]},
            "properties.items[1].quantity",
            "expected a number above 0 and up to 10,000",
        ),
        (
            "order",
            ORDER | {"items": [{"item_id": "d", "quantities": 1}]},
            "properties.items[0].quantities",
            "unknown property; did you mean 'quantity'",
        ),
        (
            "order",
            ORDER | {"items": [{"item_id": "d", "unit_price_cents": 1.5}]},
            "properties.items[0].unit_price_cents",
            "expected whole minor units, 0 or more",
        ),
        ("order", ORDER | {"order_cents": -5}, "properties.order_cents", "expected whole minor units, 0 or more"),
        ("order", ORDER | {"latitude": 31.2}, "properties.longitude", "latitude and longitude belong together"),
        ("order", ORDER | {"longitude": 31.2}, "properties.latitude", "and latitude is missing"),
        ("order", ORDER | {"latitude": 91, "longitude": 1}, "properties.latitude", "expected a number from -90 to 90"),
    ],
)
def test_a_wrong_event_is_refused_with_the_path_of_its_fault(
    type_: str, properties: Mapping[str, object], field: str, message: str
) -> None:
    with pytest.raises(BadRequest) as error:
        check_event(event(type_, properties), NOW, "events[7]")
    assert error.value.where == f"events[7].{field}"
    assert message in str(error.value)


def test_the_first_fault_is_reported_unknown_properties_before_missing_ones() -> None:
    with pytest.raises(BadRequest, match="unknown property"):
        check_event(event("rating", {"stars": 9, "rating": 9}), NOW, "events[0]")


def test_an_instant_may_be_a_day_ahead_and_no_more() -> None:
    check_event(event("view", {"item_id": "d"}, NOW + timedelta(hours=24)), NOW, "events[0]")
    with pytest.raises(BadRequest, match="more than a day in the future") as error:
        check_event(event("view", {"item_id": "d"}, NOW + timedelta(hours=24, seconds=1)), NOW, "events[0]")
    assert error.value.where == "events[0].at"


def test_an_instant_of_more_than_two_years_back_is_an_unset_clock() -> None:
    check_event(event("view", {"item_id": "d"}, NOW - timedelta(days=730)), NOW, "events[0]")
    for at in (NOW - timedelta(days=732), datetime(1970, 1, 1, tzinfo=UTC)):
        with pytest.raises(BadRequest, match="more than two years back") as error:
            check_event(event("view", {"item_id": "d"}, at), NOW, "events[0]")
        assert error.value.where == "events[0].at"
