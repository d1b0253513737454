"""A launch does exactly what its plan showed, once, for everyone at once or for nobody."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import polars as pl
import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError

from campaigns.definition.campaign import parse
from campaigns.rewards.coupons import ALPHABET
from campaigns.rows import CouponRow, DecisionRow, MessageRow, RunRow
from engine.columns import LINES
from engine.customers.consents import record_consent
from engine.database.audit import AuditRow
from engine.database.session import transaction
from engine.errors import Conflict
from engine.files.encryption import seal_of
from engine.history.opening import open_history
from engine.settings import Settings
from tests.campaigns.runs.steps import NOW, count, launched, planned
from tests.campaigns.town import order_rows, winback


def test_a_launch_writes_decisions_for_all_and_messages_and_coupons_for_the_treated(
    database: Engine, town: Settings
) -> None:
    plan = planned(database, town, winback())
    done = launched(database, town, winback())
    assert (done.decisions, done.treated, done.messages, done.coupons) == (
        160,
        plan.treated,
        plan.treated,
        plan.treated,
    )
    assert done.held_out == plan.held_out
    assert done.left_since_plan == {}
    with transaction(database) as session:
        decisions = {row.customer_id: row for row in session.scalars(select(DecisionRow))}
        messages = list(session.scalars(select(MessageRow)))
        coupons = {row.message_id: row for row in session.scalars(select(CouponRow))}
        actions = list(session.scalars(select(AuditRow.action).order_by(AuditRow.id)))
    assert len(decisions) == 160
    assert {m.customer_id for m in messages} == {c for c, row in decisions.items() if row.arm == "treated"}
    assert all(row.orders_before == 1 and row.revenue_before_cents == 2500 for row in decisions.values())
    assert all(row.decided_at == row.would_send_at == NOW for row in decisions.values())
    assert actions == ["campaign.plan", "campaign.launch"]
    for message in messages:
        code = coupons[message.id].code
        assert set(code.replace("-", "")) <= set(ALPHABET)
        content = orjson.loads(seal_of(town).unseal(message.body))
        assert content["coupon_code"] == code
        assert code in content["body"]
        assert "Name" not in message.body
        # 1 March 20:00 in Shanghai and seven days: to the end of 8 March there.
        assert coupons[message.id].expires_at == datetime(2026, 3, 8, 16, tzinfo=UTC)


def test_nothing_is_launched_where_orders_are_in_another_currency(database: Engine, town: Settings) -> None:
    """531 customers who pay in yuan were offered five dollars off."""
    foreign = replace(town, currency="CNY")
    planned(database, foreign, winback(currency="CNY"))
    with pytest.raises(Conflict, match="most orders are in USD but this home counts in CNY; set REGULARS_CURRENCY=USD"):
        launched(database, foreign, winback(currency="CNY"))
    assert count(database, RunRow) == 0


def test_a_few_foreign_orders_stop_nothing(database: Engine, town: Settings) -> None:
    row = open_history(town).orders().collect().head(1)
    far = row.with_columns(order_id=pl.lit("abroad"), currency=pl.lit("EUR"), customer_id=pl.lit("guest"))
    open_history(town).append(far, pl.DataFrame(schema=LINES))
    assert planned(database, town, winback()).warnings
    assert launched(database, town, winback()).decisions == 161


def test_a_launch_without_a_plan_says_to_plan_first(database: Engine, town: Settings) -> None:
    with pytest.raises(Conflict, match="never planned; run `regulars campaigns plan winback`"):
        launched(database, town, winback())


def test_a_launch_of_a_changed_definition_is_refused(database: Engine, town: Settings) -> None:
    plan = planned(database, town, winback())
    changed = winback("step: other")
    with pytest.raises(Conflict, match="definition changed since it was planned"):
        launched(database, town, changed)
    with pytest.raises(Conflict, match="definition changed since that plan"):
        launched(database, town, changed, plan_hash=plan.plan_hash)
    with pytest.raises(Conflict, match="there is no plan 'nope'"):
        launched(database, town, winback(), plan_hash="nope")
    assert launched(database, town, winback(), plan_hash=plan.plan_hash).decisions == 160


def test_a_plan_is_good_for_a_day_and_for_one_launch(database: Engine, town: Settings) -> None:
    planned(database, town, winback())
    with pytest.raises(Conflict, match="older than 24 hours"):
        launched(database, town, winback(), now=NOW + timedelta(hours=25))
    run = launched(database, town, winback(), now=NOW + timedelta(hours=23))
    with pytest.raises(Conflict, match=f"launched already, as run {run.run_id}"):
        launched(database, town, winback())


def test_of_two_launches_at_once_one_wins_and_decides_everyone_once(database: Engine, town: Settings) -> None:
    def attempt(_: int) -> str:
        try:
            launched(database, town, winback())
        except Conflict as refused:
            return refused.message
        return "launched"

    planned(database, town, winback())
    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(attempt, range(4)))
    assert outcomes.count("launched") == 1
    assert sum("launched already, as run" in each for each in outcomes) == 3
    assert count(database, DecisionRow) == 160


def test_who_refuses_or_orders_after_the_plan_is_left_out_and_counted(database: Engine, town: Settings) -> None:
    planned(database, town, winback())
    with transaction(database) as session:
        record_consent(session, NOW, customer_id="c0", granted=False, source="app")
    order_rows(town, [("c1", NOW + timedelta(minutes=1), 2000)])
    done = launched(database, town, winback(), now=NOW + timedelta(hours=1))
    assert done.left_since_plan == {"no_consent": 1, "not_in_segment": 1}
    assert done.decisions == 158


def test_nobody_the_plan_did_not_show_is_ever_decided(database: Engine, town: Settings) -> None:
    planned(database, town, winback())
    order_rows(town, [("newcomer", NOW - timedelta(days=40), 2000)])
    launched(database, town, winback())
    with transaction(database) as session:
        assert session.scalar(select(DecisionRow.id).where(DecisionRow.customer_id == "newcomer")) is None


def test_an_audience_that_drifted_too_far_must_be_planned_again(database: Engine, town: Settings) -> None:
    planned(database, town, winback())
    order_rows(town, [(f"c{i}", NOW - timedelta(days=1), 2000) for i in range(50)])
    with pytest.raises(Conflict, match="of the 160 planned customers are no longer eligible"):
        launched(database, town, winback())
    assert count(database, RunRow) == 0


def test_a_customer_is_decided_once_ever_and_never_moves_into_a_holdout(database: Engine, town: Settings) -> None:
    planned(database, town, winback())
    launched(database, town, winback())
    bigger = winback("audience_drift: 1").source.replace('"holdout":0.2', '"holdout":0.9')
    wider = parse(bigger, currency="USD")
    order_rows(town, [("newcomer", NOW - timedelta(days=40), 2000)])
    again = planned(database, town, wider)
    assert again.excluded == {"already_decided": 160, "no_consent": 40}
    done = launched(database, town, wider)
    assert done.decisions == 1
    with transaction(database) as session:
        per_customer = session.execute(select(DecisionRow.customer_id, func.count()).group_by(DecisionRow.customer_id))
        assert {n for _, n in per_customer} == {1}


def test_a_plan_as_of_the_past_decides_as_of_the_past(database: Engine, town: Settings) -> None:
    order_rows(town, [(f"c{i}", NOW - timedelta(days=5), 2000) for i in range(200)])
    then = NOW - timedelta(days=10)
    assert planned(database, town, winback()).audience == 0
    assert planned(database, town, winback(), as_of=then).audience == 200
    launched(database, town, winback())
    with transaction(database) as session:
        assert set(session.scalars(select(DecisionRow.decided_at))) == {then}
        assert set(session.scalars(select(MessageRow.due_at))) == {NOW}


def test_a_fault_in_the_middle_leaves_nothing_behind(
    database: Engine, town: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(database, town, winback())
    monkeypatch.setattr("campaigns.runs.launch.draw_code", lambda key, message_id: "SAME-CODE")
    with pytest.raises(IntegrityError):
        launched(database, town, winback())
    assert [count(database, row) for row in (RunRow, DecisionRow, MessageRow, CouponRow)] == [0, 0, 0, 0]


def test_the_database_itself_refuses_a_second_message_of_one_step(database: Engine, town: Settings) -> None:
    planned(database, town, winback())
    launched(database, town, winback())
    with transaction(database) as session:
        one = session.scalars(select(MessageRow)).first()
        assert one is not None
        copy = {column.name: getattr(one, column.name) for column in MessageRow.__table__.columns}
        session.add(MessageRow(**(copy | {"id": "msg_other"})))
        with pytest.raises(IntegrityError):
            session.flush()
        session.rollback()
