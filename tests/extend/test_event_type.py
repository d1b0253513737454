"""A new event type is declared once; validation, OpenAPI, reference, segments and the online store follow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from api.app import build
from cli.docs import events_page
from engine.columns import CUSTOMERS
from engine.database.session import connect, transaction
from engine.errors import BadDefinition, BadRequest
from engine.events.event import Event
from engine.events.inbox import read_after
from engine.events.online.in_process import InProcessStore
from engine.events.types import EVENT_TYPES, EventProperty, EventType, register_event_type
from engine.events.validate import check_event
from engine.events.values import NumberValue, TextValue
from engine.segments.facts import members
from engine.segments.parse import parse_rule
from engine.segments.sources import home_segment_sources
from engine.settings import Settings
from tests.api.conftest import App, fill, opened

SHARE = EventType(
    "share",
    "The customer shared a dish with friends.",
    (
        EventProperty("item_id", TextValue(), "The dish.", "d-0007", required=True, segment_name="item"),
        EventProperty("friends", NumberValue(1, 50), "With how many.", 3, required=True, segment_name="friends"),
        EventProperty("network", TextValue(20), "Through what.", "chat"),
    ),
    kept=("item_id",),
    segment_about="The customer shared a dish (inbox).",
)
NOW = datetime(2026, 1, 16, 4, tzinfo=UTC)


def shared(number: int = 1, customer: str = "c001", **properties: object) -> dict[str, object]:
    return {
        "event_id": f"s{number}",
        "type": "share",
        "customer_id": customer,
        "properties": {"item_id": "d01", "friends": 3} | properties,
    }


@pytest.fixture
def declared() -> Iterator[None]:
    register_event_type(SHARE)
    yield
    del EVENT_TYPES[SHARE.name]


@pytest.fixture
def app(settings: Settings) -> Iterator[App]:
    with opened(settings) as running:
        yield running


@pytest.mark.usefixtures("declared")
def test_a_declared_type_is_stored_and_read_back(app: App) -> None:
    assert app.tell(shared(), shared(2, network="chat"))["accepted"] == 2
    database = connect(app.settings)
    with transaction(database) as session:
        found = list(read_after(session, 0))
    database.dispose()
    assert [event.type for event in found] == ["share", "share"]
    assert found[1].properties == {"item_id": "d01", "friends": 3, "network": "chat"}


@pytest.mark.usefixtures("declared")
@pytest.mark.parametrize(
    ("properties", "field", "message"),
    [
        ({"friends": None}, "friends", "is missing"),
        ({"friends": 51}, "friends", "expected a number from 1 to 50"),
        ({"network": "x" * 21}, "network", "expected text of 1 to 20 characters"),
        ({"networks": "chat"}, "networks", "unknown property; did you mean 'network'"),
    ],
)
def test_its_properties_are_checked_by_the_declaration(properties: dict[str, object], field: str, message: str) -> None:
    event = Event("s1", "share", "c001", NOW, {"item_id": "d01", "friends": 3} | properties)
    with pytest.raises(BadRequest, match=message) as error:
        check_event(event, NOW, "events[0]")
    assert error.value.where == f"events[0].properties.{field}"


@pytest.mark.usefixtures("declared")
def test_the_openapi_document_and_the_reference_page_describe_it(settings: Settings) -> None:
    schemas: dict[str, Any] = build(settings).openapi()["components"]["schemas"]
    assert {"$ref": "#/components/schemas/ShareEvent"} in schemas["EventShape"]["oneOf"]
    described = schemas["ShareEvent"]
    assert described["description"] == SHARE.about
    assert described["properties"]["type"] == {"const": "share"}
    properties = described["properties"]["properties"]
    assert properties["required"] == ["item_id", "friends"]
    assert properties["properties"]["friends"] == {
        "description": "With how many.",
        "examples": [3],
        "type": "number",
        "minimum": 1,
        "maximum": 50,
    }
    assert f"## share\n\n{SHARE.about}\n\n- **`item_id`** The dish.\n- **`friends`** With how many.\n" in events_page()


@pytest.mark.usefixtures("declared")
def test_a_segment_may_ask_about_it(app: App) -> None:
    fill(app.settings, "customers", CUSTOMERS, [{"customer_id": "c001"}, {"customer_id": "c002"}])
    app.tell(shared(1, "c001", friends=9), shared(2, "c002", friends=1))
    rule = parse_rule(
        {"count": {"event": "share", "where": {"friends": {"at_least": 5}}, "at_least": 1}}, currency="USD"
    )
    database = connect(app.settings)
    sources = home_segment_sources(app.settings, lambda: transaction(database))
    found: pl.DataFrame = members(rule, sources, datetime.now(UTC) + timedelta(minutes=1)).collect()
    database.dispose()
    assert found["customer_id"].to_list() == ["c001"]


@pytest.mark.usefixtures("declared")
async def test_the_online_store_keeps_the_properties_that_serving_uses() -> None:
    store = InProcessStore()
    await store.fold([Event("s1", "share", "ann", NOW, {"item_id": "d01", "friends": 3}, 1)])
    assert [event.properties for event in await store.recent("ann")] == [{"item_id": "d01"}]


@pytest.mark.usefixtures("declared")
def test_a_name_is_declared_once() -> None:
    with pytest.raises(ValueError, match="share"):
        register_event_type(SHARE)


def test_without_the_declaration_nobody_knows_it() -> None:
    with pytest.raises(BadRequest, match="unknown event type"):
        check_event(Event("s1", "share", "c001", NOW, {}), NOW, "events[0]")
    with pytest.raises(BadDefinition, match="unknown event"):
        parse_rule({"count": {"event": "share", "at_least": 1}}, currency="USD")
