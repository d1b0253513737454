"""A plan shows everyone a launch would decide, stores them, and decides nobody."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import polars as pl
import pytest
from sqlalchemy import Engine

from campaigns.definition.campaign import parse
from campaigns.rows import CouponRow, DecisionRow
from campaigns.runs.data import read_data
from campaigns.runs.render import Rendered, Renderer
from engine.errors import BadDefinition
from engine.experiments.assignment import Arm, assign
from engine.history.tables import upsert_table
from engine.settings import Settings
from tests.campaigns.runs.steps import NOW, count, planned
from tests.campaigns.town import winback


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


def test_first_plans_at_the_same_time_do_not_disturb_each_other(database: Engine, town: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        hashes = {plan.plan_hash for plan in pool.map(lambda _: planned(database, town, winback()), range(4))}
    assert len(hashes) == 1


def test_an_offer_that_is_not_imported_or_has_ended_is_refused(database: Engine, town: Settings) -> None:
    tree = winback().source.replace(
        '"offer":{"amount":5,"kind":"amount","min_spend":20,"valid_days":7}', '"offer":{"offer_id":"summer"}'
    )
    with pytest.raises(BadDefinition, match="no offer 'summer' is imported"):
        planned(database, town, parse(tree, currency="USD"))


def test_a_definition_without_a_text_in_the_homes_language_is_warned_of(database: Engine, town: Settings) -> None:
    assert planned(database, town, winback()).warnings == ()
    german = replace(winback(), messages={"de": winback().messages["en"]})
    (warning,) = planned(database, town, german).warnings
    assert "no text in the home's language en, so who has no language with a text gets de" in warning
    assert {each.language for each in planned(database, town, german).messages} == {"de"}


def test_who_has_no_text_is_written_to_in_the_homes_language(town: Settings) -> None:
    table = pl.DataFrame({"customer_id": ["c0", "c1"], "language": ["de", "zh-Hant-TW"]})
    upsert_table(town, "customers", table)
    chinese = {each.customer_id: each.language for each in _all(replace(town, language="zh"))}
    english = {each.customer_id: each.language for each in _all(town)}
    assert (chinese.get("c0", "zh"), english.get("c0", "en")) == ("zh", "en")
    assert chinese.get("c1", "zh") == english.get("c1", "zh") == "zh"


def _all(town: Settings) -> list[Rendered]:
    data = read_data(town)
    plain = parse(
        "id: hello\nsegment: {orders: {at_least: 1}}\nchannel: recording\nmessage: {en: Hello, zh: 您好}\n",
        currency="USD",
    )
    renderer = Renderer(plain, data, None, NOW)
    return [renderer.render(each, code="X") for each in renderer.recipients(data.figures(NOW), as_of=NOW)]
