"""A customer's question to ranked dishes with reasons: score, filter, rank, explain. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from engine.events import Event
from engine.models.base import Query
from engine.models.item_knn import ItemKnn
from engine.models.next_item import NextItem
from engine.models.popular import place_chain
from engine.ranking.catalog import Catalog
from engine.ranking.filters import allowed_dishes
from engine.ranking.reasons import Reason, reason
from engine.ranking.score import Pool, score_pool
from engine.ranking.served import Served


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
    allowed = allowed_dishes(
        served,
        catalog,
        fresh,
        at=request.at,
        zone=request.zone,
        vendor_id=request.vendor_id,
        candidates=request.candidates,
        out=request.exclude + request.cart,
    )
    pool = score_pool(served, query, allowed, size=request.limit)
    dishes = tuple(
        Dish(
            served.items.name(column),
            catalog.name(column, request.language),
            round(score, 6),
            source,
            _reason(served, catalog, query, source if speaks else "none", column, request.language),
        )
        for column, score, (source, speaks) in zip(
            pool.columns.tolist(), pool.scores.tolist(), _sources(served, pool), strict=True
        )
    )
    return DishAnswer(dishes, bool(query.baskets), _notes(served, catalog, request, query, len(dishes)))


def _sources(served: Served, pool: Pool) -> list[tuple[str, bool]]:
    """Return, per dish, the model that adds most to its blended score, and whether it adds anything at all."""
    shares = pool.parts * np.array([served.blend.weights.get(name, 0.0) for name in pool.names])
    most = shares.argmax(axis=1) if len(shares) else np.empty(0, np.int64)
    return [(pool.names[model], bool(shares[row, model] > 0)) for row, model in enumerate(most.tolist())]


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
