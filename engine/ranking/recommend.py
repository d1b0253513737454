"""A customer's question to ranked dishes with reasons: score, filter, arrange, explain. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import numpy as np

from engine.events import Event
from engine.models.base import IntArray
from engine.models.ease import Ease
from engine.models.item_knn import ItemKnn
from engine.models.links import strongest
from engine.models.next_item import NextItem
from engine.models.popular import place_chain
from engine.ranking.answer import Dish, DishAnswer, Explained
from engine.ranking.catalog import Catalog
from engine.ranking.exploring import Slot, eligible, explore
from engine.ranking.extras import newest
from engine.ranking.features import names
from engine.ranking.filters import removed
from engine.ranking.habits import LEAST_ORDERS, OwnLines, habit
from engine.ranking.lists import arrange, joined, reordered
from engine.ranking.options import ListOptions
from engine.ranking.reasons import Reason, reason, shortage, why_short
from engine.ranking.request import Asking, DishRequest, open_request
from engine.ranking.score import Pool, score_pool
from engine.ranking.served import Served
from engine.ranking.signals import Signals, looked_at, moving, read_signals, stand_in, steer

__all__ = ["DishAnswer", "DishRequest", "recommend_dishes"]
# A list that is arranged chooses from this many times what was asked for, and at least from this many.
CHOICE, LEAST_CHOICE = 3, 100
# Whose neighbours explain a dish: of the dishes on her orders the newest so many.
SEEDS = 60


@dataclass(frozen=True, slots=True)
class Told:
    """What explaining a list needs beside the pool: what moved each dish and its place in the models' order."""

    changes: Mapping[int, str]
    ranks: Mapping[int, int]


def recommend_dishes(served: Served, catalog: Catalog, request: DishRequest, fresh: Sequence[Event]) -> DishAnswer:
    """Return up to `limit` dishes the customer can order where and when she asks.

    `fresh` are her events since training, in any order. An unknown customer gets what is popular, and the notes say so.
    Raises BadRequest for an allergen or diet nobody knows.
    """
    asking = open_request(served, catalog, request, fresh)
    options, limit = request.options.lists, request.limit
    signals = read_signals(asking, request.options.signals)
    wide = options.rearranges or signals or request.explain
    size = max(CHOICE * limit, LEAST_CHOICE) if wide else limit
    query = stand_in(asking, signals) if signals else asking.query
    pool = score_pool(served, query, asking.allowed, size=size)
    ranks = {column: place for place, column in enumerate(pool.columns.tolist(), 1)} if request.explain else {}
    changes: dict[int, str] = {}
    own = OwnLines.of(asking.query)
    if signals and (left := moving(asking, signals)):
        pool = steer(pool, asking, left, request.options.signals)
    if signals:
        changes = dict.fromkeys(signals.touched, "signals") | dict.fromkeys(signals.bad, "signals")
    duplicates = 0
    if options.rearranges:
        arranged = arrange(pool, asking, own, options)
        changes |= {int(pool.columns[place]): change for place, change in arranged.changes.items()}
        pool, duplicates = reordered(pool, arranged.places), arranged.duplicates
        if arranged.relaxed:
            asking.notes.append("list_relaxed")
    pool = reordered(pool, slice(limit)) if len(pool.columns) > limit else pool
    pool, slots = _by_lot(pool, asking, own, options)
    dishes = dishes_of_pool(pool, asking, own, slots, signals, Told(changes, ranks))
    return answered(asking, dishes, shortest="near_duplicates" if duplicates else None)


def answered(asking: Asking, dishes: Sequence[Dish], *, shortest: str | None = None) -> DishAnswer:
    """Return the answer that `dishes` make; a short one says why, by `shortest` where the list itself knows better."""
    request, notes, why, filters = asking.request, list(asking.notes), None, None
    if len(dishes) < request.limit:
        notes.append("fewer_than_asked")
    if request.explain or len(dishes) < request.limit:
        filters = removed(asking.catalog, asking.limits)
    if filters is not None and len(dishes) < request.limit:
        code = shortage(filters, vendor_known="unknown_vendor" not in notes)
        if shortest is not None and len(dishes) < filters["left"]:
            # The filters left more than the list had a use for.
            code = shortest
        why = why_short(code, asking.language)
    known = len(asking.query.at) > 0
    told = filters if request.explain else None
    return DishAnswer(tuple(dishes), known, tuple(notes), asking.unknown_ids, why, told)


def dishes_of_pool(
    pool: Pool, asking: Asking, own: OwnLines, slots: Sequence[Slot], signals: Signals, told: Told
) -> list[Dish]:
    """Return the pool's dishes, one a slot, with the reasons that are true of them."""
    served, language = asking.served, asking.language
    # Of a stranger's taps the models make an order, so that all of them speak.
    known = asking.query.known or bool(signals)
    sources = sources_of(served, pool, known=known)
    reasons = reasons_for(pool, asking, own, sources, signals)
    dishes = []
    for row, (column, score, slot) in enumerate(zip(pool.columns.tolist(), pool.scores.tolist(), slots, strict=True)):
        source = "exploration" if slot.explored else sources[row][0]
        dish = Dish(
            asking.catalog.ids[column],
            asking.catalog.name(column, language),
            round(score, 6),
            source,
            reasons[row],
            round(slot.propensity, 6),
        )
        if asking.request.explain:
            changes = [told.changes[column]] if column in told.changes else []
            changes += ["explored"] if slot.explored else []
            dish = replace(dish, explained=explained(served, pool, row, told.ranks.get(column), changes, known=known))
        dishes.append(dish)
    return dishes


def explained(
    served: Served, pool: Pool, row: int, rank: int | None, changes: Sequence[str], *, known: bool
) -> Explained:
    """Return what each model adds to the dish in `row` of the pool, and what the ranker saw of it."""
    weights = served.blend.vector(pool.names, known=known).tolist()
    adds = {
        name: round(float(part) * weight, 6)
        for name, part, weight in zip(pool.names, pool.parts[row], weights, strict=True)
    }
    features = None
    if pool.table is not None:
        named = zip(names(list(pool.names)), pool.table[row].tolist(), strict=True)
        # What does not apply to a dish (days since an order there never was) is left out: JSON has no NaN.
        features = {name: round(value, 6) for name, value in named if np.isfinite(value)}
    return Explained(rank, adds, features, tuple(changes))


def sources_of(served: Served, pool: Pool, *, known: bool) -> list[tuple[str, bool]]:
    """Return, per dish, the model that adds most to its blended score, and whether it adds anything at all."""
    shares = pool.parts * served.blend.vector(pool.names, known=known)
    most, largest = shares.argmax(axis=1).tolist(), shares.max(axis=1).tolist()
    return [(pool.names[model], adds > 0) for model, adds in zip(most, largest, strict=True)]


def reasons_for(
    pool: Pool, asking: Asking, own: OwnLines, sources: Sequence[tuple[str, bool]], signals: Signals
) -> list[Reason]:
    """Return one true reason for each dish of the pool: her own habits first, then what she did lately, then models."""
    language, columns = asking.language, pool.columns
    times = own.times(columns).tolist()
    looked = looked_at(asking.served, signals, columns).tolist() if signals else [-1] * len(columns)
    fresh = newest(columns, asking.served.extras).tolist()
    seeds = _seeds(asking, columns, sources)
    near = bool(place_chain(asking.query.place))
    clock = None
    if asking.served.manifest.get("data", {}).get("clock") == "time":
        clock = asking.served.extras.clocks.zone_info(asking.query.row, asking.catalog.timezone)
    found = []
    for row, column in enumerate(columns.tolist()):
        source, speaks = sources[row]
        if times[row]:
            found.append(_own_reason(asking, own, column, times[row], clock, rated=column in signals.rated))
        elif column in signals.touched:
            found.append(reason("you_looked", language))
        elif looked[row] >= 0:
            found.append(reason("because_you_looked", language, dish=asking.catalog.name(looked[row], language)))
        elif fresh[row]:
            found.append(reason("new_here", language))
        else:
            found.append(_model_reason(asking, source if speaks else "none", seeds.get(column, -1), near=near))
    return found


def _own_reason(
    asking: Asking, own: OwnLines, column: int, times: int, clock: ZoneInfo | None, *, rated: bool
) -> Reason:
    language = asking.language
    if clock is not None and times >= LEAST_ORDERS:
        found = habit(asking.query.at[own.orders_of(column)], asking.query.now, clock, language)
        if found is not None:
            return found
    if rated:
        return reason("you_liked", language)
    return reason("ordered_before" if times > 1 else "ordered_once", language, times=times)


def _model_reason(asking: Asking, source: str, seed: int, *, near: bool) -> Reason:
    language = asking.language
    if seed >= 0:
        code = "follows_last" if source == "next_item" else "because_you_ordered"
        return reason(code, language, dish=asking.catalog.name(seed, language))
    if source in {"next_item", "item_knn", "ease", "user_knn"}:
        return reason("people_like_you", language)
    if source == "als":
        return reason("your_taste", language)
    if source in {"popular", "trending"}:
        return reason("popular_nearby" if near else "popular", language)
    return reason("offered", language)


def _seeds(asking: Asking, columns: IntArray, sources: Sequence[tuple[str, bool]]) -> dict[int, int]:
    """Return, by column, the dish she ordered that speaks most for it, for what such a model recommends."""
    found: dict[int, int] = {}
    query = asking.query
    for model in asking.served.models:
        if isinstance(model, NextItem):
            own = query.items[query.start[-1 - model.last :][0] :]
        elif isinstance(model, ItemKnn | Ease):
            own = query.items[-SEEDS:]
        else:
            continue
        wanted = [
            c for c, (source, speaks) in zip(columns.tolist(), sources, strict=True) if speaks and source == model.name
        ]
        if wanted:
            rows = model.links
            seeds = strongest(rows.start, rows.columns, rows.values, own, np.array(wanted, dtype=np.int32))
            found |= {column: seed for column, seed in zip(wanted, seeds.tolist(), strict=True) if seed >= 0}
    return found


def _by_lot(pool: Pool, asking: Asking, own: OwnLines, options: ListOptions) -> tuple[Pool, list[Slot]]:
    """Return the pool with new dishes in the slots the lot gave them, and the slots."""
    columns = pool.columns.tolist()
    if options.explore_share <= 0 or not columns:
        return pool, [Slot(column, 1.0, explored=False) for column in columns]
    drawn, weights = eligible(asking, own, pool.columns)
    slots = explore(columns, drawn, weights, options, seed=asking.request.request_id)
    added = np.array([slot.column for slot in slots if slot.explored], dtype=np.int32)
    wider = joined(pool, added)
    place = {column: at for at, column in enumerate(wider.columns.tolist())}
    return reordered(wider, [place[slot.column] for slot in slots]), slots
