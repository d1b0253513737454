"""A customer's question to ranked dishes with reasons: score, filter, rank, explain. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from engine.events import Event
from engine.models.base import FloatArray, IntArray, Query
from engine.models.item_knn import ItemKnn
from engine.models.next_item import NextItem
from engine.models.popular import place_chain
from engine.ranking.blend import components
from engine.ranking.catalog import Catalog, columns_of
from engine.ranking.ranker import masked
from engine.ranking.reasons import Reason, reason
from engine.ranking.served import Served
from engine.ranking.top import top_k

DISLIKED = "not_interested"


@dataclass(frozen=True, slots=True)
class DishRequest:
    """What the app asks. `candidates` None means every dish; `zone`, `vendor_id` None mean not asked."""

    customer_id: str | None
    limit: int
    at: datetime
    zone: str | None = None
    vendor_id: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    cart: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    candidates: tuple[str, ...] | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Dish:
    """One recommended dish; `source` names the model that contributed most to its score."""

    item_id: str
    name: str
    score: float
    source: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class DishAnswer:
    """Dishes, best first; `notes` says what could not be honoured as asked (stable codes)."""

    dishes: tuple[Dish, ...]
    customer_known: bool
    notes: tuple[str, ...]


def recommend_dishes(served: Served, catalog: Catalog, request: DishRequest, fresh: Sequence[Event]) -> DishAnswer:
    """Return up to `limit` dishes the customer can order where and when she asks.

    `fresh` are her events since training, in any order. An unknown customer gets what is popular, and the notes say so.
    """
    place = served.place(request.zone, request.vendor_id, request.latitude, request.longitude)
    query = served.query(request.customer_id, fresh, now=int(request.at.timestamp()), place=place)
    allowed = _allowed(served, catalog, request, fresh)
    parts = masked(components(served.models, [query]), allowed)
    # Zero is "no model knows anything for it": a dish of this vendor may still fill the list, after all others.
    scores = np.where(allowed, served.blend.combine(parts), np.float32(-np.inf))
    if served.ranker is not None:
        scores = served.ranker.rank(parts, scores, [query])
    ranked = top_k(scores, request.limit)[0]
    ranked = ranked[ranked >= 0]
    dishes = tuple(
        Dish(
            served.items.name(column),
            catalog.name(column, request.language),
            round(float(scores[0, column]), 6),
            source,
            _reason(served, catalog, query, source if speaks else "none", column, request.language),
        )
        for column, (source, speaks) in zip(ranked.tolist(), _sources(served, parts, ranked), strict=True)
    )
    return DishAnswer(dishes, bool(query.baskets), _notes(served, catalog, request, query, len(dishes)))


def _allowed(served: Served, catalog: Catalog, request: DishRequest, fresh: Sequence[Event]) -> npt.NDArray[np.bool_]:
    """Return (items,) bool: every hard filter at once, for whatever model speaks."""
    allowed = catalog.orderable(request.zone, request.at).copy()
    if request.vendor_id is not None:
        here = np.zeros(len(allowed), dtype=bool)
        vendor = served.vendors.row(request.vendor_id)
        if vendor >= 0:
            here[served.items_of_vendor(vendor)] = True
        if request.vendor_id in catalog.vendor_ids:
            here |= catalog.vendor_of == catalog.vendor_ids.index(request.vendor_id)
        allowed &= here
    if request.candidates is not None:
        asked = np.zeros(len(allowed), dtype=bool)
        asked[columns_of(served.items, request.candidates)] = True
        allowed &= asked
    disliked = tuple(str(e.properties.get("item_id")) for e in fresh if e.type == DISLIKED)
    allowed[columns_of(served.items, request.exclude + request.cart + disliked)] = False
    return allowed


def _sources(served: Served, parts: dict[str, FloatArray], ranked: IntArray) -> list[tuple[str, bool]]:
    """Return, per dish, the model that adds most to its blended score, and whether it adds anything at all."""
    names = list(parts)
    weights = np.array([[served.blend.weights.get(name, 0.0)] for name in names])
    shares = weights * np.nan_to_num(np.stack([parts[name][0, ranked] for name in names]))
    most = shares.argmax(axis=0) if len(ranked) else ranked
    return [(names[model], bool(shares[model, place] > 0)) for place, model in enumerate(most.tolist())]


def _reason(served: Served, catalog: Catalog, query: Query, source: str, column: int, language: str) -> Reason:
    times = sum(1 for basket in query.baskets if column in basket)
    if times:
        return reason("ordered_before" if times > 1 else "ordered_once", language, times=times)
    model = next((model for model in served.models if model.name == source), None)
    if isinstance(model, NextItem | ItemKnn) and (seed := model.strongest_seed(query, column)) >= 0:
        code = "follows_last" if isinstance(model, NextItem) else "because_you_ordered"
        return reason(code, language, dish=catalog.name(seed, language))
    if source in {"next_item", "item_knn", "user_knn"}:
        return reason("people_like_you", language)
    if source == "als":
        return reason("your_taste", language)
    if source in {"popular", "trending"}:
        return reason("popular_nearby" if place_chain(query.place) else "popular", language)
    return reason("offered", language)


def _notes(served: Served, catalog: Catalog, request: DishRequest, query: Query, found: int) -> tuple[str, ...]:
    notes = []
    if not query.baskets:
        notes.append("unknown_customer")
    if request.zone is not None and served.zones.row(request.zone) < 0 and request.zone not in catalog.zones:
        notes.append("unknown_zone")
    if request.vendor_id is not None and not (
        served.vendors.row(request.vendor_id) >= 0 or request.vendor_id in catalog.vendor_ids
    ):
        notes.append("unknown_vendor")
    if found < request.limit:
        notes.append("fewer_than_asked")
    return tuple(notes)
