"""How many, how many can be reached, a sample, and who joined or left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from engine.customers.consents import record_consent
from engine.database.session import connect, transaction
from engine.segments.preview import ChannelReach, count_members, membership_change, preview_segment
from engine.settings import Settings
from tests.engine.customers.histories import NOW, customers, order, orders
from tests.engine.segments.given import rule_of, sources_with

KNOWN = customers(
    {"customer_id": "a", "push_token": "sealed", "marketing_consent": True, "zone": "north"},
    {"customer_id": "b", "push_token": "sealed", "marketing_consent": None},
    {"customer_id": "c", "push_token": "sealed", "marketing_consent": True},
    {"customer_id": "d", "email": "sealed", "marketing_consent": False},
)
SOURCES = sources_with(orders(*(order(who, 3) for who in "abcd"), order("a", 1)), KNOWN)
EVERYONE = rule_of({"orders": {"at_least": 1}})


@pytest.fixture
def database(settings: Settings, database_url: str) -> Iterator[Engine]:
    engine = connect(replace(settings, database_url=database_url))
    yield engine
    engine.dispose()


def test_members_are_counted() -> None:
    assert count_members(EVERYONE, SOURCES, NOW.at) == 4
    assert count_members(rule_of({"orders": {"at_least": 2}}), SOURCES, NOW.at) == 1


def test_reach_counts_addresses_and_the_newest_statement(database: Engine) -> None:
    with transaction(database) as session:
        record_consent(session, datetime(2026, 2, 1, tzinfo=UTC), customer_id="c", granted=False, source="app")
    found = preview_segment(EVERYONE, SOURCES, NOW.at, open_session=lambda: transaction(database), sample=2)
    assert found.customers == 4
    assert found.reach["push"] == ChannelReach(address=3, not_refused=2, agreed=1)
    assert found.reach["email"] == ChannelReach(address=1, not_refused=0, agreed=0)
    assert found.reach["sms"] == ChannelReach(address=0, not_refused=0, agreed=0)
    assert found.as_json()["reach"]["push"] == {"address": 3, "not_refused": 2, "agreed": 1}  # type: ignore[index]


def test_a_sample_is_drawn_by_hash_and_shows_only_what_it_may(database: Engine) -> None:
    def sampled(n: int) -> list[dict[str, object]]:
        return preview_segment(EVERYONE, SOURCES, NOW.at, open_session=lambda: transaction(database), sample=n).sample

    assert sampled(2) == sampled(4)[:2]
    assert sampled(0) == []
    assert {frozenset(row) for row in sampled(4)} == {
        frozenset({"customer_id", "language", "zone", "birthday", "registered_at"})
    }


def test_who_joined_and_who_left_between_two_instants() -> None:
    lately = rule_of({"last_order_at": {"within_days": 2}})
    sources = sources_with(orders(order("stays", 4), order("stays", 1), order("joins", 1), order("leaves", 4)))
    change = membership_change(lately, sources, sources, since=NOW.at - timedelta(days=3), until=NOW.at)
    assert (change.before, change.after, change.came, change.left) == (2, 2, ["joins"], ["leaves"])
