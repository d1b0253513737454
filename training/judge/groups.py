"""Whose quality is told apart: new and known customers, few and many orders, dormant, value, zone; and rare dishes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.columns import DAY_S, LINES
from engine.customers.config import read_customer_config
from engine.customers.moment import Moment
from engine.customers.store import table_sources
from engine.customers.table import customer_groups
from engine.settings import Settings
from training.data.matrices import TrainingSet
from training.data.split import Target

Bools = npt.NDArray[np.bool_]
# By customer row of the training set, a word for each kind of standing; None where there is none.
Standing = Mapping[str, Sequence[str | None]]

KINDS: Mapping[str, str] = {
    "history": "returning (ordered before) and new",
    "orders": "orders before the judged one: 1, 2-4, 5+",
    "recency": "active or dormant: more than 28 days since the last order",
    "value": "A, B, C or D in the customer table as of the split",
    "lifecycle": "lifecycle in the customer table as of the split",
    "zone": "the 30 zones with most judged customers, if at least 30; the others together",
    "dishes": "of what was ordered, only dishes with fewer than 10 baskets in the past, or only the others",
}
DORMANT_S = 28 * DAY_S
ZONE_LEAST, ZONES_MOST = 30, 30
OTHERS = "(others)"
RARE_BELOW = 10
ORDER_COUNTS = (("1", 1, 1), ("2-4", 2, 4), ("5+", 5, None))


@dataclass(frozen=True, slots=True)
class Group:
    """Targets that share something: `kind` is a key of KINDS, `members` is bool (targets), never empty."""

    kind: str
    name: str
    members: Bools


def standing_at(settings: Settings, data: TrainingSet, at: int) -> Standing:
    """Return value and lifecycle of every customer as known just before second `at`, without any forecast.

    Empty where history has no clock, so that no instant is shared. Raises BadDefinition for a wrong customers.yaml.
    """
    if data.clock == "basket":
        return {}
    moment = Moment(datetime.fromtimestamp(at, UTC) - timedelta(microseconds=1), settings.timezone)
    # Neither figure asks what was in the orders, and lines are most of what there is to read.
    told = replace(table_sources(settings), lines=pl.LazyFrame(schema=LINES))
    found = customer_groups(told, moment, read_customer_config(None, home=settings.home))
    own = pl.DataFrame({"customer_id": data.customers}).join(found, on="customer_id", how="left", maintain_order="left")
    return {"value": own["abcd"].to_list(), "lifecycle": own["lifecycle"].to_list()}


def groups_of(targets: Sequence[Target], data: TrainingSet, standing: Standing) -> list[Group]:
    """Return every group of customers with a member among `targets`, by kind in the order of KINDS."""
    counts = np.array([len(target.query.at) for target in targets], dtype=np.int64)
    found = [Group("history", "returning", counts > 0), Group("history", "new", counts == 0)]
    for name, least, most in ORDER_COUNTS:
        found.append(Group("orders", name, (counts >= least) & (counts <= (counts if most is None else most))))
    if data.clock == "time":
        silence = np.array([_silence(target) for target in targets])
        dormant = silence > DORMANT_S
        found += [
            Group("recency", "active", (counts > 0) & ~dormant),
            Group("recency", "dormant", (counts > 0) & dormant),
        ]
    for kind, words in standing.items():
        # A new customer has no standing: they are judged as new, not as worth nothing.
        own = np.array([words[t.query.row] or "" if t.query.row >= 0 and len(t.query.at) else "" for t in targets])
        found += [Group(kind, str(word), own == word) for word in np.unique(own) if word]
    found += _zones(targets, data)
    return [group for group in found if group.members.any()]


def truth_parts(targets: Sequence[Target], baskets_with: npt.NDArray[np.integer]) -> dict[str, list[Target]]:
    """Return the targets with only rare dishes, and only common ones, as truth; dishes no model knows are rare."""
    rare = baskets_with < RARE_BELOW
    return {
        "rare": [replace(target, truth=target.truth[rare[target.truth]]) for target in targets],
        "common": [replace(target, truth=target.truth[~rare[target.truth]], unseen=0) for target in targets],
    }


def _silence(target: Target) -> float:
    return float(target.query.now - target.query.at[-1]) if len(target.query.at) else 0.0


def _zones(targets: Sequence[Target], data: TrainingSet) -> list[Group]:
    zone = np.array([target.query.place.zone for target in targets], dtype=np.int64)
    numbers, sizes = np.unique(zone[zone >= 0], return_counts=True)
    order = np.argsort(-sizes, kind="stable")[:ZONES_MOST]
    kept = [int(numbers[i]) for i in order if sizes[i] >= ZONE_LEAST]
    groups = [Group("zone", str(data.zones[number]), zone == number) for number in kept]
    if len(numbers):
        groups.append(Group("zone", OTHERS, ~np.isin(zone, kept)))
    return groups
