"""The latest word in the log wins over the customers table, and the table over nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from engine.customers.consents import consent_refusal, latest_consents, record_consent, record_consent_events
from engine.database.session import connect, transaction
from engine.events.event import Event
from engine.settings import Settings

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def session(settings: Settings, database_url: str | None) -> Iterator[Session]:
    database = connect(replace(settings, database_url=database_url))
    with transaction(database) as opened:
        yield opened
    database.dispose()


def test_the_statement_that_arrived_last_wins_whatever_its_date(session: Session) -> None:
    record_consent(session, NOW, customer_id="a", granted=True, source="app")
    record_consent(session, NOW - timedelta(days=1), customer_id="a", granted=False, source="letter")
    record_consent(session, NOW, customer_id="b", granted=False, source="app")
    record_consent(session, NOW, customer_id="b", granted=True, source="app")
    session.flush()
    assert latest_consents(session, channel="recording") == {"a": False, "b": True}


def test_a_statement_counts_for_its_channel_or_for_any_and_only_for_marketing(session: Session) -> None:
    record_consent(session, NOW, customer_id="a", granted=True, source="app", channel="any")
    record_consent(session, NOW, customer_id="a", granted=False, source="app", channel="sms")
    record_consent(session, NOW, customer_id="b", granted=False, source="app", purpose="research")
    session.flush()
    assert latest_consents(session, channel="recording") == {"a": True}
    assert latest_consents(session, channel="sms") == {"a": False}


def test_a_channel_that_cannot_say_what_carries_it_needs_the_consent_of_all(session: Session) -> None:
    """Case 14-optout-by-channel: a refusal of push, sms and email must stop a webhook."""
    statements = {
        "one no": [("push", False)],
        "no to all, one by one": [("push", False), ("sms", False), ("email", False)],
        "no by a channel of their own": [("carrier_pigeon", False)],
        "yes to one": [("email", True)],
        "yes to each": [("push", True), ("sms", True), ("email", True)],
        "yes to any": [("any", True)],
        "yes to any, then no to one": [("any", True), ("sms", False)],
        "no to one, then yes to any": [("sms", False), ("any", True)],
        "no to one, taken back": [("any", True), ("sms", False), ("sms", True)],
        "no to any, then yes to one": [("any", False), ("sms", True)],
    }
    for customer_id, said in statements.items():
        for channel, granted in said:
            record_consent(session, NOW, customer_id=customer_id, granted=granted, source="app", channel=channel)
    session.flush()
    assert latest_consents(session, channel=None) == {
        "one no": False,
        "no to all, one by one": False,
        "no by a channel of their own": False,
        "yes to each": True,
        "yes to any": True,
        "yes to any, then no to one": False,
        "no to one, then yes to any": True,
        "no to one, taken back": True,
        "no to any, then yes to one": False,
    }
    assert latest_consents(session, channel=None, customer_ids=["one no"]) == {"one no": False}


def test_asking_for_some_customers_gives_only_those(session: Session) -> None:
    for i in range(1200):
        record_consent(session, NOW, customer_id=f"c{i}", granted=bool(i % 2), source="app")
    session.flush()
    ids = [f"c{i}" for i in range(100, 1100)]
    assert latest_consents(session, channel="x", customer_ids=ids) == {each: bool(int(each[1:]) % 2) for each in ids}
    assert latest_consents(session, channel="x", customer_ids=[]) == {}


@pytest.mark.parametrize(
    ("said", "imported", "explicit", "not_refused"),
    [
        (True, False, None, None),
        (False, True, "no_consent", "no_consent"),
        (None, True, None, None),
        (None, False, "no_consent", "no_consent"),
        (None, None, "consent_unknown", None),
    ],
)
def test_the_log_wins_over_the_table_and_unknown_is_a_no_only_when_explicit(
    said: bool | None, imported: bool | None, explicit: str | None, not_refused: str | None
) -> None:
    log = {} if said is None else {"a": said}
    assert consent_refusal("a", "explicit", stated=log, imported=imported) == explicit
    assert consent_refusal("a", "not_refused", stated=log, imported=imported) == not_refused


def test_consent_events_enter_the_log_with_their_channel_and_other_events_do_not(session: Session) -> None:
    properties: list[dict[str, object]] = [{"granted": True}, {"granted": False, "channel": "sms"}]
    events = [Event(f"e{n}", "consent", "a", NOW, each, n) for n, each in enumerate(properties, start=1)]
    view = Event("e3", "view", "b", NOW, {"item_id": "soup"}, 3)
    record_consent_events(session, [*events, view], source="key:1")
    session.flush()
    assert latest_consents(session, channel="email") == {"a": True}
    assert latest_consents(session, channel="sms") == {"a": False}
