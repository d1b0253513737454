"""Why this dish: which model brought it, and the one sentence that is true of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.columns import DAY_S
from engine.models.arrays import IntArray
from engine.models.base import Recommender
from engine.models.kernels.links import strongest
from engine.recommend.explain.dish_habits import habits, worded
from engine.recommend.explain.reasons import Reason, about, said
from engine.recommend.kernels.sources import brought_by, has_opinion, rare_since, top_contributor
from engine.recommend.published.extras import RARE
from engine.recommend.published.model import PublishedModel
from engine.recommend.request import RankingContext
from engine.recommend.rerank.signals import FAINT, Signals, looked_at
from engine.recommend.scoring.scorer import Pool

# Whose neighbours explain a dish: of the dishes on their orders the newest so many.
SEEDS = 60
# How long a dish is new.
NEW_S = 30 * DAY_S


@dataclass(frozen=True, slots=True)
class Sources:
    """Per dish the number of the model that adds most to its blended score, and whether it adds anything at all.

    `top_contributors` are those numbers, once each.
    """

    model: IntArray
    adds: npt.NDArray[np.bool_]
    top_contributors: frozenset[int]


def sources_of(published: PublishedModel, pool: Pool, *, known: bool) -> Sources:
    """Return where the dishes of a pool of all models come from."""
    model, adds = top_contributor(pool.model_scores, published.scorer.weights(known=known))
    return Sources(model, adds, frozenset(model.tolist()))


def reasons_for(pool: Pool, context: RankingContext, sources: Sources, signals: Signals) -> list[Reason]:
    """Return one true reason for each dish of the pool: own habits first, then what they did lately, then models."""
    language, query, columns = context.language, context.query, pool.columns
    published = context.published
    clock = None
    if published.keeps_time:
        # A date alone is a day of whoever wrote it down, wherever the customer is.
        whose = query.row if published.keeps_hours else -1
        clock = published.extras.clocks.zone_info(whose, context.catalog.timezone)
    times, codes, local = habits(columns, query, clock, published.dayparts, hours=published.keeps_hours)
    looked = looked_at(published, signals, columns).tolist() if signals.looked else None
    fresh = _new(context, columns)
    seeds = _seeds(context, columns, sources, times)
    surely, near = _surely(context, pool, sources)
    found = []
    for row, (column, often, code) in enumerate(zip(columns.tolist(), times.tolist(), codes.tolist(), strict=True)):
        if code:
            found.append(worded(code, local, language, published.dayparts))
        elif often:
            found.append(_own_reason(often, language, rated=column in signals.rated))
        elif signals.looked.get(column, 0.0) >= FAINT:
            found.append(said("you_looked", language))
        elif column in signals.rated:
            found.append(said("you_liked", language))
        elif looked is not None and looked[row] >= 0:
            found.append(about("because_you_looked", language, context.catalog.name(looked[row], language)))
        elif fresh[row]:
            found.append(said("new_here", language))
        else:
            model = int(sources.model[row])
            source = published.models[model] if surely[row] else None
            found.append(_model_reason(context, source, -1 if seeds is None else seeds[row], near=near))
    return found


def _surely(context: RankingContext, pool: Pool, sources: Sources) -> tuple[list[bool], bool]:
    """Return which dishes their top contributor scores high enough for a reason, and whether anybody ordered near here.

    A dish far behind the most popular there is not popular, and a taste of next to nothing matches nothing.
    """
    least, near = [0.0] * len(pool.names), False
    for number in sources.top_contributors:
        # What a model that brought nothing would score at a place has not been worked out.
        opinion = context.published.models[number].opinion(context.query)
        if opinion is not None:
            least[number], near = opinion.least, near or opinion.nearby
    return has_opinion(
        pool.model_scores, sources.model, sources.adds, np.array(least, np.float32)
    ).tolist(), near and context.nearby


def _new(context: RankingContext, columns: IntArray) -> list[bool]:
    """Say which dishes are new: hardly ever ordered and, in a history old enough to tell, not before the last month."""
    extras, began, now = context.published.extras, context.published.began_at, context.query.now
    if extras.together is None or extras.first_at is None or began is None or now - began < 2 * NEW_S:
        return [False] * len(columns)
    found: list[bool] = rare_since(columns, extras.together.baskets, extras.first_at, RARE, now - NEW_S).tolist()
    return found


def _own_reason(times: int, language: str, *, rated: bool) -> Reason:
    if rated:
        return said("you_liked", language)
    return said("ordered_before", language, times=times) if times > 1 else said("ordered_once", language)


def _model_reason(context: RankingContext, model: Recommender | None, seed: int, *, near: bool) -> Reason:
    language = context.language
    if model is None:
        return said("offered", language)
    if seed >= 0:
        return about(model.reason_from_dish, language, context.catalog.name(seed, language))
    if near and model.reason_nearby is not None:
        return said(model.reason_nearby, language)
    return said(model.reason, language)


def _seeds(context: RankingContext, columns: IntArray, sources: Sources, times: IntArray) -> list[int] | None:
    """Return, by dish, the ordered dish that speaks most for it to the model that brought it; -1 for none.

    None where no dish needs one: what they ordered themselves, and what came from other models.
    """
    query, found = context.query, None
    for number, (rows, last, _alike) in context.published.neighbour_models:
        if number not in sources.top_contributors:
            continue
        wanted, any_wanted = brought_by(columns, sources.model, sources.adds, times, number)
        if not any_wanted:
            continue
        own = query.items[query.start[-1 - last :][0] :] if last else query.items[-SEEDS:]
        seeds = strongest(rows.start, rows.columns, rows.values, own, wanted)
        found = seeds if found is None else np.maximum(found, seeds)
    return None if found is None else found.tolist()
