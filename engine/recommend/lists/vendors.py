"""Which vendors the customer would order from, here and now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.columns import DAY_S
from engine.events.event import Event
from engine.events.orders import standing_orders
from engine.models.arrays import FloatArray
from engine.models.popular import POPULAR
from engine.recommend.catalog.catalog import Catalog
from engine.recommend.catalog.filters import removed
from engine.recommend.explain.reasons import Reason, about, reason, shortage, why_short
from engine.recommend.explain.why import reasons_for, sources_of
from engine.recommend.lists.menus import VendorMenus
from engine.recommend.published.extras import HALF_LIFE_DAYS
from engine.recommend.published.model import PublishedModel
from engine.recommend.request import DishRequest, RankingContext, build_request
from engine.recommend.rerank.arrange import reordered
from engine.recommend.rerank.signals import NOTHING
from engine.recommend.scoring.allowed import Allowed
from engine.recommend.scoring.scorer import Pool

# Hand-set and plain: what the customer orders from counts most, then what they cook for their taste, then what is
# usual here.
OWN, TASTE, USUAL = 1.0, 0.3, 0.1
SHOWN_DISHES = 3
POOL = 300
EARTH_KM = 6_371.0
# Reasons that say something of their own taste.
OF_HER_OWN = frozenset({"follows_last", "because_you_ordered", "people_like_you", "your_taste"})
# Filters that hold whatever is asked of dishes.
OF_VENDORS = frozenset({"unavailable", "out_of_zone", "closed"})
# At this distance the parts that are not theirs count for a third.
FAR_KM = 5.0


@dataclass(frozen=True, slots=True)
class RankedVendor:
    """One vendor: `dishes` are its best for them, `distance_km` is None where either place is unknown.

    `parts` are what its score is made of: own, taste, usual.
    """

    vendor_id: str
    name: str
    score: float
    reason: Reason
    dishes: tuple[str, ...]
    distance_km: float | None
    parts: dict[str, float]


@dataclass(frozen=True, slots=True)
class VendorAnswer:
    """Vendors, best first; see `DishAnswer` for the rest."""

    vendors: tuple[RankedVendor, ...]
    customer_known: bool
    notes: tuple[str, ...]
    unknown_ids: dict[str, int]
    why_short: Reason | None
    filters: dict[str, int] | None = None


def recommend_vendors(
    published: PublishedModel, catalog: Catalog, request: DishRequest, fresh: Sequence[Event]
) -> VendorAnswer:
    """Return the vendors that are open and deliver there, by the customer's orders and taste, and what is usual there.

    A vendor counts only with at least one dish that passes every hard filter: what is excluded, disliked, or holds an
    allergen is not a reason to go there. Its dishes are those listed as its own or, where the items table names no
    vendor, those ever ordered there.
    """
    context = build_request(published, catalog, request, fresh)
    kitchens = VendorMenus.of(context, context.allowed.as_mask(), only=request.vendor_id)
    n, cooks = len(kitchens.ids), np.unique(kitchens.vendor)
    pool = published.scorer.pool(context.query, context.allowed, size=POOL)
    best = kitchens.rows_of(pool.columns)
    own, times = _own_share(context, kitchens)
    taste = _taste(best, pool.scores, n)
    shares = _shares(context, kitchens)
    places = np.concatenate([catalog.places, np.full((n - len(catalog.places), 2), np.nan)])
    distance = distances_km(places, request.latitude, request.longitude)
    near = np.where(np.isnan(distance), 1.0, np.exp(-np.nan_to_num(distance) / FAR_KM))
    parts = {"own": OWN * own, "taste": TASTE * taste * near, "usual": USUAL * shares * near}
    score = np.sum(list(parts.values()), axis=0)
    order = cooks[np.lexsort((cooks, -score[cooks]))][: request.limit]
    popular = shares >= max(POPULAR * float(shares.max(initial=0.0)), 1e-9)
    dishes = {v: pool.columns[rows[:SHOWN_DISHES]].tolist() for v, rows in best.items()}
    dishes |= _beyond_pool(context, kitchens, [v for v in order.tolist() if v not in dishes])
    suits = _suiting(context, pool, {v: best[v][0] for v in order.tolist() if v in best})
    vendors, names = published.extras.vendors, catalog.vendor_names["zh" if context.language == "zh" else "en"]
    near_by = vendors is not None and vendors.speaks(context.query.place.zone) and context.nearby
    usual = "popular_nearby" if near_by else "popular"
    found = tuple(
        RankedVendor(
            kitchens.ids[v],
            names[v] if v < len(names) else kitchens.ids[v],
            round(float(score[v]), 6),
            _reason(context, int(times[v]), suits.get(v), usual if popular[v] else None, float(distance[v])),
            tuple(published.items.name(column) for column in dishes[v]),
            None if np.isnan(distance[v]) else round(float(distance[v]), 2),
            {name: round(float(part[v]), 6) for name, part in parts.items()},
        )
        for v in order.tolist()
    )
    notes = list(context.notes) + (["fewer_than_asked"] if len(found) < request.limit else [])
    short = len(found) < request.limit
    filters = removed(catalog, context.limits) if short or request.explain else {}
    why = _why_short(context, filters, len(found)) if short else None
    return VendorAnswer(
        found, len(context.query.at) > 0, tuple(notes), context.unknown_ids, why, filters if request.explain else None
    )


def _why_short(context: RankingContext, filters: Mapping[str, int], found: int) -> Reason:
    """Return why there are so few: no more vendors serve there, or what was asked of dishes took all of theirs."""
    catalog, limits, code = context.catalog, context.limits, "no_vendors"
    serving = VendorMenus.of(context, catalog.orderable(limits.zone, limits.at)).vendor
    if not filters["left"]:
        code = shortage(filters, vendor_known="unknown_vendor" not in context.notes)
    elif len(np.unique(serving)) > found:
        code = shortage({name: n for name, n in filters.items() if name not in OF_VENDORS}, vendor_known=True)
    return why_short(code, context.language, empty=not found)


def distances_km(
    places: npt.NDArray[np.float64], latitude: float | None, longitude: float | None
) -> npt.NDArray[np.float64]:
    """Return (vendors,) great-circle distances in km, NaN where either place is unknown."""
    if latitude is None or longitude is None:
        return np.full(len(places), np.nan)
    here, there = np.radians([latitude, longitude]), np.radians(places)
    half = np.sin((there - here) / 2) ** 2
    chord = half[:, 0] + np.cos(here[0]) * np.cos(there[:, 0]) * half[:, 1]
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(chord, 0, 1))))


def _beyond_pool(context: RankingContext, kitchens: VendorMenus, vendors: list[int]) -> dict[int, list[int]]:
    """Return the best dishes, as columns, of vendors none of whose dishes is among the best of all."""
    if not vendors:
        return {}
    only = np.unique(kitchens.column[np.isin(kitchens.vendor, vendors)])
    theirs = Allowed(context.allowed.mask, only, context.allowed.blocked)
    columns = context.published.scorer.pool(context.query, theirs, size=len(only)).columns
    rows = kitchens.rows_of(columns)
    return {v: columns[rows[v][:SHOWN_DISHES]].tolist() for v in vendors}


def _suiting(context: RankingContext, pool: Pool, first: Mapping[int, int]) -> dict[int, str]:
    """Return the name of each vendor's best dish where something of their own speaks for it; `first` are pool rows."""
    if not len(context.query.at) or not first:
        return {}
    best = reordered(pool, list(first.values()))
    told = reasons_for(best, context, sources_of(context.published, best, known=True), NOTHING)
    return {
        vendor: context.catalog.name(column, context.language)
        for vendor, column, why in zip(first, best.columns.tolist(), told, strict=True)
        if why.code in OF_HER_OWN
    }


def _own_share(context: RankingContext, kitchens: VendorMenus) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Return (vendors,) the share of their orders, an order counting half after 60 days, and how many there are.

    Orders undone since training learned them do not count.
    """
    published, query, number, n = context.published, context.query, kitchens.number, len(kitchens.ids)
    share, times = np.zeros(n, dtype=np.float32), np.zeros(n, dtype=np.int64)
    placed: list[tuple[int, int]] = []
    learned: set[int] = set()
    if query.row >= 0:
        own = slice(*published.baskets.customer_start[query.row : query.row + 2].tolist())
        learned, stand = set(published.baskets.at[own].tolist()), set(query.at.tolist())
        for vendor, at in zip(published.baskets.vendor[own].tolist(), published.baskets.at[own].tolist(), strict=True):
            known = number.get(published.vendors.name(vendor)) if vendor >= 0 else None
            if known is not None and at in stand:
                placed.append((known, at))
    placed += [(vendor, at) for vendor, at in _since(context, number) if at not in learned]
    for vendor, at in placed:
        share[vendor] += 0.5 ** (max(query.now - at, 0) / DAY_S / HALF_LIFE_DAYS)
        times[vendor] += 1
    return share / max(float(share.sum()), 1e-9), times


def _since(context: RankingContext, number: Mapping[str, int]) -> list[tuple[int, int]]:
    """Return (vendor, instant) of standing orders that training has not learned."""

    def vendor_of(event: Event) -> tuple[int, int] | None:
        known = number.get(str(event.properties.get("vendor_id")))
        return None if known is None else (known, int(event.at.timestamp()))

    return [order for order, _ in standing_orders(context.fresh, context.published.inbox_through, vendor_of).orders]


def _taste(best: dict[int, list[int]], scores: FloatArray, n: int) -> FloatArray:
    """Return (vendors,) from 0 to 1: where a vendor's three best dishes stand between the pool's last and first."""
    taste = np.zeros(n, dtype=np.float32)
    if len(scores):
        spread = max(float(scores.max() - scores.min()), 1e-9)
        for vendor, rows in best.items():
            top = (scores[rows[:SHOWN_DISHES]] - scores.min()) / spread
            # The first counts whole, the others add what is left open.
            taste[vendor] = float(1 - np.prod(1 - np.clip(top, 0, 0.99)))
    return taste


def _shares(context: RankingContext, kitchens: VendorMenus) -> FloatArray:
    """Return (vendors,) each one's share of what is ordered in the zone asked from."""
    extras, usual = context.published.extras, np.zeros(len(kitchens.ids), dtype=np.float32)
    if extras.vendors is None:
        return usual
    shares = extras.vendors.shares(context.query.place.zone)
    for vendor in np.flatnonzero(shares).tolist():
        known = kitchens.number.get(context.published.vendors.name(vendor))
        if known is not None:
            usual[known] = shares[vendor]
    return usual


def _reason(context: RankingContext, times: int, suits: str | None, usual: str | None, distance: float) -> Reason:
    """Return the first of what is so: their orders there, a dish that suits them, `usual`, how near it is."""
    language = context.language
    if times:
        return reason("usual_vendor" if times > 1 else "vendor_once", language, times=times)
    if suits is not None:
        return about("vendor_suits", language, suits)
    if usual is not None:
        return reason(usual, language)
    if not np.isnan(distance):
        return reason("vendor_near", language, distance=f"{distance:.1f}")
    return reason("vendor_open", language)
