"""The demo's last step: plan, launch and send the ready win-back, and find its coupon in the app."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Engine

from campaigns.channels.registry import configured_channels, require_channel
from campaigns.definition.find import load_definition
from campaigns.delivery.worker import Worker
from campaigns.eligibility.registered import RegisteredPeople
from campaigns.runs.data import read_data
from campaigns.runs.launch import launch
from campaigns.runs.plan import make_plan
from cli.demo.server import Client
from cli.output import actor
from engine.database.session import transaction
from engine.files.encryption import seal_of
from engine.history.compaction import compact_inbox
from engine.history.tables import read_table
from engine.runtime.logs import configure_logs
from engine.settings import Settings

Figures = dict[str, Any]
CAMPAIGN = "dormant_winback"


def win_back(engine: Engine, settings: Settings) -> Figures:
    """Plan, launch and send the ready dormant win-back as the campaigns and worker commands do."""
    definition = load_definition(CAMPAIGN, currency=settings.currency)
    require_channel(settings, definition.channel)
    compact_inbox(engine, settings)
    with transaction(engine) as session:
        plan = make_plan(session, definition, read_data(settings), now=datetime.now(UTC), actor=actor())
    with transaction(engine) as session:
        launched = launch(
            session,
            definition,
            read_data(settings),
            now=datetime.now(UTC),
            actor=actor(),
            plan_hash=plan.plan_hash,
        )
    configure_logs("warning")
    worker = Worker(
        database=engine,
        channels=configured_channels(settings, concurrency=32, timeout_s=10.0),
        seal=seal_of(settings),
        registered=RegisteredPeople(settings).current,
        clock=lambda: datetime.now(UTC),
    )
    counts = asyncio.run(_drain(worker))
    recorded = _recorded(settings)
    planned = plan.as_json()
    kept = ("audience", "excluded", "eligible", "treated", "held_out", "offer", "cost_ceiling_cents", "currency")
    return {
        "campaign": plan.campaign,
        "name": plan.name,
        **{name: planned[name] for name in kept},
        "decided": launched.decisions,
        "coupons": launched.coupons,
        "messages": launched.messages,
        "worker": counts,
        "sent": counts["sent"],
        "recorded": len(recorded),
        "recording_file": str(settings.recording_file),
        "examples": _examples(settings, recorded),
    }


async def _drain(worker: Worker) -> dict[str, int]:
    return (await worker.run("drain", asyncio.Event())).as_json()


def _recorded(settings: Settings) -> list[Figures]:
    if not settings.recording_file.exists():
        return []
    return [orjson.loads(line) for line in settings.recording_file.read_bytes().splitlines()]


def _examples(settings: Settings, recorded: Sequence[Figures]) -> list[Figures]:
    """Return a message of each language, to somebody who gave their name where there is one."""
    named = set(read_table(settings, "customers").drop_nulls("name")["customer_id"])
    found: dict[str, Figures] = {}
    for message in sorted(recorded, key=lambda each: (each["customer_id"] not in named, each["customer_id"])):
        found.setdefault(message["language"], message)
    return [found[language] for language in sorted(found)]


def look_up_coupon(client: Client, message: Figures, at: datetime) -> Figures:
    """Ask for the coupons of somebody who was just written to: the code in their message is there to use."""
    body = {"customer_id": message["customer_id"], "limit": 10, "context": {"at": at.isoformat()}, "language": "en"}
    answer = client.post("/v1/recommend/coupons", body)
    held = [each for each in answer["items"] if each["code"] == message["coupon_code"]]
    return {"customer_id": message["customer_id"], "code": message["coupon_code"], "held": held}
