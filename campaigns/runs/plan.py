"""The dry run: who would be decided, who is left out and why, the most it could cost, and sample messages.

A plan is stored with the ids it showed; `campaigns.runs.launch` reaches nobody else.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import orjson
import polars as pl
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from campaigns.channels.registry import consent_of
from campaigns.definition.campaign import Definition
from campaigns.eligibility.audience import Audience, choose_audience, fingerprint, in_segment
from campaigns.eligibility.registered import registered_in
from campaigns.rewards.coupons import SAMPLE_CODE
from campaigns.rows import CampaignRow, DecisionRow, PlanRow
from campaigns.runs.data import CampaignData
from campaigns.runs.render import Rendered, Renderer
from engine.clock import last_day_text
from engine.customers import consents
from engine.database import audit
from engine.errors import BadDefinition
from engine.experiments.assignment import GLOBAL_HOLDOUT, Arm, bucket
from engine.language import primary
from engine.offers.offer import Offer

PREVIEWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPlan:
    """What a launch would do. `audience` is everyone in the segment, `eligible` those left after `excluded`.

    `cost_ceiling_cents` is treated customers times the most one coupon takes off, in minor units of `currency`: 0
    without an offer, None where nothing bounds the offer. Messages show a sample code; real ones are drawn at launch.
    `warnings` are sentences on what makes the figures doubtful.
    """

    campaign: str
    name: str
    plan_hash: str
    as_of: datetime
    audience: int
    eligible: int
    excluded: Mapping[str, int]
    treated: int
    held_out: Mapping[str, int]
    offer: str | None
    cost_ceiling_cents: int | None
    currency: str
    channel: str
    messages: tuple[Rendered, ...]
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Return the plan for scripts."""
        return {
            "campaign": self.campaign,
            "name": self.name,
            "plan_hash": self.plan_hash,
            "as_of": self.as_of,
            "audience": self.audience,
            "eligible": self.eligible,
            "excluded": dict(self.excluded),
            "treated": self.treated,
            "held_out": dict(self.held_out),
            "offer": self.offer,
            "cost_ceiling_cents": self.cost_ceiling_cents,
            "currency": self.currency,
            "channel": self.channel,
            "warnings": list(self.warnings),
            "messages": [
                {"customer_id": m.customer_id, "language": m.language, "title": m.title, "body": m.body}
                for m in self.messages
            ],
        }


def make_plan(
    session: Session,
    definition: Definition,
    data: CampaignData,
    *,
    now: datetime,
    actor: str,
    as_of: datetime | None = None,
    global_holdout: float = GLOBAL_HOLDOUT,
) -> CampaignPlan:
    """Work out and store what a launch would do; `as_of` None reads the data as of `now`.

    Raises BadDefinition for an offer that is not there or has ended.
    """
    at = as_of or now
    offer = offer_of(definition, data, now)
    audience = audience_at(session, definition, data, at, global_holdout=global_holdout, exact=as_of is not None)
    plan_hash = fingerprint(definition, audience.eligible)
    _ensure_campaign(session, definition, now)
    row = PlanRow(
        campaign_id=definition.id,
        definition_hash=definition.hash,
        plan_hash=plan_hash,
        definition=definition.source,
        planned_at=now,
        as_of=at,
        as_of_given=as_of is not None,
        audience=zlib.compress(orjson.dumps(audience.eligible["customer_id"].to_list())),
    )
    session.add(row)
    treated = audience.count(Arm.TREATED)
    detail = {"plan_hash": plan_hash, "eligible": audience.eligible.height, "treated": treated}
    audit.record(session, now, actor=actor, action="campaign.plan", target=definition.id, detail=detail)
    session.flush()
    return CampaignPlan(
        campaign=definition.id,
        name=definition.name,
        plan_hash=plan_hash,
        as_of=at,
        audience=audience.in_segment,
        eligible=audience.eligible.height,
        excluded=audience.excluded,
        treated=treated,
        held_out={"global": audience.count(Arm.HELD_GLOBAL), "campaign": audience.count(Arm.HELD_CAMPAIGN)},
        offer=offer.title() if offer else None,
        cost_ceiling_cents=_ceiling(offer, treated),
        currency=offer.currency if offer else data.currency,
        channel=definition.channel,
        messages=_previews(Renderer(definition, data, offer, now), audience, at),
        warnings=(*_foreign_currency(data), *_no_home_text(definition, data)),
    )


def audience_at(
    session: Session, definition: Definition, data: CampaignData, at: datetime, *, global_holdout: float, exact: bool
) -> Audience:
    """Choose the audience as of `at`, with consents and earlier decisions read in the caller's transaction.

    `exact` False (`at` is now) lets a fresh stored customer table answer, see `engine.segments.sources`.
    """
    return choose_audience(
        definition,
        in_segment(definition, data.figures(at), data.segments(session, exact), at),
        stated=consents.latest_consents(session, channel=consent_of(definition.channel)),
        registered=registered_in(data.customers, data.seal),
        decided=decided_before(session, definition.id),
        global_holdout=global_holdout,
    )


def decided_before(session: Session, campaign_id: str) -> set[str]:
    """Return everyone this campaign ever decided, treated or held out."""
    return set(session.scalars(select(DecisionRow.customer_id).where(DecisionRow.campaign_id == campaign_id)))


def planned_ids(row: PlanRow) -> set[str]:
    """Return the customers a stored plan showed as eligible."""
    return set(orjson.loads(zlib.decompress(row.audience)))


def offer_of(definition: Definition, data: CampaignData, now: datetime) -> Offer | None:
    """Return the campaign's offer, None where it has none.

    Raises BadDefinition when it is not imported or ended before `now`.
    """
    if definition.offer is None:
        return None
    offer = definition.offer.resolve(data.offers, currency=data.currency)
    if offer.valid_until is not None and offer.valid_until <= now:
        day = last_day_text(offer.valid_until, data.timezone)
        raise BadDefinition(
            f"offer {offer.offer_id!r} ended on {day}; choose one that still holds", where="offer.offer_id"
        )
    return offer


def _no_home_text(definition: Definition, data: CampaignData) -> tuple[str, ...]:
    chosen, _ = definition.message_in(None, data.language)
    if primary(chosen) == data.language:
        return ()
    return (
        f"there is no text in the home's language {data.language}, so who has no language with a text gets {chosen}; "
        f"write one under message.{data.language}, or set REGULARS_LANGUAGE",
    )


def _foreign_currency(data: CampaignData) -> tuple[str, ...]:
    found = data.orders.select(pl.col("currency").drop_nulls().unique()).collect()["currency"].sort()
    foreign = [each for each in found if each != data.currency]
    if not foreign:
        return ()
    return (
        f"orders are in {', '.join(foreign)} but campaigns count in {data.currency}, so amounts in segments and offers "
        "are compared as if equal; set REGULARS_CURRENCY",
    )


def _ensure_campaign(session: Session, definition: Definition, now: datetime) -> None:
    if session.get(CampaignRow, definition.id) is not None:
        return
    # Of two first plans at once the other may have made the row already.
    with suppress(IntegrityError), session.begin_nested():
        session.add(CampaignRow(id=definition.id, name=definition.name, created_at=now))


def _ceiling(offer: Offer | None, treated: int) -> int | None:
    if offer is None:
        return 0
    return None if offer.ceiling_cents is None else offer.ceiling_cents * treated


def _previews(renderer: Renderer, audience: Audience, at: datetime) -> tuple[Rendered, ...]:
    # Drawn by hash: the first ids are often the oldest customers, who are not typical.
    treated = audience.treated()
    ids = sorted(treated["customer_id"], key=lambda each: bucket("preview", each))[:PREVIEWS]
    chosen = treated.filter(treated["customer_id"].is_in(ids))
    return tuple(renderer.render(person, code=SAMPLE_CODE) for person in renderer.recipients(chosen, as_of=at))
