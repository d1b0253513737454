"""Plan and launch as a test needs it, each in a transaction of its own."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Engine, func, select

from campaigns.definition.campaign import Definition
from campaigns.rows import CouponRow, DecisionRow, MessageRow, RunRow
from campaigns.runs.data import read_data
from campaigns.runs.launch import Launched, launch
from campaigns.runs.plan import CampaignPlan, make_plan
from engine.database.session import transaction
from engine.settings import Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def planned(database: Engine, town: Settings, definition: Definition, **kwargs: object) -> CampaignPlan:
    with transaction(database) as session:
        return make_plan(session, definition, read_data(town), **({"now": NOW, "actor": "test"} | kwargs))  # type: ignore[arg-type]


def launched(database: Engine, town: Settings, definition: Definition, **kwargs: object) -> Launched:
    with transaction(database) as session:
        return launch(session, definition, read_data(town), **({"now": NOW, "actor": "test"} | kwargs))  # type: ignore[arg-type]


def count(database: Engine, row: type[DecisionRow | MessageRow | CouponRow | RunRow]) -> int:
    with transaction(database) as session:
        return session.scalar(select(func.count()).select_from(row)) or 0
