"""Lists people like: how many old friends, how much variety, nothing twice, and less of what was shown in vain.

The pool's order is kept but for what an option forbids: at each slot the best dish that still fits. With limits of the
form "at most n of one kind" that greedy choice is the best there is (a partition matroid: Edmonds 1971), which is why
they are used here rather than a trade-off by a weight (MMR: Carbonell and Goldstein 1998), and a person can be told
them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor

import numpy as np
import numpy.typing as npt

from engine.columns import DAY_S
from engine.models.arrays import FloatArray, IntArray
from engine.models.content import words_of
from engine.recommend.options import ListOptions
from engine.recommend.request import RankingContext
from engine.recommend.rerank.own_lines import OwnLines
from engine.recommend.scoring.scorer import Pool

IMPRESSION = "impression"
# A list that is arranged chooses from this many times what was asked for, and at least from this many; where these do
# not suffice, from so many times more.
CHOICE, LEAST_CHOICE, FURTHER = 3, 100, 10
Alike = Callable[[int, int], bool]
# A share of ten dishes such as .3 must not become four because of binary fractions.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Arranged:
    """Places in the pool, best first, and what moved each; `relaxed` where a wish gave way to a full list."""

    places: list[int]
    changes: dict[int, str]
    relaxed: bool
    duplicates: int


def arrange(pool: Pool, context: RankingContext, own: OwnLines, options: ListOptions) -> Arranged:
    """Choose up to the asked number of the pool's dishes as `options` say.

    Quotas and limits give way where the list would otherwise be short; near-duplicates stay out.
    """
    limit = context.request.limit
    changes: dict[int, str] = {}
    order = list(range(len(pool.columns)))
    if options.shown_times:
        scores, discounted = _less_of_the_shown(pool, context, own, options)
        order = np.lexsort((pool.columns, -scores)).tolist()
        changes |= dict.fromkeys(discounted, "shown_in_vain")
    ordered = (own.times(pool.columns) > 0).tolist()
    groups = [(numbers[pool.columns].tolist(), most) for numbers, most in limits_of(context, options)]
    chosen = _Chosen(pool.columns.tolist(), ordered, likeness(context, options))
    chosen.fill(order, groups, limit, options)
    kept = len(chosen.places)
    # The quota gives way first, the limits only where that is not enough.
    anyhow = replace(options, repeat_min=0.0, repeat_max=1.0)
    chosen.fill(order, groups, limit, anyhow)
    chosen.fill(order, [], limit, anyhow)
    first = set([place for place in order if place not in chosen.twice][: len(chosen.places)])
    changes |= {place: "variety" for place in chosen.places if place not in first and place not in changes}
    # Of an odd number no half is both the least and the most.
    parted = least_repeats(limit, options) > floor(limit * options.repeat_max + ROUNDING)
    return Arranged(chosen.places, changes, parted or len(chosen.places) > kept, len(chosen.twice))


def choice(limit: int) -> int:
    """Return how many dishes to arrange for a list of `limit`."""
    return max(CHOICE * limit, LEAST_CHOICE)


def arrange_enough(
    pool_of: Callable[[int], Pool], size: int, context: RankingContext, own: OwnLines, options: ListOptions
) -> tuple[Pool, Arranged]:
    """Return a pool of at least `size` dishes, where there are such, and its arrangement.

    What would fit may stand further down: before anything gives way, or the list stays short, ten times as many are
    looked at.
    """
    pool = pool_of(size)
    found = arrange(pool, context, own, options)
    if (found.relaxed or len(found.places) < context.request.limit) and len(pool.columns) >= size:
        wider = pool_of(FURTHER * size)
        if len(wider.columns) > len(pool.columns):
            return wider, arrange(wider, context, own, options)
    return pool, found


def reordered(pool: Pool, order: npt.NDArray[np.integer] | Sequence[int] | slice) -> Pool:
    """Return the pool's dishes in another order, or some of them."""
    return replace(
        pool,
        columns=pool.columns[order],
        scores=pool.scores[order],
        model_scores=pool.model_scores[order],
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
        model_scores=np.concatenate(
            [pool.model_scores, np.zeros((len(columns), pool.model_scores.shape[1]), np.float32)]
        ),
        table=nothing,
    )


def _less_of_the_shown(
    pool: Pool, context: RankingContext, own: OwnLines, options: ListOptions
) -> tuple[FloatArray, list[int]]:
    """Return the scores with the lead over the pool's last dish cut for what was shown in vain, and those places.

    A dish is taken when the customer ordered it since it was first shown.
    """
    since = context.query.now - options.shown_days * DAY_S
    shown: Counter[int] = Counter()
    first: dict[int, int] = {}
    for event in context.fresh:
        at = int(event.at.timestamp())
        if event.type == IMPRESSION and at >= since:
            column = context.published.items.row(str(event.properties.get("item_id")))
            shown[column] += 1
            first[column] = min(at, first.get(column, at))
    scores = pool.scores.astype(np.float64)
    floor_score = float(scores.min(initial=0.0)) if len(scores) else 0.0
    discounted = []
    for place, column in enumerate(pool.columns.tolist()):
        if shown[column] < options.shown_times:
            continue
        last = own.orders_of(column)
        if len(last) and int(context.query.at[last[-1]]) >= first[column]:
            continue
        scores[place] = floor_score + (scores[place] - floor_score) * options.shown_factor
        discounted.append(place)
    return scores.astype(np.float32), discounted


def likeness(context: RankingContext, options: ListOptions) -> Alike | None:
    """Return what says of two dishes (columns) whether their names share so many words (Jaccard) that one will do.

    None where the options leave none out. The same name at another vendor is a duplicate too. Names are those in the
    language asked, as the customer will see them; a name without a word is like none.
    """
    share = options.near_duplicates
    if share >= 1:
        return None
    known: dict[int, frozenset[str]] = {}

    def words(column: int) -> frozenset[str]:
        if column not in known:
            known[column] = frozenset(words_of(context.catalog.name(column, context.language)))
        return known[column]

    def alike(one: int, other: int) -> bool:
        first, second = words(one), words(other)
        return bool(first) and len(first & second) >= share * len(first | second)

    return alike


def least_repeats(limit: int, options: ListOptions) -> int:
    """Return how many of `limit` dishes must at least be such as the customer ordered before."""
    return ceil(limit * options.repeat_min - ROUNDING)


def limits_of(context: RankingContext, options: ListOptions) -> list[tuple[IntArray, int]]:
    """Return, for every limit in force, (items) each item's group (-1: none, never limited) and the most of one."""
    catalog = context.catalog
    wanted = (
        (catalog.vendor_of, options.most_per_vendor),
        (catalog.groups.get("category"), options.most_per_category),
        (catalog.groups.get("cuisine"), options.most_per_cuisine),
    )
    return [(numbers, most) for numbers, most in wanted if most and numbers is not None]


class _Chosen:
    """The places chosen so far, and those left out because a dish that was chosen has nearly their name."""

    def __init__(self, columns: list[int], ordered: list[bool], alike: Alike | None) -> None:
        self._columns, self._ordered, self._alike = columns, ordered, alike
        self.places: list[int] = []
        self.twice: set[int] = set()

    def fill(self, order: list[int], groups: list[tuple[list[int], int]], limit: int, options: ListOptions) -> None:
        """Choose up to `limit` places in all, each the best of `order` that still fits; fewer where none fits."""
        ordered, taken = self._ordered, {*self.places, *self.twice}
        most_repeats = floor(limit * options.repeat_max + ROUNDING)
        least = min(least_repeats(limit, options), most_repeats)
        counts = [Counter(numbers[place] for place in self.places) for numbers, _ in groups]

        def fits(place: int) -> bool:
            return (
                place not in taken
                and all(
                    numbers[place] < 0 or count[numbers[place]] < most
                    for (numbers, most), count in zip(groups, counts, strict=True)
                )
                and not self._shown_already(place)
            )

        repeats, at = sum(ordered[place] for place in self.places), 0
        while len(self.places) < limit:
            # The slots left are promised to dishes the customer knows, while there are such; full of them, only others
            # follow.
            must = least - repeats >= limit - len(self.places)
            full = repeats >= most_repeats
            place = next((each for each in order[at:] if ordered[each] and fits(each)), None) if must else None
            if place is None:
                # Groups and quota only fill up: what does not fit now never will.
                while at < len(order) and ((full and ordered[order[at]]) or not fits(order[at])):
                    at += 1
                if at == len(order):
                    return
                place = order[at]
            self.places.append(place)
            taken.add(place)
            repeats += ordered[place]
            for (numbers, _), count in zip(groups, counts, strict=True):
                count[numbers[place]] += 1

    def _shown_already(self, place: int) -> bool:
        """Say whether a dish that was chosen has nearly the name of this one."""
        alike, own = self._alike, self._columns[place]
        if place in self.twice or (alike and any(alike(own, self._columns[each]) for each in self.places)):
            self.twice.add(place)
            return True
        return False
