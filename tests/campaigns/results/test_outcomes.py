"""Outcomes are counted day by day from each customer's own instant, beside what was known before it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from campaigns.results.outcomes import RunOutcomes, days_over, outcomes_of
from campaigns.rows import CampaignRow, DecisionRow, PlanRow, RunRow
from engine.columns import ORDERS
from engine.database.session import connect, transaction
from engine.experiments.assignment import Arm
from engine.settings import Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def orders(*rows: tuple[str, datetime, int, str]) -> pl.LazyFrame:
    told = [
        {"order_id": str(n), "customer_id": who, "ordered_at": at, "order_cents": cents, "status": status}
        for n, (who, at, cents, status) in enumerate(rows)
    ]
    return pl.DataFrame([{name: row.get(name) for name in ORDERS} for row in told], schema=ORDERS).lazy()


def decided(settings: Settings, found: pl.LazyFrame) -> RunOutcomes:
    database = connect(settings)
    with transaction(database) as session:
        session.add(CampaignRow(id="c", name="c", created_at=NOW))
        session.flush()
        plan = PlanRow(
            campaign_id="c",
            definition_hash="",
            plan_hash="",
            definition="",
            planned_at=NOW,
            as_of=NOW,
            as_of_given=False,
            audience=b"",
        )
        session.add(plan)
        session.flush()
        run = RunRow(
            campaign_id="c",
            plan_id=plan.id,
            plan_hash="",
            definition="",
            currency="USD",
            launched_at=NOW,
            decided_at=NOW,
            state="running",
            error_threshold=0.1,
            sent=0,
            failed=0,
        )
        session.add(run)
        session.flush()
        for who, arm, at in (("a", Arm.TREATED, NOW), ("b", Arm.HELD_CAMPAIGN, NOW + DAY / 2)):
            session.add(
                DecisionRow(
                    campaign_id="c",
                    run_id=run.id,
                    step="s",
                    customer_id=who,
                    arm=arm.value,
                    decided_at=NOW,
                    would_send_at=at,
                    orders_before=1,
                    revenue_before_cents=None,
                )
            )
        session.flush()
        return outcomes_of(session, run.id, found, window_days=3)


def test_days_are_cut_at_the_customers_own_instant(settings: Settings) -> None:
    found = decided(
        settings,
        orders(
            ("a", NOW, 100, "delivered"),
            ("a", NOW + DAY, 200, "delivered"),
            ("a", NOW + DAY + timedelta(microseconds=1), 300, "delivered"),
            ("a", NOW + 2 * DAY, 999, "cancelled"),
            ("b", NOW + DAY / 4, 400, "delivered"),
            ("b", NOW + 3.5 * DAY, 500, "delivered"),
            ("b", NOW + 3.6 * DAY, 999, "delivered"),
            ("c", NOW + DAY, 999, "delivered"),
        ),
    )
    people = found.of_arms(Arm.TREATED, Arm.HELD_CAMPAIGN)
    assert found.cumulative(people, "revenue_cents", 3).tolist() == [[200, 500, 500], [0, 0, 500]]
    assert found.cumulative(people, "orders", 2).tolist() == [[1, 2], [0, 0]]
    assert people["orders"].to_list() == [2, 1]


def test_what_was_known_before_stops_at_the_customers_own_instant(settings: Settings) -> None:
    found = decided(
        settings,
        orders(
            ("a", NOW - 100 * DAY, 100, "delivered"),
            ("a", NOW - 40 * DAY, 200, "cancelled"),
            ("a", NOW - 3 * DAY, 300, "delivered"),
            ("b", NOW + DAY / 4, 400, "delivered"),
        ),
    )
    first, second = found.of_arms(Arm.TREATED, Arm.HELD_CAMPAIGN).iter_rows(named=True)
    assert (first["orders_28d"], first["orders_90d"]) == (1, 2)
    assert (first["revenue_28d_cents"], first["revenue_90d_cents"]) == (300, 500)
    assert first["recency"] == pytest.approx(2.718281828 ** (-3 / 30))
    assert (second["orders_28d"], second["revenue_before_cents"]) == (1, 0)


def test_a_day_is_over_when_all_of_it_is() -> None:
    assert days_over(NOW, NOW + DAY - timedelta(seconds=1), window_days=5) == 0
    assert days_over(NOW, NOW + 2 * DAY, window_days=5) == 2
    assert days_over(NOW, NOW + 20 * DAY, window_days=5) == 5
    assert days_over(NOW, NOW - DAY, window_days=5) == 0
