"""Dishes like this one: ordered by the same customers, of the same taste, or alike in words while it is new."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.errors import NotFound
from engine.events.inbox import Event
from engine.models.als import Als
from engine.models.arrays import FloatArray
from engine.models.item_knn import ItemKnn
from engine.models.kernels.links import links
from engine.recommend.catalog.catalog import Catalog
from engine.recommend.explain.reasons import Reason, reason
from engine.recommend.lists.build import best_allowed, near_id, shelved
from engine.recommend.published.model import Served
from engine.recommend.request import Asking, DishRequest, open_request
from engine.recommend.response import DishAnswer
from engine.recommend.scoring.scorer import Pool

# Half of what is said of a dish in this many baskets comes from its customers, the other half from its words.
TRUSTED_BASKETS = 20.0
KNN_SHARE = 0.6
# Words always say something: two soups ordered by other people are still two soups.
LEAST_CONTENT = 0.15
WORDS = "content"


def similar_dishes(
    served: Served, catalog: Catalog, request: DishRequest, fresh: Sequence[Event], *, item_id: str
) -> DishAnswer:
    """Return dishes like `item_id` that can be ordered where and when she asks; the dish itself is none of them.

    Neighbours (cosine over customers) and factors (cosine of ALS) count by how many baskets held the dish, words fill
    in for the rest. Raises NotFound for a dish we do not know.
    """
    column = served.items.row(item_id)
    if column < 0:
        raise NotFound(f"no dish {item_id[:80]!r}{near_id(served.items, item_id)}", where="item_id")
    asking = open_request(served, catalog, request, fresh)
    parts = _likeness(served, column)
    total = np.stack(list(parts.values())).sum(axis=0)
    itself = np.array([column], np.int32)
    return shelved(
        asking,
        lambda size: best_allowed(asking, total, parts, without=itself, size=size),
        lambda found: _reasons(asking, found, column),
        shortest="nothing_alike",
        beside=int(asking.allowed.let_through(itself).sum()),
    )


def _likeness(served: Served, column: int) -> dict[str, FloatArray]:
    """Return (items,) of each source, weighted so that they sum to 1 at most."""
    n_items, extras = len(served.items), served.extras
    baskets = float(extras.together.baskets[column]) if extras.together is not None else TRUSTED_BASKETS
    trusted = baskets / (baskets + TRUSTED_BASKETS)
    has_words = extras.content is not None
    customers = min(trusted, 1 - LEAST_CONTENT) if has_words else 1.0
    models = {model.name: model for model in served.models}
    knn, als = models.get("item_knn"), models.get("als")
    parts: dict[str, FloatArray] = {}
    if isinstance(knn, ItemKnn):
        near = knn.arrays()
        seeds = np.array([column], np.int32)
        _, items, close = links(near["start"], near["items"], near["similarity"], seeds)  # type: ignore[arg-type]
        said = np.zeros(n_items, dtype=np.float32)
        said[items] = np.clip(close, 0, 1)
        parts["item_knn"] = customers * KNN_SHARE * said
    if isinstance(als, Als):
        factors = als.item_factors
        own = factors[column]
        length = np.sqrt(np.einsum("if,if->i", factors, factors)) * float(np.sqrt(own @ own))
        cosine = np.clip(factors @ own / np.maximum(length, 1e-9), 0, 1)
        parts["als"] = (customers * (1 - KNN_SHARE) * cosine).astype(np.float32)
    if extras.content is not None:
        parts[WORDS] = (1 - customers) * extras.content.similar_to(column)
    return parts or {"none": np.zeros(n_items, dtype=np.float32)}


def _reasons(asking: Asking, pool: Pool, column: int) -> list[Reason]:
    dish = asking.catalog.name(column, asking.language)
    most = pool.model_scores.argmax(axis=1).tolist() if len(pool.columns) else []
    by_customers = [pool.names[part] == "item_knn" for part in most]
    return [reason("same_customers" if told else "similar_to", asking.language, dish=dish) for told in by_customers]
