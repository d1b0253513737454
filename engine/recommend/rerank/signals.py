"""Signals since a customer's last order: looks, taps, carts and ratings move dishes and what is like them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from engine.events.event import Event
from engine.events.orders import ordered_items
from engine.models.arrays import FloatArray, IntArray
from engine.models.kernels.links import links
from engine.models.query import Query
from engine.recommend.options import SignalOptions
from engine.recommend.published.extras import newest
from engine.recommend.published.model import PublishedModel
from engine.recommend.request import RankingContext
from engine.recommend.rerank.arrange import joined, reordered
from engine.recommend.scoring.scorer import Pool

TOUCHES = frozenset({"view", "click", "cart"})
# Of taps told with the request the newest counts whole, each one before it less.
OLDER_TAP = 0.8
# How fast signs add up: one tap (0.2) is 63 % of what any number of taps can do.
RATE = 5.0
MOST_BROUGHT = 50
# A look this faded says nothing any more (a tenth of a look just made).
FAINT = 0.01
BAD, GOOD = 2, 4


@dataclass(frozen=True, slots=True)
class Signals:
    """What speaks for dishes, by column, above 0; and the columns the customer rated badly.

    `looked` is the part of it that looks, taps and carts make up, `rated` are the columns the customer rated well.
    """

    touched: dict[int, float] = field(default_factory=dict)
    looked: dict[int, float] = field(default_factory=dict)
    bad: frozenset[int] = frozenset()
    rated: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.touched or self.bad)


NOTHING = Signals()


def read_signals(context: RankingContext, options: SignalOptions) -> Signals:
    """Return what their events and the request's taps say.

    Looks, taps and carts from before their newest order led to it, or to nothing, and count no more. A rating is of the
    dish it names, or of all dishes of an order that is among their recent events; the newest rating of a dish counts.
    """
    if not context.fresh and not len(context.clicked):
        return NOTHING
    looked: dict[int, float] = {}
    # An order told late is their last basket and not their newest.
    ordered_at = int(context.query.at.max(initial=0))
    row = context.published.items.row
    weights = {"view": options.view, "click": options.click, "cart": options.cart}
    ratings: dict[int, tuple[int, float, float]] = {}
    orders = {str(e.properties.get("order_id")): e for e in context.fresh if e.type == "order"}
    for event in context.fresh:
        at = int(event.at.timestamp())
        age_h = max(context.query.now - at, 0) / 3600
        if event.type in TOUCHES and at > ordered_at:
            column = row(str(event.properties.get("item_id")))
            if column >= 0:
                strength = weights[event.type] * 0.5 ** (age_h / options.half_life_hours)
                looked[column] = looked.get(column, 0.0) + strength
        elif event.type == "rating":
            for column in _rated(context.published, event.properties, orders):
                said = event.properties.get("rating")
                if isinstance(said, int | float) and at >= ratings.get(column, (0, 0, 0))[0]:
                    ratings[column] = (at, float(said), age_h / 24)
    for place, column in enumerate(reversed(context.clicked.tolist())):
        looked[column] = looked.get(column, 0.0) + options.click * OLDER_TAP**place
    bad, rated, touched = set(), set(), dict(looked)
    for column, (_, said, age_days) in ratings.items():
        if said <= BAD:
            bad.add(column)
            touched.pop(column, None)
            looked.pop(column, None)
        elif said >= GOOD:
            rated.add(column)
            strength = options.rating * (said - 3) / 2 * 0.5 ** (age_days / options.rating_half_life_days)
            touched[column] = touched.get(column, 0.0) + strength
    strong = {column: s for column, s in touched.items() if s > 1e-6}
    return Signals(strong, looked, frozenset(bad), frozenset(rated))


def stand_in(context: RankingContext, signals: Signals) -> Query:
    """Return the query to score: the customer's, or, until the first order, one of the dishes touched.

    The models then say what goes with it as they would after an order; better than moving what is popular (measured in
    benchmarks/signals.py).
    """
    query = context.query
    touched = sorted(column for column, strength in signals.touched.items() if strength >= FAINT)
    if len(query.at) or not touched:
        return query
    return Query.of([np.array(touched, dtype=np.int32)], np.array([query.now]), query.now, query.place)


def moving(context: RankingContext, signals: Signals) -> Signals:
    """Return the signals that still have to move the list: all, or for a stranger those on dishes new to the models."""
    if len(context.query.at):
        return signals
    columns = np.array(list(signals.touched), dtype=np.int32)
    fresh = columns[newest(columns, context.published.extras)].tolist()
    return replace(signals, touched={column: signals.touched[column] for column in fresh})


def steer(pool: Pool, context: RankingContext, signals: Signals, options: SignalOptions) -> Pool:
    """Return the pool re-weighted by `signals`: touched dishes and their neighbours rise, badly rated ones go last.

    The list's own spread (from its first dish to the last one asked for) is the measure: with a boost of 1 a dish at
    the end reaches the top. Allowed neighbours outside the pool join it, at the score of its last dish.
    """
    if not len(pool.columns):
        return pool
    factor = options.known if len(context.query.at) else options.unknown
    columns, boost = _boosts(context.published, signals, options)
    if len(columns):
        fine = context.allowed.let_through(columns) & (boost > 1e-6)
        columns, boost = columns[fine], boost[fine]
        brought = np.flatnonzero(np.isin(columns, pool.columns, invert=True))
        brought = brought[np.argsort(-boost[brought], kind="stable")[:MOST_BROUGHT]]
        pool = joined(pool, columns[brought])
    scores = pool.scores.astype(np.float64)
    last = scores[min(context.request.limit, len(scores)) - 1]
    spread = float(scores[0] - last) or max(abs(float(scores[0])), 1e-3)
    # A dish touched starts from the list's end at the lowest, however low the models score it.
    touched = np.isin(pool.columns, list(signals.touched))
    scores[touched] = np.maximum(scores[touched], last)
    lift = dict(zip(columns.tolist(), boost.tolist(), strict=True))
    scores = scores + factor * spread * np.array([lift.get(column, 0.0) for column in pool.columns.tolist()])
    if signals.bad:
        down = np.isin(pool.columns, list(signals.bad))
        scores[down] -= scores.max() - scores.min() + spread
    order = np.lexsort((pool.columns, -scores))
    return reordered(replace(pool, scores=scores.astype(np.float32)), order)


def neighbours(published: PublishedModel, seeds: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Return (seed, item, closeness from 0 to 1) of what the customers of each seed order too, or what is like it.

    Words stand in for a seed too new to have neighbours.
    """
    from_seed: list[IntArray] = [np.empty(0, np.int32)]
    found: list[IntArray] = [np.empty(0, np.int32)]
    closeness: list[FloatArray] = [np.empty(0, np.float32)]
    alike = next((near.links for _, near in published.neighbour_models if near.alike), None)
    if alike is not None:
        seed_of, items, close = links(alike.start, alike.columns, alike.values, seeds)
        others = items != seed_of
        from_seed.append(seed_of[others])
        found.append(items[others].astype(np.int32))
        closeness.append(np.clip(close[others], 0, 1))
    content = published.extras.content
    if content is not None:
        for seed in np.setdiff1d(seeds, from_seed[-1]).tolist():
            like = content.similar_to(seed)
            like[seed] = 0
            best = np.argsort(-like, kind="stable")[:MOST_BROUGHT]
            best = best[like[best] > 0]
            from_seed.append(np.full(len(best), seed, np.int32))
            found.append(best.astype(np.int32))
            closeness.append(like[best])
    return np.concatenate(from_seed), np.concatenate(found), np.concatenate(closeness)


def looked_at(published: PublishedModel, signals: Signals, columns: IntArray) -> IntArray:
    """Return, for each of `columns`, the dish looked at lately that speaks most for it; -1 where none does."""
    found = np.full(len(columns), -1, dtype=np.int32)
    lately = {column: strength for column, strength in signals.looked.items() if strength >= FAINT}
    if not lately:
        return found
    seeds = np.array(list(lately), dtype=np.int32)
    seed_of, items, close = neighbours(published, seeds)
    strength = close * np.array([lately[seed] for seed in seed_of.tolist()], dtype=np.float32)
    # What moves a dish by less than a look that has faded is no reason for it.
    speaks = strength >= FAINT
    seed_of, items, strength = seed_of[speaks], items[speaks], strength[speaks]
    for at, column in enumerate(columns.tolist()):
        mine = np.flatnonzero(items == column)
        if len(mine):
            found[at] = seed_of[mine[np.argmax(strength[mine])]]
    return found


def _boosts(published: PublishedModel, signals: Signals, options: SignalOptions) -> tuple[IntArray, FloatArray]:
    """Return (columns, boost from 0 to 1) of touched dishes and their neighbours."""
    if not signals.touched:
        return np.empty(0, np.int32), np.empty(0, np.float32)
    seeds = np.array(list(signals.touched), dtype=np.int32)
    own = np.array(list(signals.touched.values()), dtype=np.float32)
    seed_of, items, close = neighbours(published, seeds)
    nearest = {seed: float(close[seed_of == seed].max(initial=1e-9)) for seed in seeds.tolist()}
    share = close / np.array([nearest[seed] for seed in seed_of.tolist()], dtype=np.float32)
    passed = share * options.neighbours * np.array([signals.touched[s] for s in seed_of.tolist()], dtype=np.float32)
    columns, inverse = np.unique(np.concatenate([seeds, items]), return_inverse=True)
    total = np.bincount(inverse, weights=np.concatenate([own, passed]), minlength=len(columns))
    return columns.astype(np.int32), (1 - np.exp(-RATE * total)).astype(np.float32)


def _rated(published: PublishedModel, told: Mapping[str, object], orders: Mapping[str, Event]) -> list[int]:
    """Return the columns a rating is about."""
    item_id, order = told.get("item_id"), orders.get(str(told.get("order_id")))
    names = [item_id] if isinstance(item_id, str) else ordered_items(order) if order is not None else []
    columns = published.items.rows_of(names)
    return [column for column in columns.tolist() if column >= 0]
