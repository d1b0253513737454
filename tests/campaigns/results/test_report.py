"""A report compares treated with held-out customers in one window, and admits when it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from campaigns.definition.campaign import Definition, parse
from campaigns.results.report import RunReport, report_on
from campaigns.rows import CouponRow, DecisionRow
from campaigns.runs.data import read_data
from campaigns.runs.launch import launch
from campaigns.runs.plan import make_plan
from engine.database.session import connect, transaction
from engine.errors import NotFound
from engine.experiments.statistics import Difference, NotEnoughData
from engine.history.opening import open_history
from engine.settings import Settings
from tests.campaigns.town import WINBACK, order_rows, settle_town

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HALF_HELD = WINBACK.replace("holdout: 0.2", "holdout: 0.5\nattribution_days: 10")


@pytest.fixture
def database(settings: Settings) -> Iterator[Engine]:
    database = connect(settings)
    yield database
    database.dispose()


def run_campaign(database: Engine, settings: Settings, definition: Definition) -> dict[str, list[str]]:
    """Launch to 400 customers and return customers by arm, in order."""
    settle_town(settings, 400, now=NOW)
    for act in (make_plan, launch):
        with transaction(database) as session:
            act(session, definition, read_data(settings), now=NOW, actor="test")
    arms: dict[str, list[str]] = {}
    with transaction(database) as session:
        for row in session.scalars(select(DecisionRow).order_by(DecisionRow.customer_id)):
            arms.setdefault(row.arm, []).append(row.customer_id)
    return arms


def report(database: Engine, settings: Settings, now: datetime = NOW + 20 * DAY) -> RunReport:
    with transaction(database) as session:
        (found,) = report_on(session, "winback", open_history(settings).orders(), now=now)
    return found


def test_figures_are_per_customer_of_each_arm_in_the_half_open_window(database: Engine, settings: Settings) -> None:
    arms = run_campaign(database, settings, parse(HALF_HELD, currency="USD"))
    treated, held = arms["treated"], arms["held_campaign"]
    order_rows(settings, [(each, NOW + DAY, 3000) for each in treated[:60]])
    order_rows(settings, [(each, NOW + 10 * DAY, 3000) for each in held[:20]])
    outside = [(treated[70], NOW), (treated[71], NOW + 10 * DAY + timedelta(seconds=1)), (held[70], NOW - DAY)]
    order_rows(settings, [(customer, at, 9999) for customer, at in outside])
    order_rows(settings, [(treated[72], NOW + DAY, 9999)], status="cancelled")
    order_rows(settings, [(treated[73], NOW + DAY, 9999)], status="refunded")
    order_rows(settings, [("stranger", NOW + DAY, 9999)])

    found = report(database, settings)
    assert found.decided == 400
    assert (found.arms["treated"].orders, found.arms["treated"].revenue_cents) == (60, 180_000)
    assert (found.arms["held_campaign"].orders, found.arms["held_campaign"].revenue_cents) == (20, 60_000)
    assert found.arms["held_global"].orders == 0
    difference = found.incremental_orders
    assert isinstance(difference, Difference)
    # Adjusted for what was known before, which in this town says next to nothing.
    assert difference.estimate == pytest.approx(60 / len(treated) - 20 / len(held), rel=0.02)
    assert difference.low < difference.estimate < difference.high
    revenue = found.incremental_revenue_cents
    assert isinstance(revenue, Difference)
    assert revenue.estimate == pytest.approx(3000 * difference.estimate, rel=0.02)
    assert [look.day for look in found.looks["orders"]] == list(range(1, 11))
    assert found.looks["orders"][-1].estimate == difference.estimate
    assert found.plan.days == 10
    assert found.sample_ratio is not None
    assert not found.sample_ratio.alarm
    assert not found.window_open


def test_an_order_cancelled_later_is_taken_back(database: Engine, settings: Settings) -> None:
    arms = run_campaign(database, settings, parse(HALF_HELD, currency="USD"))
    customer = arms["treated"][0]
    order_rows(settings, [(customer, NOW + DAY, 3000), (arms["treated"][1], NOW + DAY, 3000)])
    assert report(database, settings).arms["treated"].orders == 2
    order_rows(settings, [(customer, NOW + DAY, 3000)], status="refunded")
    assert report(database, settings).arms["treated"].orders == 1


def test_coupon_cost_is_what_orders_with_the_customers_code_or_offer_were_discounted(
    database: Engine, settings: Settings
) -> None:
    arms = run_campaign(database, settings, parse(HALF_HELD, currency="USD"))
    with transaction(database) as session:
        codes = {row.customer_id: row.code for row in session.scalars(select(CouponRow))}
    one, two, three, thief = arms["treated"][:4]
    own = [codes[one], "campaign:winback", "other-offer", codes[one]]
    at = NOW + DAY
    order_rows(settings, [(each, at, 2500) for each in (one, two, three, thief)], offer_ids=own, discount_cents=500)
    found = report(database, settings)
    assert (found.coupons_used, found.coupon_cost_cents) == (2, 1000)


def test_an_open_window_says_so(database: Engine, settings: Settings) -> None:
    run_campaign(database, settings, parse(HALF_HELD, currency="USD"))
    assert report(database, settings, NOW + 9 * DAY).window_open
    assert not report(database, settings, NOW + 10 * DAY).window_open


def reason(found: RunReport) -> str:
    assert isinstance(found.incremental_orders, NotEnoughData)
    assert found.incremental_orders == found.incremental_revenue_cents
    assert found.as_json()["incremental_orders"] == {"enough": False, "reason": found.incremental_orders.reason}
    return found.incremental_orders.reason


def test_without_a_holdout_there_is_no_number(database: Engine, settings: Settings) -> None:
    arms = run_campaign(database, settings, parse(WINBACK.replace("holdout: 0.2", "holdout: 0"), currency="USD"))
    order_rows(settings, [(arms["treated"][0], NOW + DAY, 3000)])
    found = report(database, settings)
    assert reason(found) == "not enough data: holdout is 0, so nobody was left alone to compare with"
    assert found.sample_ratio is None
    assert found.arms["treated"].orders == 1


def test_with_too_few_held_out_there_is_no_number(database: Engine, settings: Settings) -> None:
    arms = run_campaign(database, settings, parse(WINBACK.replace("holdout: 0.2", "holdout: 0.02"), currency="USD"))
    order_rows(settings, [(arms["treated"][0], NOW + DAY, 3000)])
    expected = "not enough data: each arm needs at least 5 customers with an order in the window"
    assert reason(report(database, settings)) == expected


def test_before_the_first_day_is_over_there_is_no_number(database: Engine, settings: Settings) -> None:
    arms = run_campaign(database, settings, parse(HALF_HELD, currency="USD"))
    order_rows(settings, [(each, NOW + DAY / 4, 3000) for each in (*arms["treated"][:50], *arms["held_campaign"][:50])])
    found = report(database, settings, NOW + DAY / 2)
    assert reason(found) == "not enough data: the first day of the window is not over"
    assert found.arms["treated"].orders == 50


def test_a_later_day_leaves_the_looks_before_it_as_they_were(database: Engine, settings: Settings) -> None:
    arms = run_campaign(database, settings, parse(HALF_HELD, currency="USD"))
    for day in range(8):
        chosen = [*arms["treated"][day * 9 : day * 9 + 9], *arms["held_campaign"][day * 6 : day * 6 + 6]]
        order_rows(settings, [(each, NOW + (day + 0.5) * DAY, 3000) for each in chosen])
    early, late = report(database, settings, NOW + 5 * DAY), report(database, settings, NOW + 8 * DAY)
    assert len(early.looks["orders"]) == 5
    assert late.looks["orders"][:5] == early.looks["orders"]
    assert early.looks["orders"][-1].enough


def test_when_history_ends_before_the_window_there_is_no_number(database: Engine, settings: Settings) -> None:
    run_campaign(database, settings, parse(HALF_HELD, currency="USD"))
    assert "order history ends 2025-12-31 12:00 UTC" in reason(report(database, settings))


def test_a_broken_split_raises_the_alarm(database: Engine, settings: Settings) -> None:
    run_campaign(database, settings, parse(HALF_HELD, currency="USD"))
    with transaction(database) as session:
        for row in session.scalars(select(DecisionRow).where(DecisionRow.arm == "held_campaign").limit(90)):
            session.delete(row)
    ratio = report(database, settings).sample_ratio
    assert ratio is not None
    assert ratio.alarm


def test_a_campaign_nobody_planned_is_not_found(database: Engine, settings: Settings) -> None:
    run_campaign(database, settings, replace(parse(HALF_HELD, currency="USD")))
    with pytest.raises(NotFound, match="did you mean 'winback'"), transaction(database) as session:
        report_on(session, "winbak", open_history(settings).orders(), now=NOW)
