"""Buy again: the dishes the customer ordered, and which of them are due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.columns import DAY_S
from engine.events.event import Event
from engine.recommend.catalog.catalog import Catalog
from engine.recommend.explain.reasons import Reason, reason, why_short
from engine.recommend.explain.why import reasons_for, sources_of
from engine.recommend.lists.build import build_list
from engine.recommend.published.model import PublishedModel
from engine.recommend.request import DishRequest, RankingContext, build_request
from engine.recommend.rerank.own_lines import OwnLines
from engine.recommend.rerank.signals import read_signals, steer
from engine.recommend.response import DishAnswer
from engine.recommend.scoring.allowed import Allowed
from engine.recommend.scoring.scorer import Pool

# Due: their usual gap is nearly over, and not so long over that the customer gave the dish up.
DUE_FROM, DUE_UNTIL = 0.8, 2.0
LEAST_ORDERS = 3


def dishes_again(
    published: PublishedModel, catalog: Catalog, request: DishRequest, fresh: Sequence[Event]
) -> DishAnswer:
    """Return only dishes the customer ordered and can order now, undone orders not counted.

    They stand in the order of the served models: how often, how recently, where, and, for the ranker, how long since
    their own gap was over. A rule by the gap alone was measured and loses to plain frequency (docs/decisions); that a
    dish is due is said in its reason.
    """
    # All of them are repeats: a quota of repeats has nothing to choose.
    lists = replace(request.options.lists, repeat_min=0.0, repeat_max=1.0)
    request = replace(request, options=replace(request.options, lists=lists))
    context = build_request(published, catalog, request, fresh, again=True)
    own = OwnLines.of(context.query)
    ordered = np.unique(own.items)
    only = ordered if context.allowed.only is None else np.intersect1d(ordered, context.allowed.only)
    allowed = Allowed(context.allowed.mask, only.astype(np.int32), context.allowed.blocked)
    context = replace(context, allowed=allowed, limits=replace(context.limits, candidates=only.astype(np.int32)))
    pool = published.scorer.pool(context.query, allowed, size=max(len(only), 1))
    signals = read_signals(context, request.options.signals)
    if signals:
        pool = steer(pool, context, signals, request.options.signals)

    def word(found: Pool) -> list[Reason]:
        told = reasons_for(found, context, sources_of(published, found, known=True), signals)
        return [_due(context, own, column) or told[row] for row, column in enumerate(found.columns.tolist())]

    weighted = pool.model_scores * np.array([published.blend.weights.get(name, 0.0) for name in pool.names], np.float32)
    pool = replace(pool, model_scores=weighted)
    answer = build_list(context, lambda _size: pool, word, shortest="no_orders")
    if request.candidates is None and answer.why_short is not None and answer.why_short.code == "candidates":
        # The candidates are ours: the dishes the customer ordered.
        return replace(answer, why_short=why_short("no_orders", context.language, empty=not answer.dishes))
    return answer


def _due(context: RankingContext, own: OwnLines, column: int) -> Reason | None:
    """Return that the dish is due: three orders or more, and since the last one about their usual gap has passed."""
    # An order may be told late.
    instants = np.sort(context.query.at[own.orders_of(column)])
    if len(instants) < LEAST_ORDERS or not context.published.keeps_time:
        return None
    gap_days = float(np.median(np.diff(instants))) / DAY_S
    since_days = (context.query.now - int(instants[-1])) / DAY_S
    if gap_days < 1 or not DUE_FROM <= since_days / gap_days <= DUE_UNTIL:
        return None
    days = round(gap_days)
    return reason("due_now", context.language, days=days) if days > 1 else reason("due_daily", context.language)
