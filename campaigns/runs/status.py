"""The state of a campaign: its runs, their decisions by arm, and its messages by state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from campaigns.rows import CampaignRow, DecisionRow, MessageRow, PlanRow, RunRow
from engine.database import audit
from engine.errors import Conflict, NotFound, did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """One run: decisions by arm, messages by state (queued under lease counts as leased), why the unsent ended."""

    run_id: int
    state: str
    pause_reason: str | None
    launched_at: datetime
    decisions: Mapping[str, int]
    messages: Mapping[str, int]
    reasons: Mapping[str, int]

    def as_json(self) -> dict[str, object]:
        """Return it for scripts."""
        return {
            "run_id": self.run_id,
            "state": self.state,
            "pause_reason": self.pause_reason,
            "launched_at": self.launched_at,
            "decisions": dict(self.decisions),
            "messages": dict(self.messages),
            "reasons": dict(self.reasons),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignStatus:
    """A campaign with its runs, oldest first; `decisions` and `messages` add them up."""

    campaign: str
    name: str
    plans: int
    runs: tuple[RunStatus, ...]
    decisions: Mapping[str, int]
    messages: Mapping[str, int]

    def as_json(self) -> dict[str, object]:
        """Return it for scripts."""
        return {
            "campaign": self.campaign,
            "name": self.name,
            "plans": self.plans,
            "decisions": dict(self.decisions),
            "messages": dict(self.messages),
            "runs": [run.as_json() for run in self.runs],
        }


def campaign_ids(session: Session) -> list[str]:
    """Return the ids of all campaigns that were ever planned."""
    return list(session.scalars(select(CampaignRow.id).order_by(CampaignRow.id)))


def status_of(session: Session, campaign_id: str, *, now: datetime) -> CampaignStatus:
    """Return the state of a campaign at `now`.

    Raises NotFound when it was never planned.
    """
    campaign = campaign_of(session, campaign_id)
    rows = session.scalars(select(RunRow).where(RunRow.campaign_id == campaign_id).order_by(RunRow.id)).all()
    runs = tuple(_run_status(session, run, now) for run in rows)
    decisions: Counter[str] = Counter()
    messages: Counter[str] = Counter()
    for run in runs:
        decisions.update(run.decisions)
        messages.update(run.messages)
    plans = session.scalar(select(func.count()).where(PlanRow.campaign_id == campaign_id)) or 0
    return CampaignStatus(
        campaign=campaign.id,
        name=campaign.name,
        plans=plans,
        runs=runs,
        decisions=dict(sorted(decisions.items())),
        messages=dict(sorted(messages.items())),
    )


def campaign_of(session: Session, campaign_id: str) -> CampaignRow:
    """Return a campaign's row.

    Raises NotFound when it was never planned.
    """
    campaign = session.get(CampaignRow, campaign_id)
    if campaign is None:
        known = campaign_ids(session)
        hint = did_you_mean(campaign_id, known) if known else "; none was planned yet"
        raise NotFound(f"no campaign of that id was ever planned{hint}", where=campaign_id)
    return campaign


def message_counts(session: Session, run_id: int, now: datetime) -> tuple[dict[str, int], dict[str, int]]:
    """Return a run's messages by state, and those that ended unsent by `state(reason)`."""
    leased = (MessageRow.state == "queued") & (MessageRow.lease_until >= now)
    state = case((leased, "leased"), else_=MessageRow.state)
    rows = session.execute(
        select(state, MessageRow.reason, func.count())
        .where(MessageRow.run_id == run_id)
        .group_by(state, MessageRow.reason)
    ).all()
    states: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for name, reason, count in rows:
        states[name] += count
        if reason and name not in ("sent", "queued", "leased"):
            reasons[f"{name}({reason})"] += count
    return dict(sorted(states.items())), dict(sorted(reasons.items()))


def pause_runs(session: Session, campaign_id: str, *, now: datetime, actor: str) -> int:
    """Stop all running runs of a campaign from sending; return how many there were."""
    return _set_state(session, campaign_id, "running", "paused", f"paused by {actor}", now=now, actor=actor)


def resume_runs(session: Session, campaign_id: str, *, now: datetime, actor: str) -> int:
    """Resume all paused runs of a campaign, with failures counted anew; return how many there were."""
    return _set_state(session, campaign_id, "paused", "running", None, now=now, actor=actor)


def _set_state(
    session: Session, campaign_id: str, before: str, after: str, reason: str | None, *, now: datetime, actor: str
) -> int:
    campaign_of(session, campaign_id)
    values: dict[str, object] = {"state": after, "pause_reason": reason}
    if after == "running":
        values |= {"sent": 0, "failed": 0}
    changed = session.scalars(
        update(RunRow)
        .where(RunRow.campaign_id == campaign_id, RunRow.state == before)
        .values(**values)
        .returning(RunRow.id)
        .execution_options(synchronize_session=False)
    ).all()
    if not changed:
        raise Conflict(f"no run of it is {before}", where=f"campaign {campaign_id}")
    audit.record(
        session, now, actor=actor, action=f"campaign.{after}", target=campaign_id, detail={"runs": list(changed)}
    )
    return len(changed)


def _run_status(session: Session, run: RunRow, now: datetime) -> RunStatus:
    arms = session.execute(
        select(DecisionRow.arm, func.count()).where(DecisionRow.run_id == run.id).group_by(DecisionRow.arm)
    ).all()
    messages, reasons = message_counts(session, run.id, now)
    return RunStatus(
        run_id=run.id,
        state=run.state,
        pause_reason=run.pause_reason,
        launched_at=run.launched_at,
        decisions=dict(sorted((row[0], row[1]) for row in arms)),
        messages=messages,
        reasons=reasons,
    )
