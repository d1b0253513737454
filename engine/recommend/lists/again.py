"""Buy again: the dishes she ordered, and which of them are due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.columns import DAY_S
from engine.events.event import Event
from engine.recommend.catalog.catalog import Catalog
from engine.recommend.explain.reasons import Reason, reason, why_short
from engine.recommend.explain.why import reasons_for, sources_of
from engine.recommend.lists.build import shelved
from engine.recommend.published.model import Served
from engine.recommend.request import Asking, DishRequest, open_request
from engine.recommend.rerank.own_lines import OwnLines
from engine.recommend.rerank.signals import read_signals, steer
from engine.recommend.response import DishAnswer
from engine.recommend.scoring.allowed import Allowed
from engine.recommend.scoring.scorer import Pool

# Due: her usual gap is nearly over, and not so long over that she gave the dish up.
DUE_FROM, DUE_UNTIL = 0.8, 2.0
LEAST_ORDERS = 3


def dishes_again(served: Served, catalog: Catalog, request: DishRequest, fresh: Sequence[Event]) -> DishAnswer:
    """Return only dishes she ordered and can order now, undone orders not counted.

    They stand in the order of the served models: how often, how recently, where, and, for the ranker, how long since
    her own gap was over. A rule by the gap alone was measured and loses to plain frequency (docs/decisions); that a
    dish is due is said in its reason.
    """
    # All of them are repeats: a quota of repeats has nothing to choose.
    lists = replace(request.options.lists, repeat_min=0.0, repeat_max=1.0)
    request = replace(request, options=replace(request.options, lists=lists))
    asking = open_request(served, catalog, request, fresh, again=True)
    own = OwnLines.of(asking.query)
    ordered = np.unique(own.items)
    only = ordered if asking.allowed.only is None else np.intersect1d(ordered, asking.allowed.only)
    allowed = Allowed(asking.allowed.mask, only.astype(np.int32), asking.allowed.blocked)
    asking = replace(asking, allowed=allowed, limits=replace(asking.limits, candidates=only.astype(np.int32)))
    pool = served.scorer.pool(asking.query, allowed, size=max(len(only), 1))
    signals = read_signals(asking, request.options.signals)
    if signals:
        pool = steer(pool, asking, signals, request.options.signals)

    def word(found: Pool) -> list[Reason]:
        told = reasons_for(found, asking, sources_of(served, found, known=True), signals)
        return [_due(asking, own, column) or told[row] for row, column in enumerate(found.columns.tolist())]

    weighted = pool.model_scores * np.array([served.blend.weights.get(name, 0.0) for name in pool.names], np.float32)
    pool = replace(pool, model_scores=weighted)
    answer = shelved(asking, lambda _size: pool, word, shortest="no_orders")
    if request.candidates is None and answer.why_short is not None and answer.why_short.code == "candidates":
        # The candidates are ours: the dishes she ordered.
        return replace(answer, why_short=why_short("no_orders", asking.language, empty=not answer.dishes))
    return answer


def _due(asking: Asking, own: OwnLines, column: int) -> Reason | None:
    """Return that the dish is due: three orders or more, and since the last one about her usual gap has passed."""
    # An order may be told late.
    instants = np.sort(asking.query.at[own.orders_of(column)])
    if len(instants) < LEAST_ORDERS or not asking.served.keeps_time:
        return None
    gap_days = float(np.median(np.diff(instants))) / DAY_S
    since_days = (asking.query.now - int(instants[-1])) / DAY_S
    if gap_days < 1 or not DUE_FROM <= since_days / gap_days <= DUE_UNTIL:
        return None
    days = round(gap_days)
    return reason("due_now", asking.language, days=days) if days > 1 else reason("due_daily", asking.language)
