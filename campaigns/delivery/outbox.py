"""The outbox: claim messages under a lease, and record the outcome of each attempt.

    claim    one transaction: expire what is stale, drop what was refused, lease the rest
    (the channel sends, outside any transaction)
    settle   a second transaction: sent, failed, or queued again for later

After a worker that died in between, the lease runs out and another worker takes the message; the channel recognises a
repeat by the message id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from sqlalchemy import ColumnElement, and_, case, func, literal_column, select, update
from sqlalchemy.orm import Session

from campaigns.channels.base import Outgoing, SendOutcome
from campaigns.channels.registry import consent_of
from campaigns.eligibility.exits import ORDERED_SINCE, ordered_since
from campaigns.eligibility.registered import Registered
from campaigns.rewards.coupons import REVOKED
from campaigns.rows import CouponRow, MessageRow, RunRow
from engine.customers import consents
from engine.customers.consents import ConsentRule
from engine.customers.duplicates import Identities
from engine.experiments.assignment import bucket
from engine.files.encryption import Seal

MAX_ATTEMPTS = 8
FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 3_600.0
LONGEST_RETRY_AFTER_S = 86_400.0
FEWEST_TO_PAUSE = 20


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message under lease; `attempt` counts from 1 and identifies the lease."""

    outgoing: Outgoing
    channel: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What one claim found: messages to send now, and counts of what ended without leased (state or reason -> n)."""

    messages: tuple[Claimed, ...]
    expired: int
    dropped: int
    dead_letter: int


def claim(
    session: Session,
    now: datetime,
    *,
    limit: int,
    lease: timedelta,
    seal: Seal,
    registered: Registered,
    channels: Sequence[str],
) -> Claim:
    """Take up to `limit` due messages of running runs for `lease`; a second worker gets others.

    Messages of a worker that died come back when its lease runs out. Consent, and whether the customer ordered since,
    are read in the same transaction that leases a message, for every id of the person; `registered` is what the
    customers table says, for customers the consent log does not hold. Past its `latest_send_at` a message is expired
    instead of sent.
    """
    due = (
        select(MessageRow)
        .where(*_sendable(channels), MessageRow.due_at <= now, MessageRow.lease_until < now)
        .order_by(MessageRow.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True, of=MessageRow)  # SQLite ignores it: it has one writer at a time
    )
    rows = list(session.scalars(due))
    refused = _exits(session, rows, registered.people) | _refusals(session, rows, registered)
    ended: dict[str, tuple[str, str]] = {}
    leased: list[MessageRow] = []
    for row in rows:
        if row.latest_send_at < now:
            ended[row.id] = ("expired", "latest_send_at passed")
        elif row.id in refused:
            ended[row.id] = ("dropped", refused[row.id])
        elif row.attempts >= MAX_ATTEMPTS:
            ended[row.id] = ("dead_letter", f"no outcome after {row.attempts} attempts")
        else:
            leased.append(row)
    # A worker may have died after sending and before settling: the customer may hold the code.
    unknown = {row.id for row in rows if row.attempts > 0 and row.reason is None}
    _end(session, now, ended)
    _revoke_coupons(session, [each for each in ended if each not in unknown])
    if leased:
        session.execute(
            update(MessageRow)
            .where(MessageRow.id.in_([row.id for row in leased]))
            .values(lease_until=now + lease, attempts=MessageRow.attempts + 1, reason=None)
            .execution_options(synchronize_session=False)
        )
    counts = Counter(state for state, _ in ended.values())
    return Claim(
        tuple(_claimed(row, seal) for row in leased), counts["expired"], counts["dropped"], counts["dead_letter"]
    )


@dataclass(frozen=True, slots=True)
class Settled:
    """What a settlement wrote; `paused` names the runs that paused themselves now."""

    sent: int
    failed: int
    retried: int
    dead_letter: int
    paused: tuple[int, ...]


def settle(session: Session, now: datetime, results: Sequence[tuple[Claimed, SendOutcome]]) -> Settled:
    """Record the outcomes of attempts; a run whose failures pass its threshold pauses itself.

    `sent` is recorded whoever holds the lease by now, because the message was delivered; any other outcome only under
    the lease of its attempt.
    """
    sent = [claimed for claimed, outcome in results if outcome.kind == "sent"]
    counts: Counter[str] = Counter()
    by_run: dict[int, Counter[str]] = {}
    if sent:
        ids = [claimed.outgoing.message_id for claimed in sent]
        done = session.scalars(
            update(MessageRow)
            .where(MessageRow.id.in_(ids), MessageRow.state == "queued")
            .values(state="sent", finished_at=now, reason=None)
            .returning(MessageRow.run_id)
            .execution_options(synchronize_session=False)
        )
        for run_id in done:
            counts["sent"] += 1
            by_run.setdefault(run_id, Counter())["sent"] += 1
    for claimed, outcome in results:
        if outcome.kind == "sent":
            continue
        state = _settle_unsent(session, now, claimed, outcome)
        if state is None:
            continue
        counts[state] += 1
        if state != "retried":
            by_run.setdefault(claimed.outgoing.run_id, Counter())["failed"] += 1
    paused = tuple(sorted(run for run, n in sorted(by_run.items()) if _count_and_pause(session, run, n)))
    return Settled(counts["sent"], counts["failed"], counts["retried"], counts["dead_letter"], paused)


def retry_at(message_id: str, attempt: int, now: datetime, retry_after_s: float | None) -> datetime:
    """Return when to try again after the `attempt`-th try: doubling waits, spread by a hash of id and attempt.

    2, 4, 8 ... seconds up to an hour, times a factor in [0.5, 1); the receiver's `Retry-After` wins where it is later,
    up to a day.
    """
    wait = min(FIRST_WAIT_S * 2 ** min(attempt - 1, 20), LONGEST_WAIT_S)
    wait *= 0.5 + bucket(f"retry:{attempt}", message_id) / 2
    if retry_after_s is not None:
        wait = max(wait, min(retry_after_s, LONGEST_RETRY_AFTER_S))
    return now + timedelta(seconds=wait)


def next_work_at(session: Session, channels: Sequence[str]) -> datetime | None:
    """Return when the next queued message of a running run can be taken; None when nothing is queued."""
    later = case((MessageRow.lease_until > MessageRow.due_at, MessageRow.lease_until), else_=MessageRow.due_at)
    found: datetime | None = session.scalar(select(func.min(later)).where(*_sendable(channels)))
    return found


def waiting(session: Session, channels: Sequence[str]) -> int:
    """Return how many messages of running runs are still queued."""
    return session.scalar(select(func.count()).select_from(MessageRow).where(*_sendable(channels))) or 0


def _sendable(channels: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
    running = select(RunRow.id).where(RunRow.state == "running")
    return (
        # A literal, not a parameter: otherwise neither database uses the partial index.
        MessageRow.state == literal_column("'queued'"),
        # `+ 0` keeps SQLite from using the index by run, after which it sorts all messages at every claim.
        (MessageRow.run_id + 0).in_(running),
        MessageRow.channel.in_(channels),
    )


def _exits(session: Session, rows: Sequence[MessageRow], people: Identities) -> dict[str, str]:
    """Return the messages whose customers ordered since the decision, where their run ends by that."""
    ending = select(RunRow.id, RunRow.decided_at).where(
        RunRow.id.in_({row.run_id for row in rows}), RunRow.exit_on_order.is_(True)
    )
    gone: dict[str, str] = {}
    for run_id, decided_at in session.execute(ending):
        own = [row for row in rows if row.run_id == run_id]
        ids = people.everyone(row.customer_id for row in own)
        ordered = ordered_since(session, dict.fromkeys(ids, decided_at))
        gone |= {row.id: ORDERED_SINCE for row in own if not ordered.isdisjoint(people.ids(row.customer_id))}
    return gone


def _refusals(session: Session, rows: Sequence[MessageRow], registered: Registered) -> dict[str, str]:
    people = registered.people
    stated = {
        channel: consents.latest_consents(
            session,
            channel=consent_of(channel),
            customer_ids=people.everyone(row.customer_id for row in rows if row.channel == channel),
        )
        for channel in {row.channel for row in rows}
    }
    refused: dict[str, str] = {}
    for row in rows:
        rule: ConsentRule = "explicit" if row.consent == "explicit" else "not_refused"
        why = consents.person_refusal(
            people.ids(row.customer_id), rule, stated=stated[row.channel], imported=registered.consents
        )
        if why:
            refused[row.id] = why
    return refused


def _settle_unsent(session: Session, now: datetime, claimed: Claimed, outcome: SendOutcome) -> str | None:
    message_id = claimed.outgoing.message_id
    mine = and_(MessageRow.id == message_id, MessageRow.state == "queued", MessageRow.attempts == claimed.attempt)
    if outcome.kind == "retry" and claimed.attempt < MAX_ATTEMPTS:
        again = retry_at(message_id, claimed.attempt, now, outcome.retry_after_s)
        values: dict[str, object] = {"due_at": again, "lease_until": now - timedelta(seconds=1)}
        state = "retried"
    else:
        state = "failed" if outcome.kind == "failed" else "dead_letter"
        values = {"state": state, "finished_at": now}
    changed = session.scalar(
        update(MessageRow)
        .where(mine)
        .values(reason=outcome.detail[:400] or None, **values)
        .returning(MessageRow.id)
        .execution_options(synchronize_session=False)
    )
    if changed is None:
        return None
    if state != "retried":
        _revoke_coupons(session, [message_id])
    return state


def _end(session: Session, now: datetime, ended: Mapping[str, tuple[str, str]]) -> None:
    by_outcome: dict[tuple[str, str], list[str]] = {}
    for message_id, outcome in ended.items():
        by_outcome.setdefault(outcome, []).append(message_id)
    for (state, reason), ids in by_outcome.items():
        session.execute(
            update(MessageRow)
            .where(MessageRow.id.in_(ids))
            .values(state=state, reason=reason, finished_at=now)
            .execution_options(synchronize_session=False)
        )


def _revoke_coupons(session: Session, message_ids: Sequence[str]) -> None:
    if not message_ids:
        return
    # The code reached no customer.
    session.execute(
        update(CouponRow)
        .where(CouponRow.message_id.in_(message_ids))
        .values(state=REVOKED)
        .execution_options(synchronize_session=False)
    )


def _count_and_pause(session: Session, run_id: int, counts: Counter[str]) -> bool:
    """Add to the run's counters; pause it by one conditional update, and return whether this call paused it."""
    session.execute(
        update(RunRow)
        .where(RunRow.id == run_id)
        .values(sent=RunRow.sent + counts["sent"], failed=RunRow.failed + counts["failed"])
        .execution_options(synchronize_session=False)
    )
    finished = RunRow.sent + RunRow.failed
    paused = session.scalar(
        update(RunRow)
        .where(RunRow.id == run_id, RunRow.state == "running")
        .where(finished >= FEWEST_TO_PAUSE, RunRow.failed > RunRow.error_threshold * finished)
        .values(state="paused", pause_reason="more messages failed than error_threshold allows")
        .returning(RunRow.id)
        .execution_options(synchronize_session=False)
    )
    return paused is not None


def _claimed(row: MessageRow, seal: Seal) -> Claimed:
    content = orjson.loads(seal.unseal(row.body))
    outgoing = Outgoing(
        message_id=row.id,
        campaign_id=row.campaign_id,
        run_id=row.run_id,
        step=row.step,
        customer_id=row.customer_id,
        language=row.language,
        title=content["title"],
        body=content["body"],
        coupon_code=content["coupon_code"],
    )
    return Claimed(outgoing, row.channel, row.attempts + 1)
