"""Lists people like: how many old friends, how much variety, nothing twice, and less of what was shown in vain.

The pool's order is kept but for what an option forbids: at each slot the best dish that still fits. With limits of the
form "at most n of one kind" that greedy choice is the best there is (a partition matroid: Edmonds 1971), which is why
they are used here rather than a trade-off by a weight (MMR: Carbonell and Goldstein 1998), and a person can be told
them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor

import numpy as np
import numpy.typing as npt

from engine.models.base import FloatArray, IntArray
from engine.models.content import words_of
from engine.ranking.habits import OwnLines
from engine.ranking.options import ListOptions
from engine.ranking.request import Asking
from engine.ranking.score import Pool

DAY_S = 86_400
IMPRESSION = "impression"
# A share of ten dishes such as .3 must not become four because of binary fractions.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Arranged:
    """Places in the pool, best first, and what moved each; `relaxed` where a wish gave way to a full list."""

    places: list[int]
    changes: dict[int, str]
    relaxed: bool
    duplicates: int


def arrange(pool: Pool, asking: Asking, own: OwnLines, options: ListOptions) -> Arranged:
    """Choose up to the asked number of the pool's dishes as `options` say.

    Quotas and limits give way where the list would otherwise be short; near-duplicates stay out.
    """
    limit = asking.request.limit
    changes: dict[int, str] = {}
    order = list(range(len(pool.columns)))
    if options.shown_times:
        scores, discounted = _less_of_the_shown(pool, asking, own, options)
        order = np.lexsort((pool.columns, -scores)).tolist()
        changes |= dict.fromkeys(discounted, "shown_in_vain")
    duplicates: set[int] = set()
    if options.near_duplicates < 1:
        duplicates = _near_duplicates(pool.columns, order, asking, options.near_duplicates, 3 * limit)
        order = [place for place in order if place not in duplicates]
    ordered = (own.times(pool.columns) > 0).tolist()
    groups = [(numbers[pool.columns].tolist(), most) for numbers, most in limits_of(asking, options)]
    chosen = _choose(order, ordered, groups, limit, options)
    relaxed = len(chosen) < min(limit, len(order))
    if relaxed:
        # The quota gives way first, the limits only where that is not enough.
        anyhow = replace(options, repeat_min=0.0, repeat_max=1.0)
        chosen = _choose(order, ordered, groups, limit, anyhow, chosen)
        taken = set(chosen)
        chosen += [place for place in order if place not in taken][: limit - len(chosen)]
    first = order[: len(chosen)]
    changes |= {place: "variety" for place in chosen if place not in first and place not in changes}
    return Arranged(chosen, changes, relaxed, len(duplicates))


def reordered(pool: Pool, order: npt.NDArray[np.integer] | Sequence[int] | slice) -> Pool:
    """Return the pool's dishes in another order, or some of them."""
    return replace(
        pool,
        columns=pool.columns[order],
        scores=pool.scores[order],
        parts=pool.parts[order],
        table=None if pool.table is None else pool.table[order],
    )


def joined(pool: Pool, columns: IntArray) -> Pool:
    """Return the pool with `columns`, of which no model spoke, at its end and with its last score (0 where empty)."""
    if not len(columns):
        return pool
    lowest = pool.scores[-1] if len(pool.scores) else 0.0
    nothing = None
    if pool.table is not None:
        nothing = np.concatenate([pool.table, np.full((len(columns), pool.table.shape[1]), np.nan, np.float32)])
    return replace(
        pool,
        columns=np.concatenate([pool.columns, columns]).astype(np.int32),
        scores=np.concatenate([pool.scores, np.full(len(columns), lowest, np.float32)]),
        parts=np.concatenate([pool.parts, np.zeros((len(columns), pool.parts.shape[1]), np.float32)]),
        table=nothing,
    )


def _less_of_the_shown(pool: Pool, asking: Asking, own: OwnLines, options: ListOptions) -> tuple[FloatArray, list[int]]:
    """Return the scores with the lead over the pool's last dish cut for what was shown in vain, and those places.

    A dish is taken when she ordered it since it was first shown.
    """
    since = asking.query.now - options.shown_days * DAY_S
    shown: Counter[int] = Counter()
    first: dict[int, int] = {}
    for event in asking.fresh:
        at = int(event.at.timestamp())
        if event.type == IMPRESSION and at >= since:
            column = asking.served.items.row(str(event.properties.get("item_id")))
            shown[column] += 1
            first[column] = min(at, first.get(column, at))
    scores = pool.scores.astype(np.float64)
    floor_score = float(scores.min(initial=0.0)) if len(scores) else 0.0
    discounted = []
    for place, column in enumerate(pool.columns.tolist()):
        if shown[column] < options.shown_times:
            continue
        last = own.orders_of(column)
        if len(last) and int(asking.query.at[last[-1]]) >= first[column]:
            continue
        scores[place] = floor_score + (scores[place] - floor_score) * options.shown_factor
        discounted.append(place)
    return scores.astype(np.float32), discounted


def _near_duplicates(columns: IntArray, order: list[int], asking: Asking, share: float, most: int) -> set[int]:
    """Return places whose name shares at least `share` of its words (Jaccard) with a dish that ranks higher.

    The same name at another vendor is a duplicate too. Looks at names in the language asked, as the customer will.
    """
    kept: list[frozenset[str]] = []
    found: set[int] = set()
    for place in order:
        words = frozenset(words_of(asking.catalog.name(int(columns[place]), asking.language)))
        if words and any(len(words & other) >= share * len(words | other) for other in kept):
            found.add(place)
            continue
        kept.append(words)
        if len(kept) >= most:
            break
    return found


def least_repeats(limit: int, options: ListOptions) -> int:
    """Return how many of `limit` dishes must at least be such as she ordered before."""
    return ceil(limit * options.repeat_min - ROUNDING)


def limits_of(asking: Asking, options: ListOptions) -> list[tuple[IntArray, int]]:
    """Return, for every limit in force, (items) each item's group (-1: none, never limited) and the most of one."""
    catalog = asking.catalog
    wanted = (
        (catalog.vendor_of, options.most_per_vendor),
        (catalog.groups.get("category"), options.most_per_category),
        (catalog.groups.get("cuisine"), options.most_per_cuisine),
    )
    return [(numbers, most) for numbers, most in wanted if most and numbers is not None]


def _choose(
    order: list[int],
    ordered: list[bool],
    groups: list[tuple[list[int], int]],
    limit: int,
    options: ListOptions,
    already: Sequence[int] = (),
) -> list[int]:
    """Return `already` and the places that follow them, each the best that still fits; fewer where none fits."""
    most_repeats = floor(limit * options.repeat_max + ROUNDING)
    least = min(least_repeats(limit, options), most_repeats)
    counts = [Counter(numbers[place] for place in already) for numbers, _ in groups]

    def fits(place: int) -> bool:
        return all(
            numbers[place] < 0 or count[numbers[place]] < most
            for (numbers, most), count in zip(groups, counts, strict=True)
        )

    taken, chosen, repeats = set(already), list(already), sum(ordered[place] for place in already)
    waiting = [place for place in order if place not in taken]
    while waiting and len(chosen) < limit:
        # The slots left are promised to dishes she knows, while there are such; full of them, only others may follow.
        must = least - repeats >= limit - len(chosen)
        full = repeats >= most_repeats
        fitting = (place for place in waiting if fits(place) and not (full and ordered[place]))
        place = next((each for each in waiting if must and ordered[each] and fits(each)), None)
        place = next(fitting, None) if place is None else place
        if place is None:
            break
        waiting.remove(place)
        chosen.append(place)
        repeats += ordered[place]
        for (numbers, _), count in zip(groups, counts, strict=True):
            count[numbers[place]] += 1
    return chosen
