"""The outbox leases, retries, expires, drops and pauses; each rule on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

from campaigns.channels.base import SendOutcome
from campaigns.channels.registry import channel_names
from campaigns.definition.campaign import Definition
from campaigns.delivery.outbox import (
    FEWEST_TO_PAUSE,
    LONGEST_WAIT_S,
    MAX_ATTEMPTS,
    Claim,
    Settled,
    claim,
    next_work_at,
    retry_at,
    settle,
    waiting,
)
from campaigns.eligibility.registered import RegisteredPeople
from campaigns.rows import CouponRow, MessageRow, RunRow
from campaigns.runs.data import read_data
from campaigns.runs.launch import launch
from campaigns.runs.plan import make_plan
from campaigns.runs.status import pause_runs, resume_runs, status_of
from engine.customers.consents import record_consent
from engine.database.session import connect, transaction
from engine.errors import Conflict
from engine.events.event import Event
from engine.events.inbox import store
from engine.files.encryption import seal_of
from engine.history.tables import upsert_table
from engine.settings import Settings
from tests.campaigns.town import settle_town, winback

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEASE = timedelta(seconds=60)
SENT = SendOutcome("sent")


class Post:
    """A launched campaign of forty customers and a worker's two transactions on it."""

    def __init__(self, settings: Settings, definition: Definition) -> None:
        settle_town(settings, 40, now=NOW)
        self.settings = settings
        self.database: Engine = connect(settings)
        self.registered = RegisteredPeople(settings)
        for act in (make_plan, launch):
            with transaction(self.database) as session:
                act(session, definition, read_data(settings), now=NOW, actor="test", global_holdout=0.0)

    def claim(self, at: datetime, limit: int = 1000) -> Claim:
        with transaction(self.database) as session:
            return claim(
                session,
                at,
                limit=limit,
                lease=LEASE,
                seal=seal_of(self.settings),
                registered=self.registered.current(),
                channels=channel_names(),
            )

    def settle(self, at: datetime, claimed: Claim, outcomes: Sequence[SendOutcome]) -> Settled:
        with transaction(self.database) as session:
            return settle(session, at, list(zip(claimed.messages, outcomes, strict=True)))

    def states(self) -> dict[str, int]:
        with transaction(self.database) as session:
            found = session.execute(select(MessageRow.state, func.count()).group_by(MessageRow.state)).all()
            return {row[0]: row[1] for row in found}

    def coupons(self) -> dict[str, int]:
        with transaction(self.database) as session:
            found = session.execute(select(CouponRow.state, func.count()).group_by(CouponRow.state)).all()
            return {row[0]: row[1] for row in found}


@pytest.fixture
def post(settings: Settings, database_url: str | None) -> Iterator[Post]:
    post = Post(replace(settings, database_url=database_url), replace(winback(), holdout=0.0))
    yield post
    post.database.dispose()


def test_a_claim_takes_what_is_due_once_and_a_dead_workers_messages_return(post: Post) -> None:
    first = post.claim(NOW, limit=25)
    rest = post.claim(NOW, limit=25)
    assert (len(first.messages), len(rest.messages)) == (25, 15)
    assert not {m.outgoing.message_id for m in first.messages} & {m.outgoing.message_id for m in rest.messages}
    assert post.claim(NOW + LEASE - timedelta(seconds=1)).messages == ()
    again = post.claim(NOW + LEASE + timedelta(seconds=1))
    assert len(again.messages) == 40
    assert {m.attempt for m in again.messages} == {2}


def test_several_workers_at_once_never_take_the_same_message(post: Post) -> None:
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: post.claim(NOW, limit=7), range(8)))
    ids = [m.outgoing.message_id for each in claims for m in each.messages]
    assert len(ids) == len(set(ids)) == 40


def test_what_was_sent_is_settled_once_and_never_claimed_again(post: Post) -> None:
    claimed = post.claim(NOW)
    assert post.settle(NOW, claimed, [SENT] * 40) == Settled(40, 0, 0, 0, ())
    assert post.settle(NOW, claimed, [SENT] * 40).sent == 0
    assert post.states() == {"sent": 40}
    assert post.claim(NOW + timedelta(hours=1)).messages == ()
    assert post.coupons() == {"issued": 40}


def test_a_late_worker_whose_lease_ran_out_cannot_undo_what_the_next_one_did(post: Post) -> None:
    late = post.claim(NOW, limit=1)
    later = NOW + LEASE + timedelta(seconds=1)
    taken_over = post.claim(later)
    assert late.messages[0].outgoing in [m.outgoing for m in taken_over.messages]
    assert post.settle(later, late, [SendOutcome("failed", "HTTP 400")]).failed == 0
    assert post.settle(later, taken_over, [SENT] * 40).sent == 40
    assert post.states() == {"sent": 40}


def test_a_failure_that_may_pass_is_tried_again_later(post: Post) -> None:
    claimed = post.claim(NOW, limit=1)
    assert post.settle(NOW, claimed, [SendOutcome("retry", "HTTP 503")]).retried == 1
    ids = {m.outgoing.message_id for m in claimed.messages}
    assert not ids & {m.outgoing.message_id for m in post.claim(NOW).messages}
    again = post.claim(NOW + timedelta(seconds=2))
    assert {m.outgoing.message_id for m in again.messages} == ids


def test_the_receivers_wish_to_wait_is_honoured(post: Post) -> None:
    claimed = post.claim(NOW)
    post.settle(NOW, claimed, [SendOutcome("retry", "HTTP 429", 120.0)] * 40)
    assert post.claim(NOW + timedelta(seconds=119)).messages == ()
    assert len(post.claim(NOW + timedelta(seconds=121)).messages) == 40


def test_a_failure_for_good_ends_the_message_and_takes_its_coupon_back(post: Post) -> None:
    claimed = post.claim(NOW, limit=1)
    assert post.settle(NOW, claimed, [SendOutcome("failed", "HTTP 410")]).failed == 1
    assert post.states() == {"failed": 1, "queued": 39}
    assert post.coupons() == {"issued": 39, "revoked": 1}


def test_a_message_that_keeps_failing_becomes_a_dead_letter(post: Post) -> None:
    at = NOW
    for _ in range(MAX_ATTEMPTS):
        claimed = post.claim(at, limit=1)
        post.settle(at, claimed, [SendOutcome("retry", "HTTP 500")])
        # The one message is always the first due: the others are pushed behind it.
        with transaction(post.database) as session:
            row = session.get(MessageRow, claimed.messages[0].outgoing.message_id)
            assert row is not None
            row.due_at = NOW - timedelta(hours=1)
        at += timedelta(seconds=1)
    assert post.states() == {"dead_letter": 1, "queued": 39}
    assert post.coupons()["revoked"] == 1


def test_a_message_past_its_latest_instant_expires_and_is_counted(post: Post) -> None:
    found = post.claim(NOW + timedelta(hours=48, seconds=1))
    assert (found.messages, found.expired) == ((), 40)
    assert post.states() == {"expired": 40}
    assert post.coupons() == {"revoked": 40}


def test_the_coupon_of_a_message_whose_fate_nobody_knows_stays_good(post: Post) -> None:
    post.claim(NOW, limit=10)  # and this worker dies, perhaps after sending
    assert post.claim(NOW + timedelta(hours=49)).expired == 40
    assert post.coupons() == {"issued": 10, "revoked": 30}


def test_who_refuses_between_launch_and_sending_gets_nothing(post: Post) -> None:
    with transaction(post.database) as session:
        record_consent(session, NOW, customer_id="c3", granted=False, source="app")
        record_consent(session, NOW, customer_id="c4", granted=False, source="app", channel="push")
    found = post.claim(NOW)
    # c4 refused push alone, but the recording channel cannot say what carries its messages.
    assert found.dropped == 2
    assert not {"c3", "c4"} & {m.outgoing.customer_id for m in found.messages}
    with transaction(post.database) as session:
        (run,) = status_of(session, "winback", now=NOW).runs
    assert run.reasons == {"dropped(no_consent)": 2}


def test_who_orders_between_launch_and_sending_is_not_told_to_come_back(post: Post) -> None:
    """Case 18-ordered-just-now: "110 days without you" must not reach somebody who ordered an hour ago."""

    def told(customer_id: str, hours: float, status: str | None = None, kind: str = "order") -> Event:
        order = {"order_id": f"o-{customer_id}", "items": []} | ({"status": status} if status else {})
        at = NOW + timedelta(hours=hours)
        return Event(f"{customer_id}-{hours}", kind, customer_id, at, order)

    with transaction(post.database) as session:
        events = [
            told("c1", 1),
            told("c2", 1, "cancelled"),
            told("c3", 1),
            told("c3", 2, "refunded", "order_status"),
            told("c4", -1),
            told("c5", 1, "placed"),
        ]
        store(session, events, NOW)
    found = post.claim(NOW + timedelta(hours=3))
    reached = {m.outgoing.customer_id for m in found.messages}
    assert found.dropped == 2
    assert reached >= {"c2", "c3", "c4"}
    assert not reached & {"c1", "c5"}
    with transaction(post.database) as session:
        (run,) = status_of(session, "winback", now=NOW).runs
    assert run.reasons == {"dropped(ordered_since)": 2}
    assert post.coupons() == {"issued": 38, "revoked": 2}


def test_a_refusal_imported_between_launch_and_sending_counts_too(post: Post) -> None:
    settle_town(post.settings, 40, now=NOW, consents=(False, True))
    found = post.claim(NOW)
    assert (found.dropped, len(found.messages)) == (20, 20)


def _same_person(post: Post, *customer_ids: str) -> None:
    mail = seal_of(post.settings).seal("one@example.com")
    table = pl.DataFrame({"customer_id": customer_ids, "email": [mail] * len(customer_ids)})
    upsert_table(post.settings, "customers", table)


def test_a_refusal_under_another_id_of_the_person_stops_the_message(post: Post) -> None:
    _same_person(post, "c0", "till-1")
    with transaction(post.database) as session:
        record_consent(session, NOW, customer_id="till-1", granted=False, source="app")
    found = post.claim(NOW)
    assert (found.dropped, len(found.messages)) == (1, 39)
    assert "c0" not in {m.outgoing.customer_id for m in found.messages}


def test_an_order_under_another_id_of_the_person_takes_them_out(post: Post) -> None:
    _same_person(post, "c0", "till-1")
    order = Event("e1", "order", "till-1", NOW + timedelta(minutes=1), {"order_id": "o1", "items": []})
    with transaction(post.database) as session:
        store(session, [order], NOW)
    found = post.claim(NOW + timedelta(minutes=2))
    assert (found.dropped, len(found.messages)) == (1, 39)


def test_a_refusal_between_two_attempts_stops_the_second(post: Post) -> None:
    claimed = post.claim(NOW, limit=1)
    post.settle(NOW, claimed, [SendOutcome("retry", "HTTP 503")])
    with transaction(post.database) as session:
        record_consent(session, NOW, customer_id=claimed.messages[0].outgoing.customer_id, granted=False, source="app")
    assert post.claim(NOW + timedelta(minutes=1)).dropped == 1


def test_a_run_pauses_itself_past_its_error_threshold_and_says_so(post: Post) -> None:
    claimed = post.claim(NOW, limit=FEWEST_TO_PAUSE)
    good = FEWEST_TO_PAUSE * 3 // 4
    settled = post.settle(NOW, claimed, [SENT] * good + [SendOutcome("failed", "HTTP 400")] * (FEWEST_TO_PAUSE - good))
    assert len(settled.paused) == 1
    assert post.claim(NOW).messages == ()
    with transaction(post.database) as session:
        assert waiting(session, channel_names()) == 0
        assert next_work_at(session, channel_names()) is None
        (run,) = session.scalars(select(RunRow)).all()
        assert (run.state, run.pause_reason) == ("paused", "more messages failed than error_threshold allows")
    with transaction(post.database) as session:
        assert resume_runs(session, "winback", now=NOW, actor="test") == 1
    assert len(post.claim(NOW).messages) == 20


def test_failures_within_the_threshold_pause_nothing(post: Post) -> None:
    claimed = post.claim(NOW)
    settled = post.settle(NOW, claimed, [SENT] * 32 + [SendOutcome("failed", "HTTP 400")] * 8)
    assert settled.paused == ()


def test_a_paused_campaign_sends_nothing_until_resumed(post: Post) -> None:
    with transaction(post.database) as session:
        assert pause_runs(session, "winback", now=NOW, actor="test") == 1
    assert post.claim(NOW).messages == ()
    with pytest.raises(Conflict, match="no run of it is running"), transaction(post.database) as session:
        pause_runs(session, "winback", now=NOW, actor="test")
    with transaction(post.database) as session:
        resume_runs(session, "winback", now=NOW, actor="test")
    assert len(post.claim(NOW).messages) == 40


def test_the_next_work_is_the_first_lease_or_due_instant(post: Post) -> None:
    claimed = post.claim(NOW)
    post.settle(NOW, claimed, [SENT] * 38 + [SendOutcome("retry", "x", 30.0), SendOutcome("retry", "x", 500.0)])
    with transaction(post.database) as session:
        assert next_work_at(session, channel_names()) == NOW + timedelta(seconds=30)
        assert waiting(session, channel_names()) == 2


@given(st.text(min_size=1, max_size=20), st.integers(1, 50), st.one_of(st.none(), st.floats(0, 10**6)))
def test_waits_double_spread_and_never_undercut_the_receiver(
    message_id: str, attempt: int, retry_after: float | None
) -> None:
    wait = (retry_at(message_id, attempt, NOW, retry_after) - NOW).total_seconds()
    base = min(2.0 * 2 ** (attempt - 1), LONGEST_WAIT_S)
    assert wait >= base / 2 - 1e-3
    if retry_after is None:
        assert wait <= base
    else:
        assert wait >= min(retry_after, 86_400.0) - 1e-3


def test_waits_of_different_messages_differ() -> None:
    waits = {retry_at(f"msg_{i}", 5, NOW, None) for i in range(100)}
    assert len(waits) == 100
