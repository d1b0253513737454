"""A customer's question to ranked dishes with reasons: score, filter, arrange, explain. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.events.event import Event
from engine.recommend.catalog.catalog import Catalog
from engine.recommend.catalog.filters import removed
from engine.recommend.explain.reasons import shortage, why_short
from engine.recommend.explain.why import reasons_for, sources_of
from engine.recommend.options import ListOptions
from engine.recommend.published.model import PublishedModel
from engine.recommend.request import DishRequest, RankingContext, build_request
from engine.recommend.rerank.arrange import (
    arrange_enough,
    choice,
    joined,
    least_repeats,
    likeness,
    limits_of,
    reordered,
)
from engine.recommend.rerank.exploration import Slot, eligible, explore
from engine.recommend.rerank.own_lines import OwnLines
from engine.recommend.rerank.signals import NOTHING, Signals, moving, read_signals, stand_in, steer
from engine.recommend.response import Dish, DishAnswer, Explained
from engine.recommend.scoring.features import names
from engine.recommend.scoring.scorer import Pool

__all__ = ["DishAnswer", "DishRequest", "recommend_dishes"]
# Where a dish comes from of which no model says anything.
UNSAID = "menu"


@dataclass(frozen=True, slots=True)
class ExplanationTrace:
    """What explaining a list needs beside the pool: what moved each dish and its place in the models' order."""

    changes: Mapping[int, str]
    ranks: Mapping[int, int]


def recommend_dishes(
    published: PublishedModel, catalog: Catalog, request: DishRequest, fresh: Sequence[Event]
) -> DishAnswer:
    """Return up to `limit` dishes the customer can order where and when they ask.

    `fresh` are their events since training, in any order. An unknown customer gets what is popular, and the notes say
    so. Raises BadRequest for an allergen or diet nobody knows.
    """
    context = build_request(published, catalog, request, fresh)
    options, limit = request.options.lists, request.limit
    signals = read_signals(context, request.options.signals)
    query, left = (stand_in(context, signals), moving(context, signals)) if signals else (context.query, NOTHING)
    size = choice(limit) if options.rearranges or signals else limit
    own = OwnLines.of(context.query)
    ranks: dict[int, int] = {}
    changes: dict[int, str] = {}

    def pool_of(size: int) -> Pool:
        pool = published.scorer.pool(query, context.allowed, size=size)
        if request.explain:
            ranks.update((column, place) for place, column in enumerate(pool.columns.tolist(), 1))
        return steer(pool, context, left, request.options.signals) if left else pool

    if signals:
        changes = dict.fromkeys(signals.touched, "signals") | dict.fromkeys(signals.bad, "signals")
    duplicates = 0
    if options.rearranges:
        pool, arranged = arrange_enough(pool_of, size, context, own, options)
        changes |= {int(pool.columns[place]): change for place, change in arranged.changes.items()}
        pool, duplicates = reordered(pool, arranged.places), arranged.duplicates
        if arranged.relaxed:
            context.notes.append("list_relaxed")
    else:
        pool = pool_of(size)
    pool = reordered(pool, slice(limit)) if len(pool.columns) > limit else pool
    pool, slots = _with_exploration(pool, context, own, options)
    dishes = dishes_of_pool(pool, context, slots, signals, ExplanationTrace(changes, ranks))
    return answered(context, dishes, shortest="near_duplicates" if duplicates else None)


def answered(
    context: RankingContext, dishes: Sequence[Dish], *, shortest: str | None = None, beside: int = 0
) -> DishAnswer:
    """Return the answer that `dishes` make; a short one says why, by `shortest` where the list itself knows better.

    `beside` counts dishes the filters let through that are no choice: the one a list is about.
    """
    request, notes, why, filters = context.request, list(context.notes), None, None
    if len(dishes) < request.limit:
        notes.append("fewer_than_asked")
    if request.explain or len(dishes) < request.limit:
        filters = removed(context.catalog, context.limits)
    if filters is not None and len(dishes) < request.limit:
        code = shortage(filters, vendor_known="unknown_vendor" not in notes)
        if shortest is not None and len(dishes) < filters["left"] - beside:
            # The filters left more than the list had a use for.
            code = shortest
        why = why_short(code, context.language, empty=not dishes)
    known = len(context.query.at) > 0
    told = filters if request.explain else None
    return DishAnswer(tuple(dishes), known, tuple(notes), context.unknown_ids, why, told)


def dishes_of_pool(
    pool: Pool, context: RankingContext, slots: Sequence[Slot] | None, signals: Signals, told: ExplanationTrace
) -> list[Dish]:
    """Return the pool's dishes, one a slot, with the reasons that are true of them; None: no slot was given by lot."""
    published, language = context.published, context.language
    # Of a stranger's taps the models make an order, so that all of them speak.
    known = context.query.known or bool(signals)
    sources = sources_of(published, pool, known=known)
    reasons = reasons_for(pool, context, sources, signals)
    ids, dish_names, models = context.catalog.ids, context.catalog.names_in(language), pool.names
    dishes = [
        Dish(ids[column], dish_names[column], score, models[model] if adds else UNSAID, reason)
        for column, score, model, adds, reason in zip(
            pool.columns.tolist(),
            pool.scores.astype(np.float64).round(6).tolist(),
            sources.model.tolist(),
            sources.adds.tolist(),
            reasons,
            strict=True,
        )
    ]
    if slots is not None:
        dishes = [
            dish._replace(source="exploration" if slot.explored else dish.source, propensity=round(slot.propensity, 6))
            for dish, slot in zip(dishes, slots, strict=True)
        ]
    if not context.request.explain:
        return dishes
    found = []
    for row, (dish, column) in enumerate(zip(dishes, pool.columns.tolist(), strict=True)):
        changes = [told.changes[column]] if column in told.changes else []
        changes += ["explored"] if slots is not None and slots[row].explored else []
        explaining = explanation_of(published, pool, row, told.ranks.get(column), changes, known=known)
        found.append(dish._replace(explained=explaining))
    return found


def explanation_of(
    published: PublishedModel, pool: Pool, row: int, rank: int | None, changes: Sequence[str], *, known: bool
) -> Explained:
    """Return what each model adds to the dish in `row` of the pool, and what the ranker saw of it."""
    weights = published.blend.vector(pool.names, known=known).tolist()
    adds = {
        name: round(float(part) * weight, 6)
        for name, part, weight in zip(pool.names, pool.model_scores[row], weights, strict=True)
    }
    features = None
    if pool.table is not None:
        named = zip(names(list(pool.names)), pool.table[row].tolist(), strict=True)
        # What does not apply to a dish (days since an order there never was) is left out: JSON has no NaN.
        features = {name: round(value, 6) for name, value in named if np.isfinite(value)}
    return Explained(rank, adds, features, tuple(changes))


def _with_exploration(
    pool: Pool, context: RankingContext, own: OwnLines, options: ListOptions
) -> tuple[Pool, list[Slot] | None]:
    """Return the pool with new dishes in the slots the lot gave them, and the slots; None where there is no lot."""
    if options.explore_share <= 0 or not len(pool.columns):
        return pool, None
    columns = pool.columns.tolist()
    alike, limits = likeness(context, options), limits_of(context, options)
    drawn, weights = eligible(context, own, pool.columns, alike)
    slots = explore(columns, drawn, weights, options, seed=context.request.request_id, limits=limits, alike=alike)
    if _fewer_repeats(columns, slots, own, options) and "list_relaxed" not in context.notes:
        context.notes.append("list_relaxed")
    added = np.array([slot.column for slot in slots if slot.explored], dtype=np.int32)
    wider = joined(pool, added)
    place = {column: at for at, column in enumerate(wider.columns.tolist())}
    return reordered(wider, [place[slot.column] for slot in slots]), slots


def _fewer_repeats(columns: Sequence[int], slots: Sequence[Slot], own: OwnLines, options: ListOptions) -> bool:
    """Return whether exploration left fewer dishes ordered before than asked for, though the list had held enough."""
    before, after = (
        int((own.times(np.array(some, dtype=np.int32)) > 0).sum())
        for some in (columns, [slot.column for slot in slots])
    )
    return after < min(before, least_repeats(len(columns), options))
