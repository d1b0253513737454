"""What a list is answered with: dishes with reasons, why it is short, and on request how it came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.recommend.explain.reasons import Reason
from engine.recommend.options import ListOptions
from engine.recommend.rerank.arrange import ROUNDING


@dataclass(frozen=True, slots=True)
class Explained:
    """How one dish came to its place.

    `rank` is its place, from 1, in the models' own order (None: it came from beside it); `contributions` are what each
    model adds, its score times its weight; `features` the ranker's figures (None: the ranker does not serve them);
    `changes` names what moved it: signals, shown_in_vain, quota, variety, explored.
    """

    rank: int | None
    contributions: Mapping[str, float]
    features: Mapping[str, float] | None = None
    changes: tuple[str, ...] = ()


class Dish(NamedTuple):
    """One recommended dish; `source` names the model that contributed most to its score.

    `propensity` is the chance with which the dish stands in this slot, given the slots above: 1 unless slots are given
    away by lot.
    """

    item_id: str
    name: str
    score: float
    source: str
    reason: Reason
    propensity: float = 1.0
    explained: Explained | None = None


@dataclass(frozen=True, slots=True)
class DishAnswer:
    """Dishes, best first; `notes` says what could not be honoured as asked (stable codes).

    `unknown_ids` counts ids we do not know by field path; `why_short` is None where the list is as long as asked;
    `filters` counts what each hard filter took away, None where nobody asked.
    """

    dishes: tuple[Dish, ...]
    customer_known: bool
    notes: tuple[str, ...]
    unknown_ids: Mapping[str, int] = field(default_factory=dict)
    why_short: Reason | None = None
    filters: Mapping[str, int] | None = None


def exploration_notes(options: ListOptions, dishes: Sequence[Dish]) -> list[str]:
    """Return a note where exploration was asked for and fewer slots than asked, or none, could be explored."""
    if not dishes:
        return []
    explored = [d for d in dishes[options.explore_after :] if d.propensity < 1 or d.source == "exploration"]
    if not explored:
        return ["not_explored"]
    wanted = options.explore_share * len(dishes) > len(dishes) - options.explore_after + ROUNDING
    return ["explored_less"] if wanted or len(explored) < len(dishes) - options.explore_after else []
