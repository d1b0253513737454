"""Which dishes to feature for a group of customers: whom each suits, and how much more than it suits others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.experiments.assignment import bucket
from engine.models.arrays import IntArray
from engine.recommend.catalog.catalog import Catalog
from engine.recommend.catalog.filters import removed
from engine.recommend.explain.reasons import Reason, reason, shortage, why_short
from engine.recommend.published.model import PublishedModel
from engine.recommend.request import DishRequest, RankingContext, build_request

# A dish suits somebody when it is among so many of their best.
SUITS_WITHIN = 20
# Of a group, and of everybody to compare it with, at most so many are asked; drawn by hash, the same every time.
SAMPLED = 300
SALT = "featured"
# From this lift on a dish says something of the group rather than of the town.
STANDS_OUT = 1.2


@dataclass(frozen=True, slots=True)
class Featured:
    """One dish: it suits `fits` of the sampled members, a `share` of them, `lift` times the share of everybody."""

    item_id: str
    name: str
    score: float
    fits: int
    share: float
    lift: float
    reason: Reason


@dataclass(frozen=True, slots=True)
class FeaturedAnswer:
    """Dishes for the group, best first, its `members`, and how many of them, and of `everybody`, were asked.

    `filters` counts what each hard filter took away, None where nobody asked.
    """

    dishes: tuple[Featured, ...]
    members: int
    sampled: int
    everybody: int
    notes: tuple[str, ...]
    unknown_ids: dict[str, int]
    why_short: Reason | None
    filters: dict[str, int] | None = None


def drawn(customer_ids: Sequence[str], most: int = SAMPLED) -> list[str]:
    """Return at most `most` of the ids, drawn by hash."""
    return sorted(customer_ids, key=lambda customer: bucket(SALT, customer))[:most]


def feature_dishes(
    published: PublishedModel, catalog: Catalog, request: DishRequest, members: Sequence[str]
) -> FeaturedAnswer:
    """Return dishes that suit many of `members`, by share times the square root of the lift over everybody.

    Each of at most 300 members is asked for their 20 best among the dishes that pass the request's hard filters; so are
    at most 300 of all customers with orders, and the shares (with one dish seen in two added to each, so that nothing
    is a multiple of zero) are compared. Members without an order count as strangers. The request's customer is not
    asked.
    """
    context = build_request(published, catalog, replace(request, customer_id=None), [])
    group = drawn(members)
    everybody = _everybody(published)
    inside, outside = _fits(context, group), _fits(context, everybody)
    found = []
    for column, fits in inside.items():
        share, base = (fits + 1) / (len(group) + 2), (outside[column] + 1) / (len(everybody) + 2)
        found.append((share * (share / base) ** 0.5, column, fits, share / base))
    found.sort(key=lambda each: (-each[0], each[1]))
    dishes = tuple(
        Featured(
            published.items.name(column),
            catalog.name(column, context.language),
            round(score, 6),
            fits,
            round(fits / len(group), 4),
            round(lift, 2),
            _reason(fits / len(group), lift, context.language),
        )
        for score, column, fits, lift in found[: request.limit]
    )
    notes = [note for note in context.notes if note != "unknown_customer"]
    why, filters = None, None
    if request.explain or len(dishes) < request.limit:
        filters = removed(catalog, context.limits)
    if filters is not None and len(dishes) < request.limit:
        notes.append("fewer_than_asked")
        code = shortage(filters, vendor_known="unknown_vendor" not in notes) if group else "nobody"
        if group and len(dishes) < filters["left"]:
            code = "suits_nobody"
        why = why_short(code, context.language, empty=not found)
    told = filters if request.explain else None
    return FeaturedAnswer(
        dishes, len(members), len(group), len(everybody), tuple(notes), context.unknown_ids, why, told
    )


def _everybody(published: PublishedModel) -> list[str]:
    """Return a sample of all customers with orders, evenly spread over their numbers, which say nothing of them."""
    n = len(published.customers)
    rows = np.unique(np.linspace(0, n - 1, min(n, SAMPLED)).astype(np.int64)) if n else np.empty(0, np.int64)
    return published.customers.names(rows)


def _fits(context: RankingContext, customers: Sequence[str]) -> Counter[int]:
    """Return in how many customers' best dishes each column is."""
    published, request = context.published, context.request
    place = published.place(request.zone, request.vendor_id, request.latitude, request.longitude)
    fits: Counter[int] = Counter()
    for customer in customers:
        query = published.query(customer, [], now=context.query.now, place=place)
        allowed = context.allowed.asked_by(query, repeats=published.repeats)
        columns: IntArray = published.scorer.pool(query, allowed, size=SUITS_WITHIN).columns
        fits.update(columns.tolist())
    return fits


def _reason(share: float, lift: float, language: str) -> Reason:
    # Nobody and everybody are said only of nobody and everybody.
    percent = min(round(100 * share), 99) if share < 1 else 100
    under = {"en": "less than 1", "zh": "不到 1"}["zh" if language == "zh" else "en"]
    told = {"share": percent or under, "lift": f"{lift:.1f}"}
    return reason("group_stands_out" if lift >= STANDS_OUT else "group_likes", language, **told)
