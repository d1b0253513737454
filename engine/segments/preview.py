"""How many are in a segment, how many can be reached, a sample of them, and who joined and left since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from engine.customers.consents import latest_consents
from engine.experiments.assignment import bucket
from engine.segments.facts import CONTACTS, members
from engine.segments.inputs import SegmentSources
from engine.segments.rule import Rule
from engine.segments.sources import OpenSession

REACHABLE_BY = {"push": "push_reachable", "sms": "sms_reachable", "email": "email_reachable"}
SAMPLE_COLUMNS = ("language", "zone", "birthday", "registered_at")


@dataclass(frozen=True, slots=True)
class ChannelReach:
    """Of a segment, by one channel: how many have an address, have not refused, and agreed outright."""

    address: int
    not_refused: int
    agreed: int

    def as_json(self) -> dict[str, int]:
        """Return it for scripts."""
        return {"address": self.address, "not_refused": self.not_refused, "agreed": self.agreed}


@dataclass(frozen=True, slots=True)
class SegmentPreview:
    """A segment as of an instant; `sample` is drawn by hash, so that it is the same every time."""

    as_of: datetime
    customers: int
    reach: dict[str, ChannelReach]
    sample: list[dict[str, Any]]

    def as_json(self) -> dict[str, object]:
        """Return it for scripts."""
        reach = {name: each.as_json() for name, each in self.reach.items()}
        return {"as_of": self.as_of, "customers": self.customers, "reach": reach, "sample": self.sample}


@dataclass(frozen=True, slots=True)
class MembershipChange:
    """A segment at two instants; `came` and `left` are sorted ids."""

    before: int
    after: int
    came: list[str]
    left: list[str]


def count_members(rule: Rule, sources: SegmentSources, as_of: datetime) -> int:
    """Return how many customers are in the segment as of `as_of`."""
    return int(members(rule, sources, as_of).select(pl.len()).collect().item())


def preview_segment(
    rule: Rule, sources: SegmentSources, as_of: datetime, *, open_session: OpenSession, sample: int = 20
) -> SegmentPreview:
    """Return count, reach per channel and a sample; consent is the log's latest, else what was imported."""
    ids = members(rule, sources, as_of).collect()
    addresses = [pl.col(column).is_not_null().alias(name) for name, column in CONTACTS.items()]
    cards = sources.customers.select("customer_id", "marketing_consent", *SAMPLE_COLUMNS, *addresses)
    known = ids.lazy().join(cards, on="customer_id", how="left").collect()
    reach = {name: _reach(known, name, column, open_session) for name, column in REACHABLE_BY.items()}
    drawn = sorted(ids["customer_id"], key=lambda each: bucket("preview", each))[:sample]
    order = pl.DataFrame({"customer_id": drawn}, schema={"customer_id": pl.String})
    shown = order.join(
        known.select("customer_id", *SAMPLE_COLUMNS), on="customer_id", how="left", maintain_order="left"
    )
    return SegmentPreview(as_of, ids.height, reach, shown.to_dicts())


def membership_change(
    rule: Rule, before: SegmentSources, after: SegmentSources, *, since: datetime, until: datetime
) -> MembershipChange:
    """Return who came into the segment and who left it between two instants."""
    old = members(rule, before, since).collect()
    new = members(rule, after, until).collect()
    came = new.join(old, on="customer_id", how="anti")["customer_id"].sort().to_list()
    left = old.join(new, on="customer_id", how="anti")["customer_id"].sort().to_list()
    return MembershipChange(old.height, new.height, came, left)


def _reach(known: pl.DataFrame, channel: str, column: str, open_session: OpenSession) -> ChannelReach:
    with open_session() as session:
        stated = latest_consents(session, channel=channel)
    logged = pl.DataFrame(
        {"customer_id": list(stated), "stated": list(stated.values())},
        schema={"customer_id": pl.String, "stated": pl.Boolean},
    )
    there = known.filter(pl.col(column).fill_null(False)).join(logged, on="customer_id", how="left")
    consent = there.select(pl.coalesce("stated", "marketing_consent").alias("consent"))["consent"]
    return ChannelReach(there.height, int((consent.fill_null(True)).sum()), int(consent.fill_null(False).sum()))
