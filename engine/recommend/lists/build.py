"""What the lists beside the home list share: their pool arranged and worded, and ids nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches

import numpy as np

from engine.ids import IdMap
from engine.models.arrays import FloatArray, IntArray
from engine.recommend.explain.reasons import Reason
from engine.recommend.home import answered
from engine.recommend.request import RankingContext
from engine.recommend.rerank.arrange import arrange_enough, choice, reordered
from engine.recommend.rerank.own_lines import OwnLines
from engine.recommend.response import Dish, DishAnswer, Explained
from engine.recommend.scoring.scorer import Pool

# Looking for the nearest id compares letter by letter: among this many that begin alike at most.
# Where a dish comes from that no part of a list speaks for.
USUAL = "dishes"
MOST_COMPARED = 2_000


def best_allowed(
    context: RankingContext, scores: FloatArray, parts: dict[str, FloatArray], *, without: IntArray, size: int
) -> Pool:
    """Return the `size` best allowed dishes with a score above 0, best first, none of `without`; arrays are (items,).

    `parts` are what makes up the score, already weighted.
    """
    mask = context.allowed.as_mask()
    mask[without] = False
    columns = np.flatnonzero(mask & (scores > 0)).astype(np.int32)
    columns = columns[np.lexsort((columns, -scores[columns]))][:size]
    told = np.stack([part[columns] for part in parts.values()], axis=1)
    return Pool(columns, scores[columns].astype(np.float32), told.astype(np.float32), tuple(parts))


def build_list(
    context: RankingContext,
    pool_of: Callable[[int], Pool],
    word: Callable[[Pool], Sequence[Reason]],
    *,
    shortest: str,
    source: str | None = None,
    beside: int = 0,
) -> DishAnswer:
    """Return the answer: the best dishes arranged as asked, with the reasons `word` gives them.

    `pool_of` returns the so many best, or fewer where there are fewer.

    `shortest` says why the list may be short where no filter took anything; `source` names where dishes come from,
    None: the part that says most, or `dishes` where none says anything and the usual list filled the place. `beside`
    counts dishes the filters let through that are no choice.
    """
    options, limit = context.request.options.lists, context.request.limit
    changes: dict[int, str] = {}
    if options.rearranges:
        pool, arranged = arrange_enough(pool_of, choice(limit), context, OwnLines.of(context.query), options)
        changes = {int(pool.columns[place]): change for place, change in arranged.changes.items()}
        pool = reordered(pool, arranged.places)
        shortest = "near_duplicates" if arranged.duplicates else shortest
        if arranged.relaxed:
            context.notes.append("list_relaxed")
    else:
        pool = pool_of(limit)
    pool = reordered(pool, slice(limit))
    reasons = word(pool)
    most = pool.model_scores.argmax(axis=1).tolist() if len(pool.columns) else []
    says = np.any(pool.model_scores > 0, axis=1).tolist()
    dishes = []
    for row, (column, score) in enumerate(zip(pool.columns.tolist(), pool.scores.tolist(), strict=True)):
        dish = Dish(
            context.published.items.name(column),
            context.catalog.name(column, context.language),
            round(score, 6),
            source or (pool.names[most[row]] if says[row] else USUAL),
            reasons[row],
        )
        if context.request.explain:
            adds = {name: round(float(part), 6) for name, part in zip(pool.names, pool.model_scores[row], strict=True)}
            dish = dish._replace(explained=Explained(None, adds, None, tuple(filter(None, [changes.get(column)]))))
        dishes.append(dish)
    return answered(context, dishes, shortest=shortest, beside=beside)


def near_id(ids: IdMap, wanted: str) -> str:
    """Return a hint such as `; did you mean 'd-0007'?` for an id we do not know, empty where none is near."""
    names = ids.names(np.arange(len(ids)))
    alike = [name for name in names if name[:1].casefold() == wanted[:1].casefold()][:MOST_COMPARED]
    near = get_close_matches(wanted[:200], alike, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""
