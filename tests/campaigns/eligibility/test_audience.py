"""An audience is the segment's members the campaign may reach, each with an arm that never changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import polars as pl

from campaigns.definition.campaign import Definition
from campaigns.eligibility.audience import ALREADY_DECIDED, SAME_PERSON, Audience, choose_audience, fingerprint
from campaigns.eligibility.registered import Registered
from engine.customers.duplicates import Identities
from engine.experiments.assignment import Arm
from tests.campaigns.town import winback

EVERYBODY = replace(winback(), holdout=0.0)


def choose(
    definition: Definition = EVERYBODY,
    *,
    people: Mapping[str, bool | None],
    stated: Mapping[str, bool] | None = None,
    decided: Collection[str] = (),
    global_holdout: float = 0.0,
    same: Sequence[tuple[str, ...]] = (),
    days: Mapping[str, float] | None = None,
    outside: Mapping[str, bool] | None = None,
) -> Audience:
    within = pl.DataFrame(
        {"customer_id": list(people), "days_since_last_order": [(days or {}).get(each) for each in people]},
        schema={"customer_id": pl.String, "days_since_last_order": pl.Float64},
    )
    imported = {each: consent for each, consent in people.items() if consent is not None} | dict(outside or {})
    return choose_audience(
        definition,
        within,
        stated=stated or {},
        registered=Registered(imported, Identities({each: ids for ids in same for each in ids})),
        decided=decided,
        global_holdout=global_holdout,
    )


def test_who_refused_or_was_decided_before_is_left_out_with_the_reason() -> None:
    audience = choose(people={"a": None, "b": False, "c": True, "d": True}, stated={"c": False}, decided=["d"])
    assert audience.eligible["customer_id"].to_list() == ["a"]
    assert audience.reasons == {"b": "no_consent", "c": "no_consent", "d": ALREADY_DECIDED}
    assert audience.excluded == {ALREADY_DECIDED: 1, "no_consent": 2}
    assert audience.in_segment == 4


def test_the_consent_log_counts_before_the_import() -> None:
    assert choose(people={"a": False}, stated={"a": True}).eligible.height == 1


def test_explicit_consent_leaves_out_who_was_never_asked() -> None:
    audience = choose(replace(EVERYBODY, consent="explicit"), people={"a": None, "b": True})
    assert audience.reasons == {"a": "consent_unknown"}


def test_everyone_eligible_has_an_arm_and_it_is_the_same_each_time() -> None:
    people = {f"c{i}": None for i in range(400)}
    once = choose(winback(), people=people, global_holdout=0.05)
    again = choose(winback(), people=dict(reversed(people.items())), global_holdout=0.05)
    assert once.eligible.equals(again.eligible)
    assert sum(once.count(arm) for arm in Arm) == 400
    assert all(once.count(arm) > 0 for arm in Arm)
    assert once.treated().height == once.count(Arm.TREATED)


def test_the_fingerprint_changes_with_who_is_in_it_and_with_the_definition() -> None:
    one, two = choose(people={"a": None}), choose(people={"a": None, "b": None})
    prints = {fingerprint(EVERYBODY, each.eligible) for each in (one, two)}
    assert fingerprint(EVERYBODY, one.eligible) in prints
    assert len(prints | {fingerprint(winback("step: other"), one.eligible)}) == 3


def test_an_empty_segment_has_an_empty_audience() -> None:
    audience = choose(people={})
    assert (audience.in_segment, audience.eligible.height, audience.excluded) == (0, 0, {})


def test_a_person_with_two_ids_is_decided_once_under_the_id_last_ordered_with() -> None:
    audience = choose(people={"app": None, "web": None}, same=[("app", "web")], days={"app": 90.0, "web": 40.0})
    assert audience.eligible["customer_id"].to_list() == ["web"]
    assert audience.reasons == {"app": SAME_PERSON}


def test_a_refusal_under_one_id_holds_for_the_person_even_from_outside_the_segment() -> None:
    assert choose(people={"web": True}, same=[("app", "web")], stated={"app": False}).reasons == {"web": "no_consent"}
    assert choose(people={"web": True}, same=[("app", "web")], outside={"app": False}).reasons == {"web": "no_consent"}


def test_under_explicit_consent_a_yes_under_one_id_is_the_persons() -> None:
    explicit = replace(EVERYBODY, consent="explicit")
    assert choose(explicit, people={"web": None}, same=[("app", "web")], outside={"app": True}).eligible.height == 1


def test_a_person_decided_under_one_id_is_not_decided_again_under_another() -> None:
    audience = choose(people={"web": None}, same=[("app", "web")], decided=["app"])
    assert audience.reasons == {"web": ALREADY_DECIDED}


def test_the_arm_is_the_persons_whichever_id_is_written_to() -> None:
    pairs = [(f"a{i}", f"b{i}") for i in range(300)]
    arms = []
    for which in (0, 1):
        audience = choose(winback(), people={pair[which]: None for pair in pairs}, same=pairs, global_holdout=0.05)
        arms.append(audience.eligible["arm"].to_list())
    assert sorted(arms[0]) == sorted(arms[1])
    assert len(set(arms[0])) > 1
