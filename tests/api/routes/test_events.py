"""Events over HTTP: checked, durable, idempotent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from engine.customers.consents import latest_consents
from engine.database.session import connect, transaction
from engine.events.event import Event
from engine.events.inbox import read_after
from engine.history.compaction import compact_inbox
from engine.history.opening import open_history
from engine.settings import Settings
from tests.api.conftest import App, opened


def event(kind: str = "view", /, number: int = 1, **properties: Any) -> dict[str, object]:
    return {
        "event_id": f"e{number}",
        "type": kind,
        "customer_id": "c001",
        "properties": properties or {"item_id": "d01"},
    }


def stored(settings: Settings) -> list[Event]:
    engine = connect(settings)
    with transaction(engine) as session:
        found = list(read_after(session, 0))
    engine.dispose()
    return found


def test_events_are_on_disk_before_the_answer_and_counted_once(app: App) -> None:
    assert app.tell(event(number=1), event(number=2))["accepted"] == 2
    assert app.tell(event(number=2), event(number=3)) == {"accepted": 1, "duplicates": 1, "fresh": True}
    assert [e.event_id for e in stored(app.settings)] == ["e1", "e2", "e3"]


def test_unknown_dishes_are_named_and_their_events_kept(app: App) -> None:
    lines = [{"item_id": "d02"}, {"item_id": "nowhere"}]
    answer = app.tell(event(number=1, item_id="d99"), event("order", 2, order_id="o", items=lines), event(number=3))
    assert answer == {"accepted": 3, "duplicates": 0, "fresh": True, "unknown_items": ["d99", "nowhere"]}
    assert len(stored(app.settings)) == 3
    many = [event(number=n, item_id=f"gone-{n}") for n in range(10, 60)]
    assert len(app.tell(*many)["unknown_items"]) == 20


def test_events_survive_a_restart_and_still_count(app: App) -> None:
    order = event("order", order_id="n1", items=[{"item_id": "d11"}]) | {"customer_id": "stranger"}
    app.tell(order)
    with opened(app.settings) as again:
        assert again.dishes("stranger", limit=1)["items"][0]["item_id"] == "d11"


def test_after_training_an_event_counts_once_as_history(app: App) -> None:
    from training import run

    order = event("order", order_id="n1", items=[{"item_id": "d11", "unit_price_cents": 700}]) | {"customer_id": "new"}
    app.tell(order)
    engine = connect(app.settings)
    through = compact_inbox(engine, app.settings)
    engine.dispose()
    run.train(app.settings, now=datetime.now(UTC), inbox_through=through)
    app.call(app.live.refresh)
    assert app.dishes("new", limit=1)["items"][0]["reason"]["code"] == "ordered_once"
    assert open_history(app.settings).orders().filter(customer_id="new").collect()["order_cents"].to_list() == [700]


def test_an_order_on_its_way_while_training_ran_counts_before_and_after_it_arrived(app: App) -> None:
    from training import run

    on_its_way = event("order", 1, order_id="n1", status="placed", items=[{"item_id": "d11"}])
    app.tell(on_its_way | {"customer_id": "new"})
    engine = connect(app.settings)
    through = compact_inbox(engine, app.settings)
    engine.dispose()
    run.train(app.settings, now=datetime.now(UTC), inbox_through=through)
    app.call(app.live.refresh)
    assert app.dishes("new", limit=1)["items"][0]["reason"]["code"] == "ordered_once"
    app.tell(event("order_status", 2, order_id="n1", status="delivered") | {"customer_id": "new"})
    assert app.dishes("new", limit=1)["items"][0]["reason"]["code"] == "ordered_once"


def test_a_consent_event_enters_the_consent_log(app: App) -> None:
    app.tell(event("consent", 1, granted=True), event("consent", 2, granted=False, channel="sms"))
    engine = connect(app.settings)
    with transaction(engine) as session:
        assert latest_consents(session, channel="sms") == {"c001": False}
        assert latest_consents(session, channel="email") == {"c001": True}
    engine.dispose()


def test_a_complaint_and_survey_answers_reach_the_customer_table_the_same_day(app: App) -> None:
    from engine.customers.store import build_customer_table

    app.tell(
        event("complaint", 1, reason="cold", order_id="o1"),
        event("survey", 2, kind="nps", score=0, vendor_id="v1"),
        event("survey", 3, kind="nps", score=10),
        event("survey", 4, kind="csat", score=5, item_id="d01"),
        event("survey", 5, kind="csat", score=1),
    )
    engine = connect(app.settings)
    built = build_customer_table(app.settings, now=datetime.now(UTC), database=engine)
    engine.dispose()
    row = built.table.row(by_predicate=pl.col("customer_id") == "c001", named=True)
    assert (row["complaints"], row["nps"], row["nps_trend"], row["csat"]) == (1, 10, 10.0, 3.0)
    assert row["last_complaint_at"] <= row["unhappy_at"] <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("wrong", "field", "message"),
    [
        ({"type": "veiw"}, "events[0].type", "did you mean 'view'"),
        ({"properties": {"item_id": "d", "colour": "red"}}, "events[0].properties.colour", "unknown property"),
        ({"event_id": ""}, "events[0].event_id", "at least 1"),
        ({"at": "2026-01-01T00:00:00"}, "events[0].at", "offset"),
        ({"at": (datetime.now(UTC) + timedelta(days=3)).isoformat()}, "events[0].at", "future"),
        (
            {"type": "order", "properties": {"order_id": "o", "items": [{"item_id": "d", "quantity": -1}]}},
            "events[0].properties.items[0].quantity",
            "above 0",
        ),
    ],
)
def test_a_wrong_event_refuses_the_batch_and_names_the_field(
    app: App, wrong: dict[str, object], field: str, message: str
) -> None:
    answer = app.client.post("/v1/events", json={"events": [event() | wrong, event(number=2)]})
    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert message in answer.json()["detail"]
    assert stored(app.settings) == []


def test_a_batch_has_at_least_one_event_and_at_most_a_thousand(app: App) -> None:
    assert app.client.post("/v1/events", json={"events": []}).json()["field"] == "events"
    many = [event(number=i) for i in range(1001)]
    assert app.client.post("/v1/events", json={"events": many}).json()["field"] == "events"


def test_without_the_database_nothing_is_stored_and_the_batch_is_to_be_sent_again(
    served_home: Settings, postgres_url: str
) -> None:
    from sqlalchemy import create_engine, text

    with opened(replace(served_home, database_url=postgres_url)) as running:
        assert running.tell(event(number=1))["accepted"] == 1
        admin = create_engine(postgres_url.rsplit("/", 1)[0] + "/postgres", isolation_level="AUTOCOMMIT")
        name = postgres_url.rsplit("/", 1)[1]
        with admin.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false"))
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
            )
        refused = running.tell(event(number=2), status=503)
        assert refused["code"] == "database_unavailable"
        assert running.dishes(limit=1)["items"]  # a key seen a moment ago still opens the recommend routes
        assert running.client.get("/health/ready").json()["database"] == "down"
        with admin.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true"))
        admin.dispose()
        assert running.tell(event(number=2))["accepted"] == 1


def test_an_impression_is_kept_with_its_propensity(app: App) -> None:
    shown: dict[str, Any] = {"item_id": "d01", "request_id": "r1", "slot": 2, "propensity": 0.05, "source": "dishes"}
    assert app.tell(event("impression", **shown))["accepted"] == 1
    assert stored(app.settings)[0].properties == shown
