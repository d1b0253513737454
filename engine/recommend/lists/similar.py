"""Dishes like this one: ordered by the same customers, of the same taste, or alike in words while it is new."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.errors import NotFound
from engine.events.event import Event
from engine.models.arrays import FloatArray
from engine.recommend.catalog.catalog import Catalog
from engine.recommend.explain.reasons import Reason, reason
from engine.recommend.lists.build import best_allowed, build_list, near_id
from engine.recommend.published.model import PublishedModel
from engine.recommend.request import DishRequest, RankingContext, build_request
from engine.recommend.response import DishAnswer
from engine.recommend.scoring.scorer import Pool

# Half of what is said of a dish in this many baskets comes from its customers, the other half from its words.
TRUSTED_BASKETS = 20.0
# Words always say something: two soups ordered by other people are still two soups.
LEAST_CONTENT = 0.15
WORDS = "content"


def similar_dishes(
    published: PublishedModel, catalog: Catalog, request: DishRequest, fresh: Sequence[Event], *, item_id: str
) -> DishAnswer:
    """Return dishes like `item_id` that can be ordered where and when they ask; the dish itself is none of them.

    What the models find alike counts by how many baskets held the dish, words fill
    in for the rest. Raises NotFound for a dish we do not know.
    """
    column = published.items.row(item_id)
    if column < 0:
        raise NotFound(f"no dish {item_id[:80]!r}{near_id(published.items, item_id)}", where="item_id")
    context = build_request(published, catalog, request, fresh)
    parts = _likeness(published, column)
    total = np.stack(list(parts.values())).sum(axis=0)
    itself = np.array([column], np.int32)
    return build_list(
        context,
        lambda size: best_allowed(context, total, parts, without=itself, size=size),
        lambda found: _reasons(context, found, column),
        shortest="nothing_alike",
        beside=int(context.allowed.let_through(itself).sum()),
    )


def _likeness(published: PublishedModel, column: int) -> dict[str, FloatArray]:
    """Return (items,) of each source, weighted so that they sum to 1 at most."""
    n_items, extras = len(published.items), published.extras
    baskets = float(extras.together.baskets[column]) if extras.together is not None else TRUSTED_BASKETS
    trusted = baskets / (baskets + TRUSTED_BASKETS)
    has_words = extras.content is not None
    customers = min(trusted, 1 - LEAST_CONTENT) if has_words else 1.0
    parts: dict[str, FloatArray] = {}
    for model in published.models:
        alike = model.similar_items(column) if model.similarity_share else None
        if alike is not None:
            parts[model.name] = (customers * model.similarity_share * alike).astype(np.float32)
    if extras.content is not None:
        parts[WORDS] = (1 - customers) * extras.content.similar_to(column)
    return parts or {"none": np.zeros(n_items, dtype=np.float32)}


def _reasons(context: RankingContext, pool: Pool, column: int) -> list[Reason]:
    dish = context.catalog.name(column, context.language)
    most = pool.model_scores.argmax(axis=1).tolist() if len(pool.columns) else []
    codes = {model.name: model.reason_similar for model in context.published.models}
    return [reason(codes.get(pool.names[part], "similar_to"), context.language, dish=dish) for part in most]
