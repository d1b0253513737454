"""Whom a campaign decides about: the segment's members it may reach, each with an arm."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from campaigns.definition.campaign import Definition
from campaigns.eligibility.registered import Registered
from engine.customers.consents import person_refusal
from engine.experiments.assignment import Arm, assign
from engine.segments.compile import Clock, expression
from engine.segments.facts import members, needs_figures_only
from engine.segments.inputs import SegmentSources

ALREADY_DECIDED = "already_decided"
NOT_IN_SEGMENT = "not_in_segment"
SAME_PERSON = "same_person"


@dataclass(frozen=True, slots=True)
class Audience:
    """The outcome of choosing. `eligible` has the columns of FIGURES and `arm`, sorted by customer_id.

    `excluded` counts by reason; `in_segment` is everyone in it plus `eligible`.
    """

    in_segment: int
    excluded: Mapping[str, int]
    reasons: Mapping[str, str]
    eligible: pl.DataFrame

    def count(self, arm: Arm) -> int:
        """Return how many eligible customers are in `arm`."""
        return int((self.eligible["arm"] == arm.value).sum())

    def treated(self) -> pl.DataFrame:
        """Return the eligible customers who are sent to."""
        return self.eligible.filter(pl.col("arm") == Arm.TREATED.value)


def in_segment(definition: Definition, figures: pl.DataFrame, sources: SegmentSources, at: datetime) -> pl.DataFrame:
    """Return the rows of `figures` (schema FIGURES, as of `at`) in the campaign's segment."""
    if needs_figures_only(definition.segment):
        return figures.filter(expression(definition.segment, Clock(at, (sources.zone,))))
    ids = members(definition.segment, sources, at).collect()
    return figures.join(ids, on="customer_id", how="semi", maintain_order="left")


def choose_audience(
    definition: Definition,
    within: pl.DataFrame,
    *,
    stated: Mapping[str, bool],
    registered: Registered,
    decided: Collection[str],
    global_holdout: float,
) -> Audience:
    """Return the audience of those `within` the segment (schema FIGURES); pure, so a plan and its launch cannot differ.

    `stated` is the consent log's newest entry per customer, `decided` the ids this campaign decided before: once ever.
    A person with several ids is decided once, under the id of the latest order, and their refusals and earlier
    decisions count whatever id they came with; the arm is the person's.
    Arms are drawn after eligibility, so that treated and held-out customers passed the same gates.
    """
    people = registered.people
    reasons: dict[str, str] = {}
    arms: list[str | None] = []
    used = _ids_in_use(within, registered)
    for customer_id in within["customer_id"]:
        ids = people.ids(customer_id)
        why = (
            ALREADY_DECIDED
            if any(each in decided for each in ids)
            else person_refusal(ids, definition.consent, stated=stated, imported=registered.consents)
            or (SAME_PERSON if used.get(ids[0], customer_id) != customer_id else None)
        )
        if why:
            reasons[customer_id] = why
            arms.append(None)
            continue
        arm = assign(ids[0], campaign_id=definition.id, holdout=definition.holdout, global_holdout=global_holdout)
        arms.append(arm.value)
    eligible = within.with_columns(pl.Series("arm", arms, dtype=pl.String)).drop_nulls("arm").sort("customer_id")
    return Audience(within.height, dict(sorted(Counter(reasons.values()).items())), reasons, eligible)


def _ids_in_use(within: pl.DataFrame, registered: Registered) -> Mapping[str, str]:
    """Return, for each person with several ids, the one in the segment whose latest order is the newest."""
    several = within.filter(pl.col("customer_id").is_in(list(registered.people.groups)))
    newest_first = several.sort("days_since_last_order", "customer_id", nulls_last=True)["customer_id"]
    used: dict[str, str] = {}
    for customer_id in newest_first:
        used.setdefault(registered.people.person(customer_id), customer_id)
    return used


def fingerprint(definition: Definition, eligible: pl.DataFrame) -> str:
    """Return 64 hex digits fixed by the definition, who is eligible, and in which arm."""
    digest = hashlib.sha256(definition.hash.encode())
    for customer_id, arm in zip(eligible["customer_id"], eligible["arm"], strict=True):
        digest.update(f"\n{customer_id}\t{arm}".encode())
    return digest.hexdigest()
