"""What completes this cart: what goes with its dishes in one basket, and what the customer usually adds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.errors import BadRequest
from engine.events.event import Event
from engine.models.arrays import FloatArray, IntArray
from engine.recommend.catalog.catalog import Catalog, columns_of
from engine.recommend.explain.reasons import Reason, reason
from engine.recommend.explain.why import reasons_for, sources_of
from engine.recommend.lists.build import best_allowed, build_list
from engine.recommend.lists.menus import dishes_beside
from engine.recommend.published.model import PublishedModel
from engine.recommend.request import DishRequest, RankingContext, build_request
from engine.recommend.rerank.arrange import joined
from engine.recommend.rerank.own_lines import OwnLines
from engine.recommend.rerank.signals import NOTHING
from engine.recommend.response import DishAnswer
from engine.recommend.scoring.allowed import Allowed
from engine.recommend.scoring.scorer import Pool

# What their own baskets say beside everybody's: of those with a dish of the cart, the share that holds this one too.
OWN_WEIGHT = 0.3
OWN_SHRINK = 2.0


def addon_dishes(
    published: PublishedModel, catalog: Catalog, request: DishRequest, fresh: Sequence[Event]
) -> DishAnswer:
    """Return dishes that complete the cart, of the cart's vendors where those are known.

    A list shorter than asked is filled with what the customer would be shown anyway, after what goes with the cart; so
    is the whole list where we know none of the cart's dishes. Raises BadRequest for an empty cart.
    """
    if not request.cart:
        raise BadRequest("is empty; name the dishes to complete", where="context.cart")
    cart = np.unique(columns_of(published.items, request.cart)).astype(np.int32)
    context = build_request(published, catalog, request, fresh, vendor=dishes_beside(published, catalog, cart))
    own = OwnLines.of(context.query)
    together, history = _beside(context, cart), _own_share(context, own, cart)
    parts = {"together": together, "own": OWN_WEIGHT * history}

    def pool_of(size: int) -> Pool:
        pool = best_allowed(context, together + OWN_WEIGHT * history, parts, without=cart, size=size)
        return _filled(context, pool, size)

    def word(found: Pool) -> list[Reason]:
        return _reasons(context, found, cart)

    return build_list(context, pool_of, word, shortest="menu")


def _beside(context: RankingContext, cart: IntArray) -> FloatArray:
    extras = context.published.extras
    if extras.together is None or not len(cart):
        return np.zeros(len(context.published.items), dtype=np.float32)
    return extras.together.score(cart)


def _own_share(context: RankingContext, own: OwnLines, cart: IntArray) -> FloatArray:
    """Return (items,): of their baskets with a dish of the cart, how many held each dish too, as a shrunk share."""
    with_cart = np.unique(own.basket[np.isin(own.items, cart)])
    beside = own.items[np.isin(own.basket, with_cart)]
    counts = np.bincount(beside, minlength=len(context.published.items))
    return (counts / (len(with_cart) + OWN_SHRINK)).astype(np.float32)


def _filled(context: RankingContext, pool: Pool, size: int) -> Pool:
    """Return the pool with the dishes the customer would be shown anyway behind it, in their order, up to `size`."""
    if len(pool.columns) >= size:
        return pool
    usual = context.published.scorer.pool(context.query, context.allowed, size=size).columns
    usual = usual[np.isin(usual, pool.columns, invert=True)][: size - len(pool.columns)]
    longer = joined(pool, usual)
    # They follow whatever goes with the cart, and each other: equal scores would let arranging mix them.
    scores = longer.scores.copy()
    scores[len(pool.columns) :] = -np.arange(1, len(usual) + 1, dtype=np.float32) * 1e-6
    return Pool(longer.columns, scores, longer.model_scores, longer.names)


def _reasons(context: RankingContext, pool: Pool, cart: IntArray) -> list[Reason]:
    """Return what goes with what where the pair was seen often enough, and otherwise why it would be shown anyway."""
    together = context.published.extras.together
    speaks = pool.scores > 0
    partners = np.full(len(pool.columns), -1, dtype=np.int32)
    if together is not None and len(cart):
        partners = together.partners(cart, pool.columns)
    rest = np.flatnonzero(~speaks | (partners < 0))
    others: dict[int, Reason] = {}
    if len(rest):
        usual = _spoken(context, pool.columns[rest])
        told = reasons_for(usual, context, sources_of(context.published, usual, known=context.query.known), NOTHING)
        others = dict(zip(usual.columns.tolist(), told, strict=True))
    return [
        others[column]
        if column in others
        else reason("goes_with", context.language, dish=context.catalog.name(int(partners[row]), context.language))
        for row, column in enumerate(pool.columns.tolist())
    ]


def _spoken(context: RankingContext, columns: IntArray) -> Pool:
    """Return what the models say of `columns`, each once."""
    only = Allowed(context.allowed.mask, np.sort(columns), context.allowed.blocked)
    return context.published.scorer.pool(context.query, only, size=len(columns))
