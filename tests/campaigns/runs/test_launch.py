"""A launch does exactly what its plan showed, once, for everyone at once or for nobody."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import polars as pl
import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError

from campaigns.definition.campaign import Definition, parse
from campaigns.rewards.coupons import ALPHABET
from campaigns.rows import CouponRow, DecisionRow, MessageRow, RunRow
from campaigns.runs.data import read_data
from campaigns.runs.launch import Launched, launch
from campaigns.runs.plan import CampaignPlan, make_plan
from engine.columns import ORDERS
from engine.customers.consents import record_consent
from engine.database.audit import AuditRow
from engine.database.session import connect, transaction
from engine.errors import BadDefinition, Conflict
from engine.experiments.assignment import Arm, assign
from engine.files.encryption import seal_of
from engine.history.orders import History
from engine.history.tables import upsert_table
from engine.settings import Settings
from tests.campaigns.town import WINBACK, order_rows, settle_town, winback

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def town(settings: Settings, database_url: str | None) -> Settings:
    town = replace(settings, database_url=database_url)
    settle_town(town, 200, now=NOW, consents=(None, None, None, True, False))
    return town


@pytest.fixture
def database(town: Settings) -> Iterator[Engine]:
    database = connect(town)
    yield database
    database.dispose()


def planned(database: Engine, town: Settings, definition: Definition, **kwargs: object) -> CampaignPlan:
    with transaction(database) as session:
        return make_plan(session, definition, read_data(town), **({"now": NOW, "actor": "test"} | kwargs))  # type: ignore[arg-type]


def launched(database: Engine, town: Settings, definition: Definition, **kwargs: object) -> Launched:
    with transaction(database) as session:
        return launch(session, definition, read_data(town), **({"now": NOW, "actor": "test"} | kwargs))  # type: ignore[arg-type]


def count(database: Engine, row: type[DecisionRow | MessageRow | CouponRow | RunRow]) -> int:
    with transaction(database) as session:
        return session.scalar(select(func.count()).select_from(row)) or 0


def test_a_plan_counts_everyone_and_writes_no_decision(database: Engine, town: Settings) -> None:
    plan = planned(database, town, winback())
    assert plan.audience == 200
    assert plan.excluded == {"no_consent": 40}
    assert plan.eligible == 160 == plan.treated + sum(plan.held_out.values())
    assert plan.cost_ceiling_cents == plan.treated * 500
    assert plan.held_out["global"] == sum(
        assign(f"c{i}", campaign_id="winback", holdout=0.2) is Arm.HELD_GLOBAL for i in range(200) if i % 5 != 4
    )
    assert len(plan.messages) == 20
    assert {m.language for m in plan.messages} == {"en", "zh"}
    assert all("SAMPLE-CODE-ONLY" in m.body for m in plan.messages)
    assert count(database, DecisionRow) == count(database, CouponRow) == 0


def test_the_same_plan_has_the_same_hash_and_another_definition_another(database: Engine, town: Settings) -> None:
    first = planned(database, town, winback())
    assert planned(database, town, winback()).plan_hash == first.plan_hash
    assert planned(database, town, winback("latest_send_hours: 12")).plan_hash != first.plan_hash


def test_orders_in_another_currency_are_warned_of(database: Engine, town: Settings) -> None:
    assert planned(database, town, winback()).warnings == ()
    (warning,) = planned(database, replace(town, currency="INR"), winback(currency="INR")).warnings
    assert warning.startswith("orders are in USD but campaigns count in INR")


def test_explicit_consent_leaves_the_unknown_out(database: Engine, town: Settings) -> None:
    assert planned(database, town, winback("consent: explicit")).excluded == {"consent_unknown": 120, "no_consent": 40}


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


def test_messages_are_in_the_customers_language_and_read_well_without_a_name(database: Engine, town: Settings) -> None:
    planned(database, town, winback())
    launched(database, town, winback())
    seal = seal_of(town)
    with transaction(database) as session:
        texts = {
            row.customer_id: orjson.loads(seal.unseal(row.body))["body" if row.language == "zh" else "title"]
            for row in session.scalars(select(MessageRow))
        }
    for customer_id, text in texts.items():
        i = int(customer_id[1:])
        name = f"Name {i}" if i % 4 else None
        assert text.startswith((name or "您好") if i % 3 == 1 else f"Hi {name or 'there'}")


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


def test_first_plans_at_the_same_time_do_not_disturb_each_other(database: Engine, town: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        hashes = {plan.plan_hash for plan in pool.map(lambda _: planned(database, town, winback()), range(4))}
    assert len(hashes) == 1


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


def test_an_offer_that_is_not_imported_or_has_ended_is_refused(database: Engine, town: Settings) -> None:
    tree = winback().source.replace(
        '"offer":{"amount":5,"kind":"amount","min_spend":20,"valid_days":7}', '"offer":{"offer_id":"summer"}'
    )
    with pytest.raises(BadDefinition, match="no offer 'summer' is imported"):
        planned(database, town, parse(tree, currency="USD"))


def test_a_message_may_name_the_customers_favourite_dish_in_their_language(database: Engine, town: Settings) -> None:
    items = pl.DataFrame({"item_id": ["soup"], "name": ["Hot soup"], "name_zh": ["热汤"]})
    upsert_table(town, "items", items)
    history = History(town.history_folder)
    first = history.orders().sort("order_id").select("order_id", "customer_id", "ordered_at", "status").collect()
    ordered = first.with_columns(
        pl.lit("soup").alias("item_id"), pl.lit(0, pl.Int32).alias("line_no"), pl.lit(1.0, pl.Float32).alias("quantity")
    )
    history.append(pl.DataFrame(schema=ORDERS), ordered)
    favourite = "{% if favourite.name %}{{ favourite.name }}!{% else %}Hello!{% endif %}"
    text = WINBACK.replace("{{ offer.amount }} off", favourite).replace("立减", favourite)
    plan = planned(database, town, parse(text, currency="USD"))
    for message in plan.messages:
        assert ("热汤!" if message.language == "zh" else "Hot soup!") in message.body
